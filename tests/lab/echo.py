# SPDX-License-Identifier: BSD-3-Clause
"""Both ends of a probe through a firewall.

    echo.py serve              echoes on some ports
    echo.py probe IP4 IP6      prints which of them can be reached, a line such as "tcp 443 ip6" each
    echo.py tunnel PROXY HOST  asks the proxy for a tunnel to each port, prints port and HTTP status
"""

import selectors
import socket
import sys
import time

FAMILIES = {"ip4": socket.AF_INET, "ip6": socket.AF_INET6}
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PORTS = (80, 443, 3478, 5000)
PROXY_PORT = 3128
PATIENCE_S = 1.5


def every_way():
    for port in PORTS:
        for protocol, kind in KINDS.items():
            for family_name, family in FAMILIES.items():
                yield f"{protocol} {port} {family_name}", family, kind, port


def serve():
    selector = selectors.DefaultSelector()
    for _, family, kind, port in every_way():
        listener = socket.socket(family, kind)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj.type == socket.SOCK_STREAM:
                connection, _ = key.fileobj.accept()
                connection.sendall(b"echo")
                connection.close()
            else:
                key.fileobj.sendto(b"echo", key.fileobj.recvfrom(100)[1])


def probe(addresses):
    """All ways are tried side by side, as what is dropped costs the whole patience."""
    waiting = {}
    for way, family, kind, port in every_way():
        trial = socket.socket(family, kind)
        trial.setblocking(False)
        trial.connect_ex((addresses[family], port))
        if kind == socket.SOCK_DGRAM:
            trial.send(b"hello")
        waiting[trial] = way
    selector = selectors.DefaultSelector()
    for trial in waiting:
        selector.register(trial, selectors.EVENT_READ)
    deadline = time.monotonic() + PATIENCE_S
    while waiting and time.monotonic() < deadline:
        for key, _ in selector.select(deadline - time.monotonic()):
            selector.unregister(key.fileobj)
            way = waiting.pop(key.fileobj)
            if answers(key.fileobj):
                print(way)


def answers(trial):
    try:
        return trial.recv(100) == b"echo"
    except OSError:
        return False


def tunnel(proxy, host):
    for port in PORTS:
        with socket.create_connection((proxy, PROXY_PORT), timeout=5) as connection:
            connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            status_line = connection.makefile("rb").readline()
        print(port, status_line.split()[1].decode())


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["probe", ip4, ip6]:
            probe({socket.AF_INET: ip4, socket.AF_INET6: ip6})
        case ["tunnel", proxy, host]:
            tunnel(proxy, host)
