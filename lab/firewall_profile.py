# SPDX-License-Identifier: BSD-3-Clause
"""Profiles: what one restrictive network lets through, a file each in lab/profiles/."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent / "profiles"
WAYS = ("udp", "tcp", "tls")


class ProfileError(Exception):
    """A profile that does not exist or cannot be read; the text says what to do."""


@dataclass(frozen=True)
class Profile:
    name: str
    passes: str  # for people: what the firewall lets through
    allow: list[str]  # nftables matches; a new flow of the client passes if one of them fits
    ways: list[str] = field(default_factory=lambda: list(WAYS))  # the ways that may carry a call here
    proxy: bool = False  # an HTTP proxy stands beside the client, and the firewall lets it out


def names():
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name):
    if name not in names():
        raise ProfileError(f"there is no profile '{name}'; there are: {', '.join(names())}")
    path = FOLDER / f"{name}.toml"
    try:
        profile = Profile(name=name, **tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise ProfileError(f"{path}: {error}") from error
    unknown = set(profile.ways) - set(WAYS)
    if unknown:
        raise ProfileError(f"{path}: ways: {', '.join(unknown)} is none of {', '.join(WAYS)}")
    return profile
