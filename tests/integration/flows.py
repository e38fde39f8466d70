# SPDX-License-Identifier: BSD-3-Clause
"""Ways to a TURN server: UDP, TCP and TLS, cut into frames (STUN messages and ChannelData)."""

import errno
import itertools
import socket
import ssl
import struct
import time

PATIENCE_S = 5.0


# A test may leave an allocation behind, which lives for ten minutes: a client of a later test on the same
# port would meet it. So ports come in turn, and from below those that the kernel chooses.
_source_ports = itertools.cycle(range(10000, 32000))


def bind_in_turn(udp_socket, ip):
    while True:
        try:
            return udp_socket.bind((ip, next(_source_ports)))
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise


def family_of(ip):
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def remaining(deadline):
    """Seconds to |deadline|, at least enough for a poll."""
    return max(deadline - time.monotonic(), 0.0005)


class Closed(Exception):
    """The server ended the connection."""


class UdpFlow:
    """A socket connected to the server: only the address that was asked may answer."""

    reliable = False

    def __init__(self, server, source=None, source_port=0):
        self.socket = socket.socket(family_of(server[0]), socket.SOCK_DGRAM)
        ip = source or ("::" if ":" in server[0] else "0.0.0.0")
        if source_port:  # another flow, to another address of the server, may have it as well
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((ip, source_port))
        else:
            bind_in_turn(self.socket, ip)
        self.socket.connect(server)
        self.local = self.socket.getsockname()[:2]

    def send(self, frame):
        self.socket.send(frame)

    def receive(self, deadline):
        """The next frame; TimeoutError at |deadline|."""
        while True:
            self.socket.settimeout(remaining(deadline))
            try:
                return self.socket.recv(65536)
            except ConnectionRefusedError:
                if time.monotonic() >= deadline:
                    raise TimeoutError from None
                time.sleep(0.005)

    def close(self):
        self.socket.close()


class StreamFlow:
    """TCP, or TLS when given |tls|.

    preface         goes out before anything else (a PROXY header)
    receive_buffer  bytes that the kernel takes while nobody reads, for slow readers
    """

    reliable = True

    def __init__(
        self, server, source=None, tls=None, server_name="turn.example.org", preface=b"",
        receive_buffer=None,
    ):  # fmt: skip
        self.socket = socket.socket(family_of(server[0]), socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE_S)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(server)
        except OSError:
            self.socket.close()
            raise
        self.local = self.socket.getsockname()[:2]
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if preface:
            self.socket.sendall(preface)
        if tls is not None:
            try:
                self.socket = tls.wrap_socket(self.socket, server_hostname=server_name)
            except BaseException:
                self.socket.close()
                raise

    def send(self, data):
        self.socket.settimeout(PATIENCE_S)
        self.socket.sendall(data)

    def read(self, deadline):
        """Whatever bytes come next; Closed at the end of the stream."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        self.socket.settimeout(remaining(deadline))
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise Closed(str(error)) from None
        if not data:
            raise Closed("end of stream")
        return data

    def read_exactly(self, size, deadline):
        data = b""
        try:
            while len(data) < size:
                data += self.read(deadline)
        except TimeoutError:
            self.buffer = data
            raise
        self.buffer = data[size:]
        return data[:size]

    def receive(self, deadline):
        """The next frame, without its padding (RFC 8656 §12.5)."""
        while True:
            size = frame_size(self.buffer)
            if size is not None and len(self.buffer) >= size + -size % 4:
                frame = self.buffer[:size]
                self.buffer = self.buffer[size + -size % 4 :]
                return frame
            rest, self.buffer = self.buffer, b""
            try:
                self.buffer = rest + self.read(deadline)
            except BaseException:
                self.buffer = rest
                raise

    def ended_by(self, deadline):
        """Whether the server closes the connection before |deadline|; what it sends is lost."""
        try:
            while True:
                self.read(deadline)
        except Closed:
            return True
        except TimeoutError:
            return False

    def close(self):
        self.socket.close()


def frame_size(data):
    if len(data) < 4:
        return None
    first, second = struct.unpack("!HH", data[:4])
    if first & 0xC000 == 0x4000:
        return 4 + second
    assert first & 0xC000 == 0, f"neither STUN nor ChannelData: {data[:8].hex()}"
    return 20 + second
