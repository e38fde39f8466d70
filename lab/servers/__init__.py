# SPDX-License-Identifier: BSD-3-Clause
"""TURN servers that a lab can run, a module each: describe(settings) writes the server's own
settings file and returns the Service to start."""

from dataclasses import dataclass
from pathlib import Path

from network import Host

NAMES = ("posternd", "coturn")

# Every server listens on these; 443 also on UDP, where it takes plain TURN and DTLS.
PORTS = ["udp:3478", "tcp:3478", "tcp:80", "tcp:443", "udp:443"]


@dataclass(frozen=True)
class Settings:
    folder: Path  # where the server's files go
    host: Host  # it listens on and relays from this host's addresses
    peers: list[Host]  # who may be relayed to, besides the server's own relay addresses
    realm: str
    user: str
    password: str
    certificate: Path
    key: Path
    core: Host | None = None  # whose edge the server is to be
