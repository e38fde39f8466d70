# SPDX-License-Identifier: BSD-3-Clause
"""PROXY headers as a balancer writes them (versions 1 and 2)."""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
TCP_OVER_IPV4, TCP_OVER_IPV6, UNSPECIFIED = 0x11, 0x21, 0x00


def version_1(source):
    family, destination = "TCP4", ("127.0.0.1", 443)
    if ":" in source[0]:
        family, destination = "TCP6", ("::1", 443)
    return (
        f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()
    )


def version_2(source=None, destination=None, command=PROXY, extensions=b"", length=None):
    if source is None:
        family, body = UNSPECIFIED, b""
    else:
        ip = ipaddress.ip_address(source[0])
        destination = destination or ("127.0.0.1" if ip.version == 4 else "::1", 443)
        family = TCP_OVER_IPV4 if ip.version == 4 else TCP_OVER_IPV6
        body = ip.packed + ipaddress.ip_address(destination[0]).packed
        body += struct.pack("!HH", source[1], destination[1])
    body += extensions
    size = len(body) if length is None else length
    return SIGNATURE + struct.pack("!BBH", command, family, size) + body


def extension(kind, value):
    return struct.pack("!BH", kind, len(value)) + value
