# SPDX-License-Identifier: BSD-3-Clause
"""A certificate authority that lives as long as one lab, and a home folder that trusts it."""

import subprocess

DAYS = "2"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def issue(folder, host):
    """Writes ca.crt, server.crt and server.key for |host| into |folder|."""
    authority = ["-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"]
    _request(folder, "ca", ["-subj", "/CN=postern lab", "-addext", "keyUsage=critical,keyCertSign"])
    names = [f"DNS:{name}" for name in host.names] + [f"IP:{host.ip4}", f"IP:{host.ip6}"]
    _request(
        folder,
        "server",
        [*authority, "-subj", f"/CN={host.names[0]}"]
        + ["-addext", f"subjectAltName={','.join(names)}"]
        + ["-addext", "basicConstraints=critical,CA:FALSE"]
        + ["-addext", "extendedKeyUsage=serverAuth"],
    )


def make_home(folder, authority):
    """A home folder whose NSS database trusts |authority|; Chromium reads it, for TURN/TLS too."""
    database = folder / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = ["certutil", "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True)
    subprocess.run([*certutil, "-A", "-n", "postern lab", "-t", "C,,", "-i", authority], check=True)


def _request(folder, name, options):
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    request = ["openssl", "req", "-x509", "-days", DAYS, *NEW_KEY, "-keyout", key, "-out", certificate]
    subprocess.run([*request, *options], check=True, capture_output=True)
