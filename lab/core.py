# SPDX-License-Identifier: BSD-3-Clause
"""Kamailio as the SIP core behind the edge: a registrar with Digest, Path and Service-Route that tells subscribers of
the registration event package (RFC 3680) when a registration ends, and routes calls to where the Path leads."""

import subprocess
from pathlib import Path

from service import Service

DOMAIN = "ims.example.org"
PORT = 5060
USERS = ("alice", "bob")

TEMPLATE = Path(__file__).with_name("kamailio.cfg")
# Debian's tables for what the presence modules keep; the registrations themselves stay in memory.
TABLES = Path("/usr/share/kamailio/db_sqlite")


def describe(folder, host, accounts, port=PORT, extra=""):
    """|accounts|: name to password. |extra| is put into the settings as it is."""
    rows = "\n".join(f'    $sht(accounts=>{name}) = "{password}";' for name, password in accounts.items())
    words = {"DOMAIN": DOMAIN, "IP4": host.ip4, "PORT": str(port), "FOLDER": str(folder), "ACCOUNTS": rows, "EXTRA": extra}
    text = TEMPLATE.read_text()
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    (folder / "kamailio.cfg").write_text(text)
    make_tables(folder / "presence.db")
    argv = ["kamailio", "-f", folder / "kamailio.cfg", "-DD", "-E", "-m", "64", "-M", "8", "-w", folder,
            "-Y", folder, "-P", folder / "kamailio.pid"]  # fmt: skip
    return Service("kamailio", "core", argv, [f"udp:{port}", f"tcp:{port}"])


def make_tables(file):
    script = "".join((TABLES / f"{name}-create.sql").read_text() for name in ("standard", "presence"))
    subprocess.run(["sqlite3", file], input=script, text=True, check=True, capture_output=True)
