# SPDX-License-Identifier: BSD-3-Clause
"""Long-term authentication (RFC 8489 §9.2), static accounts and time-limited credentials."""

import base64
import dataclasses
import hmac
import os
import struct
import time

import pytest

import stun
from server import ALICE, BOB, REALM
from stun import Algorithm, Attr, Message, Method
from turn import Credentials

SECRETS = ["north-of-nowhere", "south-of-somewhere"]
REQUESTED_UDP = (Attr.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
ANONYMOUS = dataclasses.replace(ALICE, algorithm=Algorithm.SHA256, anonymous=True)


def time_limited(secret=SECRETS[0], user="carol", seconds=600):
    return Credentials(
        *stun.time_limited_credentials(secret, user, int(time.time()) + seconds)
    )


@pytest.fixture
def secret_server(shared):
    return shared(credentials={"shared-secrets": SECRETS})


def test_allocate_without_credentials_is_challenged(server, connect):
    answer = connect(server).challenged()
    assert answer.get(Attr.REALM) == REALM.encode()
    assert answer.get(Attr.NONCE).startswith(stun.NONCE_COOKIE)
    assert answer.get(Attr.MESSAGE_INTEGRITY) is None


@pytest.mark.parametrize(
    "method", [Method.REFRESH, Method.CREATE_PERMISSION, Method.CHANNEL_BIND, Method.ALLOCATE]
)
def test_every_turn_request_has_to_be_authenticated(server, connect, method):
    wanted = {
        Method.ALLOCATE: [REQUESTED_UDP],
        Method.REFRESH: [],
        Method.CREATE_PERMISSION: [(Attr.XOR_PEER_ADDRESS, ("127.0.0.1", 0))],
        Method.CHANNEL_BIND: [
            (Attr.CHANNEL_NUMBER, struct.pack("!HH", 0x4000, 0)),
            (Attr.XOR_PEER_ADDRESS, ("127.0.0.1", 9)),
        ],
    }
    client = connect(server)
    client.allocated()
    message = Message(method, attributes=wanted[method])
    message.encode()
    assert client.exchange(message).error == 401


@pytest.mark.parametrize(
    "credentials",
    [Credentials("alice", "wrong"), Credentials("nobody", "wonderland"),
     Credentials("alice", ""), Credentials("Alice", "wonderland"), Credentials("a" * 508, "x")],
    ids=["password", "user", "empty-password", "case", "long-user"],
)
def test_wrong_credentials_are_answered_401(server, connect, credentials):
    client = connect(server, credentials=credentials)
    assert client.allocate().error == 401


@pytest.mark.parametrize("length", [0, 509, 600])
def test_username_of_no_or_too_many_bytes_is_refused(server, connect, length):
    client = connect(server, credentials=Credentials("a" * length, "x"))
    assert client.allocate().error == 400


@pytest.mark.parametrize("missing", [Attr.USERNAME, Attr.REALM, Attr.NONCE])
def test_integrity_without_its_companions_is_answered_400(server, connect, missing):
    client = connect(server)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    for kind, value in (
        (Attr.USERNAME, b"alice"), (Attr.REALM, REALM.encode()), (Attr.NONCE, client.nonce)
    ):
        if kind != missing:
            message.add(kind, value)
    message.encode(key=ALICE.key(REALM))
    assert client.exchange(message).error == 400


def test_nonce_made_up_is_answered_438_with_a_fresh_one(server, connect):
    client = connect(server)
    client.challenged()
    good, client.nonce = client.nonce, b"obMatJos2AAAA" + os.urandom(8).hex().encode()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message)
    answer = client.exchange(message)
    assert answer.error == 438
    assert answer.get(Attr.NONCE) not in (None, client.nonce)
    client.nonce = good
    assert client.allocate().ok


def test_nonce_changed_in_one_character_is_answered_438(server, connect):
    client = connect(server)
    client.challenged()
    good = client.nonce
    for at in range(len(good)):
        client.nonce = good[:at] + (b"A" if good[at : at + 1] != b"A" else b"B") + good[at + 1 :]
        message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
        client.sign(message)
        assert client.exchange(message).error in (438, 401, 400), f"character {at}"


def test_nonce_of_another_client_is_answered_438(server, connect):
    client = connect(server, source="127.0.0.1")
    client.challenged()
    other = connect(server, source="127.0.0.3")
    other.learn(client.challenge)
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    other.sign(message)
    assert other.exchange(message).error == 438


def test_nonces_differ_from_client_to_client(server, connect):
    nonces = {
        connect(server, source=f"127.0.0.{n}").challenged().get(Attr.NONCE) for n in range(1, 6)
    }
    assert len(nonces) == 5


def test_servers_of_one_nonce_key_accept_each_others_nonces(start, connect):
    one, other = (start(**{"nonce-key": "shared by the whole fleet"}) for _ in range(2))
    client, second = connect(one), connect(other)
    client.challenged()
    second.learn(client.challenge)
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    second.sign(message)
    assert second.exchange(message).ok


def test_servers_without_a_nonce_key_make_their_own(start, connect):
    one, other = (start(**{"nonce-key": ""}) for _ in range(2))
    client, second = connect(one), connect(other)
    client.challenged()
    second.learn(client.challenge)
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    second.sign(message)
    assert second.exchange(message).error == 438


def test_integrity_of_a_changed_message_is_wrong(server, connect):
    client = connect(server)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP, (Attr.LIFETIME, bytes(4))])
    raw = bytearray(client.sign(message))
    raw[35] ^= 1
    message.raw = bytes(raw)
    assert client.exchange(message).error == 401


@pytest.mark.parametrize("sha256", [False, True])
@pytest.mark.parametrize("byte", [0, 10, -1])
def test_integrity_is_compared_to_its_last_byte(server, connect, sha256, byte):
    client = connect(server)
    if sha256:
        client.credentials = dataclasses.replace(ALICE, algorithm=Algorithm.SHA256)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    raw = bytearray(client.sign(message))
    size = 32 if sha256 else 20
    raw[len(raw) - size + byte if byte >= 0 else byte] ^= 1
    message.raw = bytes(raw)
    assert client.exchange(message).error == 401


def test_attributes_after_the_integrity_are_not_honoured(server, connect):
    client = connect(server)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message, after_integrity=[(Attr.LIFETIME, struct.pack("!I", 3000))])
    answer = client.exchange(message)
    assert answer.ok and answer.lifetime == 600


def test_requested_transport_after_the_integrity_does_not_count(server, connect):
    client = connect(server)
    client.challenged()
    message = Message(Method.ALLOCATE)
    client.sign(message, after_integrity=[REQUESTED_UDP])
    assert client.exchange(message).error == 400


def test_peer_after_the_integrity_is_not_permitted(server, connect, peer):
    client = connect(server)
    relayed = client.allocated()
    message = Message(Method.CREATE_PERMISSION)
    there = (Attr.XOR_PEER_ADDRESS, stun.pack_address(("127.0.0.1", 0), message.transaction))
    client.sign(message, after_integrity=[there])
    assert client.exchange(message).error == 400
    outside = peer()
    outside.send(b"in?", relayed)
    client.receive_nothing(settle_s=0.05)


def test_unknown_attribute_after_the_integrity_is_ignored(server, connect):
    client = connect(server)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message, after_integrity=[(0x7ABC, b"who cares")])
    assert client.exchange(message).ok


def test_integrity_follows_a_wrong_fingerprint_never(server, connect):
    """A message whose FINGERPRINT is wrong is not STUN: no answer."""
    client = connect(server)
    message = Message(Method.BINDING)
    raw = bytearray(message.encode(fingerprint=True))
    raw[-1] ^= 1
    client.flow.send(bytes(raw))
    client.receive_nothing()


# SHA-256 and the nonce cookie


def test_challenge_offers_sha256(server, connect):
    answer = connect(server).challenged()
    offered = stun.parse_algorithms(answer.get(Attr.PASSWORD_ALGORITHMS))
    assert Algorithm.SHA256 in offered and Algorithm.MD5 in offered
    features = stun.nonce_features(answer.get(Attr.NONCE))
    assert features & stun.FEATURE_PASSWORD_ALGORITHMS


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_password_algorithm_of_the_clients_choice_is_accepted(server, connect, algorithm):
    client = connect(server, credentials=dataclasses.replace(ALICE, algorithm=algorithm))
    answer = client.allocate()
    assert answer.ok
    assert answer.get(Attr.MESSAGE_INTEGRITY_SHA256) is not None
    assert answer.get(Attr.MESSAGE_INTEGRITY) is None
    assert client.permit("127.0.0.1").ok


def test_sha1_integrity_is_answered_in_kind(server, connect):
    answer = connect(server).allocate()
    assert answer.get(Attr.MESSAGE_INTEGRITY) is not None
    assert answer.get(Attr.MESSAGE_INTEGRITY_SHA256) is None


@pytest.mark.parametrize(
    "algorithms",
    [[Algorithm.MD5], [Algorithm.SHA256], [], [Algorithm.MD5, Algorithm.SHA256, 3]],
    ids=["only-md5", "only-sha256", "none", "one-more"],
)
def test_bid_down_of_password_algorithms_is_detected(server, connect, algorithms):
    """Someone in between changed the offer: the client echoes what it saw (RFC 8489 §9.2.4)."""
    client = connect(server, credentials=dataclasses.replace(ALICE, algorithm=Algorithm.MD5))
    client.challenged()
    client.algorithms = stun.pack_algorithms(algorithms)
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message)
    assert client.exchange(message).error == 400


def test_bid_down_by_leaving_the_algorithm_out_is_detected(server, connect):
    client = connect(server)
    client.challenged()
    for kept in (Attr.PASSWORD_ALGORITHM, Attr.PASSWORD_ALGORITHMS):
        value = (
            client.algorithms if kept == Attr.PASSWORD_ALGORITHMS
            else stun.pack_algorithms([Algorithm.MD5])
        )
        message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP, (kept, value)])
        client.sign(message, sha256=True)
        assert client.exchange(message).error == 400


def test_password_algorithm_that_was_not_offered_is_refused(server, connect):
    client = connect(server, credentials=dataclasses.replace(ALICE, algorithm=7))
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message)
    assert client.exchange(message).error == 400


def test_bid_down_by_a_nonce_without_its_cookie_is_detected(server, connect):
    """Cutting the feature bits off makes the nonce another one."""
    client = connect(server)
    client.challenged()
    bare = client.nonce[len(stun.NONCE_COOKIE) + 4 :]
    for nonce in (bare, client.nonce[: len(stun.NONCE_COOKIE)] + b"AAAA" + bare):
        client.nonce = nonce
        message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
        client.sign(message)
        assert client.exchange(message).error == 438


@pytest.mark.parametrize("size", [16, 28, 12, 4, 0])
def test_integrity_cut_short_proves_nothing(server, connect, size):
    """Truncation is for usages that allow it; TURN does not (RFC 8489 §14.6)."""
    client = connect(server, credentials=dataclasses.replace(ALICE, algorithm=Algorithm.SHA256))
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    whole = client.sign(message)
    length = struct.pack("!H", len(whole) - 20 - 32 + size)
    covered = whole[:2] + length + whole[4:-36]
    mac = hmac.digest(client.credentials.key(REALM), covered, "sha256")[:size]
    message.raw = covered + stun.pack_attribute(Attr.MESSAGE_INTEGRITY_SHA256, mac)
    assert client.exchange(message).error in (400, 401)


# Username anonymity


def test_anonymity_is_offered_while_hashes_can_be_looked_up(server, connect):
    nonce = connect(server).challenged().get(Attr.NONCE)
    assert stun.nonce_features(nonce) & stun.FEATURE_USERNAME_ANONYMITY


def test_anonymity_is_not_offered_with_shared_secrets(secret_server, connect):
    nonce = connect(secret_server).challenged().get(Attr.NONCE)
    assert not stun.nonce_features(nonce) & stun.FEATURE_USERNAME_ANONYMITY
    assert stun.nonce_features(nonce) & stun.FEATURE_PASSWORD_ALGORITHMS


def test_userhash_stands_for_the_username(server, connect):
    client = connect(server, credentials=ANONYMOUS)
    client.allocated()
    assert client.permit("127.0.0.1").ok
    assert client.refresh(600, credentials=dataclasses.replace(BOB, algorithm=2)).error == 441


def test_userhash_of_nobody_is_answered_401(server, connect):
    nobody = dataclasses.replace(ANONYMOUS, user="nobody")
    assert connect(server, credentials=nobody).allocate().error == 401


def test_userhash_and_username_are_the_same_user(server, connect):
    client = connect(server, credentials=ANONYMOUS)
    client.allocated()
    named = dataclasses.replace(ANONYMOUS, anonymous=False)
    assert client.refresh(600, credentials=named).ok


# Time-limited credentials


@pytest.mark.parametrize("secret", SECRETS)
def test_every_shared_secret_is_accepted(secret_server, connect, secret):
    client = connect(secret_server, credentials=time_limited(secret))
    assert client.allocate().ok
    assert client.permit("127.0.0.1").ok


def test_unknown_secret_is_answered_401(secret_server, connect):
    client = connect(secret_server, credentials=time_limited("east-of-anything"))
    assert client.allocate().error == 401


def test_static_accounts_work_beside_shared_secrets(secret_server, connect):
    assert connect(secret_server, credentials=ALICE).allocate().ok
    assert connect(secret_server, credentials=time_limited()).allocate().ok


def test_time_limited_credentials_without_a_user_are_accepted(secret_server, connect):
    assert connect(secret_server, credentials=time_limited(user="")).allocate().ok


def test_time_limited_credentials_work_with_sha256(secret_server, connect):
    credentials = dataclasses.replace(time_limited(), algorithm=Algorithm.SHA256)
    assert connect(secret_server, credentials=credentials).allocate().ok


@pytest.mark.parametrize("seconds", [-1, -86400])
def test_expired_credentials_are_answered_401(secret_server, connect, seconds):
    client = connect(secret_server, credentials=time_limited(seconds=seconds))
    assert client.allocate().error == 401


@pytest.mark.parametrize(
    "name",
    ["99999999999999999999:eve", "18446744073709551616:eve", "+4102444800:eve", "-1:eve",
     "4102444800x:eve", " 4102444800:eve", "0x7fffffff:eve", ":eve", "eve"],
)
def test_expiry_that_is_no_time_is_answered_401(secret_server, connect, name):
    """Overflow and odd spellings of a number must not become a date far away."""
    password = base64.b64encode(hmac.digest(SECRETS[0].encode(), name.encode(), "sha1")).decode()
    client = connect(secret_server, credentials=Credentials(name, password))
    assert client.allocate().error == 401


def test_renewed_credentials_serve_a_live_allocation(secret_server, connect):
    client = connect(secret_server, credentials=time_limited(seconds=500))
    client.allocated()
    renewed = time_limited(SECRETS[1], seconds=5000)
    assert client.permit("127.0.0.1", credentials=renewed).ok
    assert client.refresh(600, credentials=renewed).ok


def test_credentials_of_another_user_are_answered_441(secret_server, connect):
    client = connect(secret_server, credentials=time_limited())
    client.allocated()
    assert client.refresh(600, credentials=time_limited(user="mallory")).error == 441
    assert client.refresh(600, credentials=ALICE).error == 441


def test_static_account_named_like_the_user_part_is_another_user(start, connect):
    """`carol` with a password and `expiry:carol` by secret: both are called carol; whoever issues
    the one vouches for the other, so they may share an allocation or not, but nobody else may."""
    server = start(users={"carol": "sings"}, credentials={"shared-secrets": SECRETS})
    client = connect(server, credentials=time_limited())
    client.allocated()
    assert client.refresh(600, credentials=ALICE).error == 441
    assert client.refresh(600, credentials=Credentials("carol", "wrong")).error == 401


def test_expired_renewal_does_not_replace_the_credentials(secret_server, connect):
    client = connect(secret_server, credentials=time_limited(seconds=500))
    client.allocated()
    assert client.refresh(600, credentials=time_limited(seconds=-5)).error in (401, 441)
    assert client.refresh(600).ok


def test_injection_through_a_username_stays_text(start, connect, eventually):
    """What goes into a log or a page must not be able to forge a line, a field or a tag of it."""
    server = start()
    name = "x' OR 1=1;-- error=0\r\nFORGED line\x1b[31m<script>alert(1)</script>%s%n"
    assert connect(server, credentials=Credentials(name, "x")).allocate().error == 401
    eventually(lambda: "OR 1=1" in server.output())
    assert "\nFORGED" not in server.output()
    assert "\x1b" not in server.output()
    assert 'user="x\' OR 1=1;-- error=0' in server.output(), "the name is quoted as a whole"
