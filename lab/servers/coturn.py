# SPDX-License-Identifier: BSD-3-Clause
"""coturn's turnserver, to compare with."""

from service import Service

from servers import PORTS

# An auxiliary server is coturn's word for a further plain listener. Its TLS listener tells plain
# TURN, TLS and DTLS apart by itself.
SETTINGS = """
listening-port=3478
tls-listening-port=443
aux-server={host.ip4}:80
aux-server=[{host.ip6}]:80
listening-ip={host.ip4}
listening-ip={host.ip6}
relay-ip={host.ip4}
relay-ip={host.ip6}
realm={realm}
lt-cred-mech
user={user}:{password}
cert={certificate}
pkey={key}
{peers}
denied-peer-ip=0.0.0.0-255.255.255.255
denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
no-cli
no-software-attribute
log-file=stdout
userdb={folder}/turndb
pidfile={folder}/turnserver.pid
"""


def describe(settings):
    # coturn knows no hairpin: its own addresses are peers like others.
    peers = [address for host in (*settings.peers, settings.host) for address in (host.ip4, host.ip6)]
    lines = "\n".join(f"allowed-peer-ip={address}" for address in peers)
    file = settings.folder / "turnserver.conf"
    file.write_text(SETTINGS.format(**{**vars(settings), "peers": lines}))
    return Service("coturn", "server", ["turnserver", "-c", file], PORTS)
