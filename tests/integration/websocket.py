# SPDX-License-Identifier: BSD-3-Clause
"""WebSockets by hand (RFC 6455), so that a test can send what no library would."""

import base64
import os
import struct
import time

from flows import PATIENCE_S, Closed, StreamFlow

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN = 0x80


def frame(opcode, payload=b"", first=None, masked=True, length=None):
    """One frame. |first| is its first byte, |length| what it claims to have, where they are to be wrong."""
    if length is None:
        length = len(payload)
    size, extended = length, b""
    if length >= 1 << 16:
        size, extended = 127, struct.pack("!Q", length)
    elif length >= 126:
        size, extended = 126, struct.pack("!H", length)
    head = bytes([FIN | opcode if first is None else first, masked << 7 | size]) + extended
    if not masked:
        return head + payload
    mask = os.urandom(4)
    key = int.from_bytes((mask * (len(payload) // 4 + 1))[: len(payload)], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


def request(path, protocols=None, origin=None, host="turn.example.org", **changes):
    """The client's hand-shake; |changes| replace fields (with _ for -), None leaves one out."""
    fields = {
        "Host": host,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": protocols,
        "Origin": origin,
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


def soon(within=PATIENCE_S):
    return time.monotonic() + within


def read_head(flow):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += flow.read_exactly(1, soon())
    return head


class Refused(Exception):
    """The answer to the hand-shake was not 101."""

    def __init__(self, head):
        super().__init__(head.decode(errors="replace"))
        self.status = int(head.split(b" ", 2)[1])
        self.head = head


class WebSocket:
    """A WebSocket over |flow|, a StreamFlow."""

    def __init__(self, flow, path, protocols=None, first=b"", **changes):
        self.flow = flow
        try:
            flow.send(request(path, protocols, **changes) + first)
            self.head = read_head(flow)
            if not self.head.startswith(b"HTTP/1.1 101 "):
                raise Refused(self.head)
        except BaseException:
            flow.close()
            raise

    def send(self, payload, opcode=TEXT):
        self.flow.send(frame(opcode, payload))

    def frame(self, within=PATIENCE_S):
        """The next frame: first byte and payload. Servers do not mask."""
        deadline, taken = soon(within), b""

        def take(size):
            nonlocal taken
            taken += self.flow.read_exactly(size, deadline) if size else b""
            return taken[len(taken) - size :]

        try:
            first, size = take(2)
            assert not size & 0x80, "a server's frame is masked"
            if size == 126:
                (size,) = struct.unpack("!H", take(2))
            elif size == 127:
                (size,) = struct.unpack("!Q", take(8))
            return first, take(size)
        except TimeoutError:
            self.flow.buffer = taken + self.flow.buffer
            raise

    def message(self, within=PATIENCE_S):
        """The payload of the next message; pings are answered, and no frame is expected to be a fragment."""
        deadline = soon(within)
        while True:
            first, payload = self.frame(deadline - time.monotonic())
            assert first & FIN and not first & 0x70
            if first & 15 == PING:
                self.send(payload, PONG)
            elif first & 15 == CLOSE:
                raise Closed(payload)
            elif first & 15 in (TEXT, BINARY):
                return payload

    def close_code(self, within=PATIENCE_S):
        """The code of the server's close frame; what comes before that is lost."""
        deadline = soon(within)
        while True:
            first, payload = self.frame(deadline - time.monotonic())
            if first & 15 == CLOSE:
                return struct.unpack("!H", payload[:2])[0] if payload else None

    def close(self):
        self.flow.close()


class TurnFlow(StreamFlow):
    """TURN over WebSocket, as a stream of bytes. |pieces|: payload bytes in a message, 0 for all at once."""

    def __init__(self, server, *arguments, path="/turn", pieces=0, **options):
        super().__init__(server, *arguments, **options)
        self.pieces = pieces
        self.carrier = StreamFlow.__new__(StreamFlow)  # the same connection below the messages
        self.carrier.socket, self.carrier.buffer = self.socket, b""
        self.websocket = WebSocket(self.carrier, path, "turn")

    def send(self, data):
        step = self.pieces or len(data)
        frames = (frame(BINARY, data[at : at + step]) for at in range(0, len(data), step))
        self.carrier.send(b"".join(frames))

    def read(self, deadline):
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        return self.websocket.message(deadline - time.monotonic())
