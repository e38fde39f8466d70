# SPDX-License-Identifier: BSD-3-Clause
"""STUN messages (RFC 8489) with the attributes of TURN (RFC 8656, RFC 6062), packed and parsed.

Written from the RFCs alone and sharing nothing with the C code, so that the two check each other.
"""

import base64
import enum
import hashlib
import hmac
import ipaddress
import os
import struct
import zlib

MAGIC_COOKIE = 0x2112A442
FINGERPRINT_XOR = 0x5354554E
HEADER_SIZE = 20

UDP = 17
TCP = 6
IPV4 = 1
IPV6 = 2


class Method(enum.IntEnum):
    BINDING = 0x001
    ALLOCATE = 0x003
    REFRESH = 0x004
    SEND = 0x006
    DATA = 0x007
    CREATE_PERMISSION = 0x008
    CHANNEL_BIND = 0x009
    CONNECT = 0x00A
    CONNECTION_BIND = 0x00B
    CONNECTION_ATTEMPT = 0x00C


class Class(enum.IntEnum):
    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attr(enum.IntEnum):
    MAPPED_ADDRESS = 0x0001
    CHANGE_REQUEST = 0x0003
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    CHANNEL_NUMBER = 0x000C
    LIFETIME = 0x000D
    XOR_PEER_ADDRESS = 0x0012
    DATA = 0x0013
    REALM = 0x0014
    NONCE = 0x0015
    XOR_RELAYED_ADDRESS = 0x0016
    REQUESTED_ADDRESS_FAMILY = 0x0017
    EVEN_PORT = 0x0018
    REQUESTED_TRANSPORT = 0x0019
    DONT_FRAGMENT = 0x001A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    RESERVATION_TOKEN = 0x0022
    CONNECTION_ID = 0x002A
    ADDITIONAL_ADDRESS_FAMILY = 0x8000
    ADDRESS_ERROR_CODE = 0x8001
    PASSWORD_ALGORITHMS = 0x8002
    ALTERNATE_DOMAIN = 0x8003
    ICMP = 0x8004
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


class Algorithm(enum.IntEnum):
    """Password algorithms, RFC 8489 §18.5."""

    MD5 = 1
    SHA256 = 2


class Malformed(Exception):
    """The bytes are not a STUN message."""


def pad(value):
    return value + bytes(-len(value) % 4)


def pack_attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + pad(value)


def pack_type(method, message_class):
    """Interleaves the class bits C1 and C0 with the method (RFC 8489 §5)."""
    return (
        (method & 0x000F)
        | (method & 0x0070) << 1
        | (method & 0x0F80) << 2
        | (message_class & 1) << 4
        | (message_class & 2) << 7
    )


def parse_type(word):
    method = (word & 0x000F) | (word & 0x00E0) >> 1 | (word & 0x3E00) >> 2
    return method, Class((word >> 4) & 1 | (word >> 7) & 2)


def xor_mask(length, transaction):
    return (struct.pack("!I", MAGIC_COOKIE) + transaction)[:length]


def pack_address(address, transaction=None):
    """An address attribute's value; XORed when |transaction| is given."""
    ip = ipaddress.ip_address(address[0])
    port, raw = address[1], ip.packed
    if transaction is not None:
        port ^= MAGIC_COOKIE >> 16
        raw = bytes(a ^ b for a, b in zip(raw, xor_mask(len(raw), transaction)))
    return struct.pack("!BBH", 0, IPV4 if ip.version == 4 else IPV6, port) + raw


def parse_address(value, transaction=None):
    if len(value) not in (8, 20):
        raise Malformed(f"address of {len(value)} bytes")
    _, family, port = struct.unpack("!BBH", value[:4])
    raw = value[4:]
    if (family, len(raw)) not in ((IPV4, 4), (IPV6, 16)):
        raise Malformed(f"family {family} with {len(raw)} bytes")
    if transaction is not None:
        port ^= MAGIC_COOKIE >> 16
        raw = bytes(a ^ b for a, b in zip(raw, xor_mask(len(raw), transaction)))
    return str(ipaddress.ip_address(raw)), port


def pack_algorithms(algorithms):
    return b"".join(struct.pack("!HH", algorithm, 0) for algorithm in algorithms)


def parse_algorithms(value):
    found = []
    while value:
        kind, length = struct.unpack("!HH", value[:4])
        found.append(kind)
        value = value[4 + length + -length % 4 :]
    return found


def long_term_key(user, realm, password, algorithm=Algorithm.MD5):
    digest = hashlib.md5 if algorithm == Algorithm.MD5 else hashlib.sha256
    return digest(f"{user}:{realm}:{password}".encode()).digest()


def userhash(user, realm):
    return hashlib.sha256(f"{user}:{realm}".encode()).digest()


NONCE_COOKIE = b"obMatJos2"
FEATURE_PASSWORD_ALGORITHMS = 1 << 23
FEATURE_USERNAME_ANONYMITY = 1 << 22


def nonce_features(nonce):
    """The security feature bits of a nonce (RFC 8489 §9.2), 0 without the cookie."""
    if not nonce.startswith(NONCE_COOKIE):
        return 0
    return int.from_bytes(base64.b64decode(nonce[len(NONCE_COOKIE) : len(NONCE_COOKIE) + 4]), "big")


class Message:
    def __init__(self, method, message_class=Class.REQUEST, attributes=(), transaction=None):
        self.method = method
        self.message_class = message_class
        self.transaction = transaction or os.urandom(12)
        self.attributes = []
        self.raw = b""
        for kind, value in attributes:
            self.add(kind, value)

    def __repr__(self):
        names = ", ".join(
            f"{Attr(k).name if k in Attr._value2member_map_ else hex(k)}={v.hex()}"
            for k, v in self.attributes
        )
        return f"<{self.method!r} {self.message_class.name} {names}>"

    def add(self, kind, value):
        """Appends an attribute; XOR-…-ADDRESS values may be given as (ip, port)."""
        if isinstance(value, tuple):
            plain = kind in (Attr.MAPPED_ADDRESS, Attr.ALTERNATE_SERVER)
            value = pack_address(value, None if plain else self.transaction)
        self.attributes.append((kind, value))

    def get(self, kind):
        """The first attribute of that kind, or None: later ones are to be ignored."""
        return next((value for found, value in self.attributes if found == kind), None)

    def get_all(self, kind):
        return [value for found, value in self.attributes if found == kind]

    def address(self, kind):
        value = self.get(kind)
        return None if value is None else parse_address(value, self.transaction)

    def addresses(self, kind):
        return [parse_address(value, self.transaction) for value in self.get_all(kind)]

    @property
    def ok(self):
        return self.message_class == Class.SUCCESS

    @property
    def error(self):
        """The number of ERROR-CODE, or None."""
        value = self.get(Attr.ERROR_CODE)
        return None if value is None else (value[2] & 7) * 100 + value[3]

    @property
    def lifetime(self):
        value = self.get(Attr.LIFETIME)
        return None if value is None else struct.unpack("!I", value)[0]

    @property
    def unknown_attributes(self):
        value = self.get(Attr.UNKNOWN_ATTRIBUTES) or b""
        return [kind for (kind,) in struct.iter_unpack("!H", value)]

    def encode(self, key=None, sha256=False, sha1=None, fingerprint=False, after_integrity=()):
        """Packs the message.

        key              appends integrity: SHA-1, or SHA-256 if |sha256|; both if |sha1| is True
        after_integrity  attributes that follow the integrity, as only an attacker sends them
        """
        body = b"".join(pack_attribute(kind, value) for kind, value in self.attributes)
        if sha1 is None:
            sha1 = not sha256
        if key is not None and sha1:
            mac = hmac.digest(key, self._header(len(body) + 24) + body, "sha1")
            body += pack_attribute(Attr.MESSAGE_INTEGRITY, mac)
        if key is not None and sha256:
            mac = hmac.digest(key, self._header(len(body) + 36) + body, "sha256")
            body += pack_attribute(Attr.MESSAGE_INTEGRITY_SHA256, mac)
        body += b"".join(pack_attribute(kind, value) for kind, value in after_integrity)
        if fingerprint:
            crc = zlib.crc32(self._header(len(body) + 8) + body) ^ FINGERPRINT_XOR
            body += pack_attribute(Attr.FINGERPRINT, struct.pack("!I", crc))
        self.raw = self._header(len(body)) + body
        return self.raw

    def _header(self, length):
        word = pack_type(self.method, self.message_class)
        return struct.pack("!HHI", word, length, MAGIC_COOKIE) + self.transaction

    @classmethod
    def decode(cls, data):
        if len(data) < HEADER_SIZE:
            raise Malformed("shorter than a header")
        word, length, cookie = struct.unpack("!HHI", data[:8])
        whole = length % 4 == 0 and length == len(data) - HEADER_SIZE
        if word & 0xC000 or cookie != MAGIC_COOKIE or not whole:
            raise Malformed(f"not STUN: {data[:HEADER_SIZE].hex()}")
        method, message_class = parse_type(word)
        message = cls(method, message_class, transaction=data[8:20])
        message.raw = data
        at = HEADER_SIZE
        while at < len(data):
            kind, size = struct.unpack("!HH", data[at : at + 4])
            value = data[at + 4 : at + 4 + size]
            end = at + 4 + size + -size % 4
            if len(value) != size or end > len(data):
                raise Malformed("attribute overruns the message")
            if any(data[at + 4 + size : end]):
                raise Malformed("padding that is not zero leaks memory")
            message.attributes.append((kind, value))
            at = end
        return message

    def _offset(self, kind):
        at = HEADER_SIZE
        for found, value in self.attributes:
            if found == kind:
                return at
            at += 4 + len(pad(value))
        return None

    def has_integrity(self, key):
        """Whether there is an integrity attribute and every one present is right for |key|."""
        found = False
        for kind, digest in (
            (Attr.MESSAGE_INTEGRITY, "sha1"),
            (Attr.MESSAGE_INTEGRITY_SHA256, "sha256"),
        ):
            value, at = self.get(kind), self._offset(kind)
            if value is None:
                continue
            found = True
            length = at - HEADER_SIZE + 4 + len(value)
            mac = hmac.digest(key, self._header(length) + self.raw[HEADER_SIZE:at], digest)
            if mac[: len(value)] != value:
                return False
        return found

    def has_fingerprint(self):
        value, at = self.get(Attr.FINGERPRINT), self._offset(Attr.FINGERPRINT)
        if value is None or at + 8 != len(self.raw):
            return False
        return struct.unpack("!I", value)[0] == zlib.crc32(self.raw[:at]) ^ FINGERPRINT_XOR


def time_limited_credentials(secret, user, expiry):
    """A username and password in the form `expiry:user`, made from a shared secret."""
    name = f"{expiry}:{user}" if user else str(expiry)
    return name, base64.b64encode(hmac.digest(secret.encode(), name.encode(), "sha1")).decode()
