# SPDX-License-Identifier: BSD-3-Clause
"""The first steps of a DTLS 1.2 hand-shake (RFC 6347 §4.2): enough to leave one half-open."""

import os
import struct

HANDSHAKE = 22
CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY_REQUEST = 1, 2, 3
DTLS_1_0, DTLS_1_2 = 0xFEFF, 0xFEFD


def extension(kind, value):
    return struct.pack("!HH", kind, len(value)) + value


class Hello:
    """A ClientHello that can be sent again with the server's cookie."""

    def __init__(self, padding=0):
        self.random = os.urandom(32)
        self.padding = padding

    def encode(self, cookie=b"", sequence=0):
        ciphers = struct.pack("!4H", 0xC02B, 0xC02F, 0xC02C, 0xC030)
        extensions = (
            extension(10, struct.pack("!HHH", 4, 29, 23))
            + extension(11, b"\1\0")
            + extension(13, struct.pack("!H4H", 8, 0x0403, 0x0804, 0x0401, 0x0503))
            + (extension(21, bytes(self.padding)) if self.padding else b"")
        )
        body = (
            struct.pack("!H", DTLS_1_2) + self.random
            + b"\0"  # no session
            + bytes([len(cookie)]) + cookie
            + struct.pack("!H", len(ciphers)) + ciphers
            + b"\1\0"  # no compression
            + struct.pack("!H", len(extensions)) + extensions
        )  # fmt: skip
        size = len(body).to_bytes(3, "big")
        fragment = struct.pack("!H", sequence) + bytes(3) + size
        message = bytes([CLIENT_HELLO]) + size + fragment + body
        return (
            struct.pack("!BHHIHH", HANDSHAKE, DTLS_1_0, 0, 0, sequence, len(message)) + message
        )


def kind_of(datagram):
    """The type of the first hand-shake message in |datagram|, None for another record."""
    return datagram[13] if datagram[0] == HANDSHAKE and len(datagram) > 13 else None


def cookie_of(datagram):
    """The cookie in a HelloVerifyRequest."""
    assert kind_of(datagram) == HELLO_VERIFY_REQUEST, datagram.hex()
    size = datagram[27]
    return datagram[28 : 28 + size]
