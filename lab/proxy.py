# SPDX-License-Identifier: BSD-3-Clause
"""squid beside the client, with the rules that Debian ships for what a client may ask of it."""

import os
import shutil

from network import HOSTS
from service import Service

PORT = 3128

# Who may use the proxy is the one rule changed: the shipped file waits for its operator to name the
# clients. The rest keeps squid off the disk and apart from a squid that runs on the machine already.
SETTINGS = """
acl SSL_ports port 443
acl Safe_ports port 80 21 443 70 210 280 488 591 777 1025-65535
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
acl inside src {client_ip4} {client_ip6}
http_access allow inside
http_access deny all

http_port {port}
visible_hostname {name}
cache deny all
pinger_enable off
netdb_filename none
shutdown_lifetime 0 seconds
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log stdio:{folder}/access.log
coredump_dir {folder}
"""


def describe(network):
    proxy, client = HOSTS["proxy"], HOSTS["client"]
    folder = network.folder / "proxy"
    folder.mkdir()
    settings = folder / "squid.conf"
    settings.write_text(
        SETTINGS.format(
            client_ip4=client.ip4, client_ip6=client.ip6, port=PORT, name=proxy.names[0], folder=folder
        )
    )
    if os.geteuid() == 0:
        shutil.chown(folder, "proxy", "proxy")  # what squid becomes once it has read its settings
    # -N: no daemon; -n: a name of its own for shared memory, letters and digits only.
    argv = ["squid", "-N", "-n", f"lab{network.identity}", "-f", settings]
    return Service("squid", "proxy", argv, [f"tcp:{PORT}"])


def url():
    return f"http://{HOSTS['proxy'].names[0]}:{PORT}"


def access_log(network):
    return network.folder / "proxy" / "access.log"
