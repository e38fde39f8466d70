# SPDX-License-Identifier: BSD-3-Clause
"""A TURN client (RFC 8656, RFC 6062) that shows every answer instead of hiding it."""

import dataclasses
import struct
import time
from collections import deque

import stun
from flows import PATIENCE_S
from stun import Algorithm, Attr, Class, Message, Method

RETRANSMIT_S = 0.5


class Refused(Exception):
    def __init__(self, answer):
        super().__init__(f"refused with {answer.error}: {answer!r}")
        self.answer = answer
        self.code = answer.error


@dataclasses.dataclass
class Credentials:
    user: str
    password: str
    algorithm: Algorithm = None  # None: the server is asked in the manner of RFC 5389
    anonymous: bool = False

    def key(self, realm):
        return stun.long_term_key(
            self.user, realm, self.password, self.algorithm or Algorithm.MD5
        )


@dataclasses.dataclass
class ChannelData:
    number: int
    data: bytes

    def encode(self, padded=False):
        frame = struct.pack("!HH", self.number, len(self.data)) + self.data
        return stun.pad(frame) if padded else frame

    @classmethod
    def decode(cls, frame):
        number, size = struct.unpack("!HH", frame[:4])
        assert len(frame) >= 4 + size, "ChannelData longer than its datagram"
        return cls(number, frame[4 : 4 + size])


class Client:
    """One 5-tuple. |credentials| are used when the server asks for them."""

    def __init__(self, flow, credentials=None):
        self.flow = flow
        self.credentials = credentials
        self.realm = None
        self.nonce = None
        self.algorithms = None
        self.challenge = None
        self.inbox = deque()

    def close(self):
        self.flow.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Frames

    def send_frame(self, frame):
        """Sends a message or ChannelData, padded where the transport is a stream."""
        if isinstance(frame, ChannelData):
            frame = frame.encode(padded=self.flow.reliable)
        self.flow.send(frame)

    def _next_frame(self, deadline):
        frame = self.flow.receive(deadline)
        if frame[0] & 0xC0 == 0x40:
            return ChannelData.decode(frame)
        return Message.decode(frame)

    def receive(self, within=PATIENCE_S):
        """The next indication or ChannelData; TimeoutError when none comes."""
        if self.inbox:
            return self.inbox.popleft()
        return self._next_frame(time.monotonic() + within)

    def receive_data(self, within=PATIENCE_S):
        """The next Data indication as (peer, data), or ChannelData as (number, data)."""
        frame = self.receive(within)
        if isinstance(frame, ChannelData):
            return frame.number, frame.data
        assert (frame.method, frame.message_class) == (Method.DATA, Class.INDICATION), frame
        return frame.address(Attr.XOR_PEER_ADDRESS), frame.get(Attr.DATA)

    def receive_nothing(self, settle_s=0):
        """Asserts that nothing has come and nothing was under way before a Binding round trip.

        settle_s  for what would take a way round outside of the server and back
        """
        assert self.binding().ok
        if settle_s:
            time.sleep(settle_s)
            assert self.binding().ok
        assert not self.inbox, f"unexpected: {list(self.inbox)}"

    # Requests

    def exchange(self, message, within=PATIENCE_S):
        """Sends an encoded request as it is and returns its answer, the rest goes to the inbox."""
        assert message.raw, "encode() first"
        deadline = time.monotonic() + within
        self.flow.send(message.raw)
        resend_at = time.monotonic() + RETRANSMIT_S
        while True:
            try:
                wait = deadline if self.flow.reliable else min(deadline, resend_at)
                frame = self._next_frame(wait)
            except TimeoutError:
                if time.monotonic() >= deadline:
                    raise
                self.flow.send(message.raw)
                resend_at = time.monotonic() + RETRANSMIT_S
                continue
            if (
                isinstance(frame, Message)
                and frame.message_class in (Class.SUCCESS, Class.ERROR)
                and frame.transaction == message.transaction
            ):
                assert frame.method == message.method
                return frame
            self.inbox.append(frame)

    def binding(self, attributes=()):
        message = Message(Method.BINDING, attributes=attributes)
        message.encode()
        return self.exchange(message)

    def challenged(self):
        """Learns realm and nonce by an Allocate without credentials; returns the 401."""
        wanted = [(Attr.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))]
        message = Message(Method.ALLOCATE, attributes=wanted)
        message.encode()
        answer = self.exchange(message)
        assert answer.error == 401, answer
        self.learn(answer)
        return answer

    def learn(self, answer):
        """Takes realm and nonce from a 401 or 438."""
        self.challenge = answer
        realm, nonce = answer.get(Attr.REALM), answer.get(Attr.NONCE)
        assert realm is not None and nonce is not None, answer
        self.realm, self.nonce = realm.decode(), nonce
        self.algorithms = answer.get(Attr.PASSWORD_ALGORITHMS)

    def sign(self, message, credentials=None, **options):
        """Adds what authenticates |message| and encodes it; options are those of encode()."""
        credentials = credentials or self.credentials
        if credentials.anonymous:
            message.add(Attr.USERHASH, stun.userhash(credentials.user, self.realm))
        else:
            message.add(Attr.USERNAME, credentials.user.encode())
        message.add(Attr.REALM, self.realm.encode())
        message.add(Attr.NONCE, self.nonce)
        if credentials.algorithm is not None:
            message.add(Attr.PASSWORD_ALGORITHMS, self.algorithms)
            message.add(
                Attr.PASSWORD_ALGORITHM, stun.pack_algorithms([credentials.algorithm])
            )
            options.setdefault("sha256", True)
        return message.encode(key=credentials.key(self.realm), **options)

    def request(self, method, attributes=(), credentials=None, **options):
        """An authenticated request; a first 401 and a stale nonce are followed once."""
        if self.nonce is None:
            bare = Message(method, attributes=attributes)
            bare.encode()
            answer = self.exchange(bare)
            if answer.error != 401:
                return answer
            self.learn(answer)
        for _ in range(2):
            message = Message(method, attributes=attributes)
            self.sign(message, credentials, **options)
            answer = self.exchange(message)
            if answer.error != 438:
                break
            self.learn(answer)
        self.check_integrity(answer, credentials or self.credentials)
        return answer

    def check_integrity(self, answer, credentials):
        protected = answer.get(Attr.MESSAGE_INTEGRITY) or answer.get(Attr.MESSAGE_INTEGRITY_SHA256)
        if answer.ok or protected:
            assert answer.has_integrity(credentials.key(self.realm)), "integrity of the answer"

    def demand(self, *arguments, **options):
        """A request that has to succeed."""
        answer = self.request(*arguments, **options)
        if not answer.ok:
            raise Refused(answer)
        return answer

    # The methods of RFC 8656

    def allocate(self, attributes=(), transport=stun.UDP, family=None, lifetime=None, **options):
        wanted = [(Attr.REQUESTED_TRANSPORT, bytes([transport, 0, 0, 0])), *attributes]
        if family is not None:
            wanted.append((Attr.REQUESTED_ADDRESS_FAMILY, bytes([family, 0, 0, 0])))
        if lifetime is not None:
            wanted.append((Attr.LIFETIME, struct.pack("!I", lifetime)))
        return self.request(Method.ALLOCATE, wanted, **options)

    def allocated(self, *arguments, **options):
        """Allocates and returns the relayed address."""
        answer = self.allocate(*arguments, **options)
        if not answer.ok:
            raise Refused(answer)
        return answer.address(Attr.XOR_RELAYED_ADDRESS)

    def refresh(self, lifetime=None, attributes=(), **options):
        wanted = list(attributes)
        if lifetime is not None:
            wanted.append((Attr.LIFETIME, struct.pack("!I", lifetime)))
        return self.request(Method.REFRESH, wanted, **options)

    def permit(self, *peers, **options):
        """CreatePermission for the peers' addresses, given as (ip, port) or just ip."""
        wanted = [
            (Attr.XOR_PEER_ADDRESS, peer if isinstance(peer, tuple) else (peer, 0))
            for peer in peers
        ]
        return self.request(Method.CREATE_PERMISSION, wanted, **options)

    def bind_channel(self, number, peer, **options):
        wanted = [
            (Attr.CHANNEL_NUMBER, struct.pack("!HH", number, 0)),
            (Attr.XOR_PEER_ADDRESS, peer),
        ]
        return self.request(Method.CHANNEL_BIND, wanted, **options)

    def send_indication(self, peer, data, attributes=()):
        message = Message(Method.SEND, Class.INDICATION)
        message.add(Attr.XOR_PEER_ADDRESS, peer)
        for kind, value in attributes:
            message.add(kind, value)
        message.add(Attr.DATA, data)
        self.send_frame(message.encode())

    def send_channel(self, number, data):
        self.send_frame(ChannelData(number, data))

    # RFC 6062

    def connect(self, peer, **options):
        return self.request(Method.CONNECT, [(Attr.XOR_PEER_ADDRESS, peer)], **options)

    def connection_bind(self, connection_id, **options):
        return self.request(
            Method.CONNECTION_BIND, [(Attr.CONNECTION_ID, connection_id)], **options
        )
