# SPDX-License-Identifier: BSD-3-Clause
"""What a TURN client wants to reach: plain sockets on loopback."""

import socket

from flows import PATIENCE_S, family_of


class UdpPeer:
    def __init__(self, ip="127.0.0.1", port=0):
        self.socket = socket.socket(family_of(ip), socket.SOCK_DGRAM)
        self.socket.bind((ip, port))
        self.address = self.socket.getsockname()[:2]

    def send(self, data, where):
        self.socket.sendto(data, where)

    def receive(self, within=PATIENCE_S):
        """The next datagram and where it came from."""
        self.socket.settimeout(within)
        data, source = self.socket.recvfrom(65536)
        return data, source[:2]

    def receive_nothing(self, within=0.1):
        """Asserts silence; call it after a round trip with the relay, so that the wait is short."""
        try:
            data, source = self.receive(within)
        except TimeoutError:
            return
        raise AssertionError(f"{len(data)} bytes arrived from {source}")

    def close(self):
        self.socket.close()


class TcpPeer:
    def __init__(self, ip="127.0.0.1"):
        self.socket = socket.socket(family_of(ip), socket.SOCK_STREAM)
        self.socket.bind((ip, 0))
        self.socket.listen(8)
        self.address = self.socket.getsockname()[:2]

    def accept(self, within=PATIENCE_S):
        self.socket.settimeout(within)
        connection, source = self.socket.accept()
        connection.settimeout(PATIENCE_S)
        return connection, source[:2]

    def close(self):
        self.socket.close()
