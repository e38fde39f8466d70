# SPDX-License-Identifier: BSD-3-Clause
"""What a stranger's packet can make the server send, and to whom."""

import socket
import struct
import time

import pytest

import dtls
import stun
from flows import UdpFlow
from stun import Attr, Class, Message, Method

IP_AND_UDP = 28
REQUESTED_UDP = (Attr.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))


def answer_to(server, request, within=1.0, source="127.0.0.66", source_port=0):
    """What comes back to a stranger: no client of another test has that source."""
    flow = UdpFlow(("127.0.0.1", server.port), source, source_port)
    try:
        flow.send(request)
        return flow.receive(time.monotonic() + within)
    except TimeoutError:
        return None
    finally:
        flow.close()


def factor(request, answer):
    """Amplification in IP bytes."""
    return (len(answer) + IP_AND_UDP) / (len(request) + IP_AND_UDP)


def test_challenge_is_at_most_two_point_two_times_the_request(server):
    request = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP]).encode()
    answer = answer_to(server, request)
    assert Message.decode(answer).error == 401
    assert factor(request, answer) <= 2.2


@pytest.mark.parametrize(
    "method",
    [Method.ALLOCATE, Method.CREATE_PERMISSION, Method.CHANNEL_BIND, Method.CONNECT,
     Method.CONNECTION_BIND],
)  # fmt: skip
def test_request_that_lacks_an_attribute_gets_a_bare_400_first(server, method):
    request = Message(method).encode()
    answer = answer_to(server, request)
    if answer is not None:
        assert Message.decode(answer).error == 400
        assert factor(request, answer) <= 1.2


@pytest.mark.parametrize("method", [Method.REFRESH, Method.BINDING, 0x0FF, Method.SEND])
def test_smallest_request_is_hardly_amplified(server, method):
    request = Message(method).encode()
    answer = answer_to(server, request, within=0.3)
    if answer is not None:
        assert factor(request, answer) <= 1.3


def test_unknown_attributes_are_not_amplified(server):
    """420 lists them; a request full of four-byte attributes must not come back larger."""
    request = Message(Method.BINDING, attributes=[(0x7000 + n, b"") for n in range(100)]).encode()
    answer = answer_to(server, request)
    assert answer is not None and Message.decode(answer).error == 420
    assert len(answer) <= len(request)


def test_answers_to_strangers_carry_no_software_and_no_reason(server):
    for request in (Message(Method.ALLOCATE, attributes=[REQUESTED_UDP]), Message(Method.ALLOCATE)):
        answer = Message.decode(answer_to(server, request.encode()))
        assert answer.get(Attr.SOFTWARE) is None
        assert len(answer.get(Attr.ERROR_CODE)) == 4


@pytest.mark.parametrize("message_class", [Class.SUCCESS, Class.ERROR, Class.INDICATION])
@pytest.mark.parametrize("method", list(Method))
def test_only_requests_are_answered(server, connect, method, message_class):
    client = connect(server)
    client.flow.send(Message(method, message_class, [REQUESTED_UDP]).encode())
    client.receive_nothing()


@pytest.mark.parametrize("port", [7, 13, 17, 19, 53, 69, 123, 161, 389, 1900, 5353, 11211])
def test_source_port_of_a_known_service_is_not_answered(server, port):
    """A spoofed source of another server's port would make the two talk to each other."""
    request = Message(Method.BINDING).encode()
    try:
        answer = answer_to(server, request, within=0.15, source="127.0.0.9", source_port=port)
    except PermissionError:
        pytest.skip("ports below 1024 are for root")
    assert answer is None
    assert answer_to(server, request, source="127.0.0.9") is not None


def answered_when_spoofed(server, source):
    """Whether a Binding request with the forged |source| is answered: seen from a raw socket."""
    request = Message(Method.BINDING)
    request.encode()
    wanted = b"\x01\x01", request.transaction
    size = 8 + len(request.raw)
    datagram = struct.pack("!HHHH", source[1], server.port, size, 0) + request.raw
    try:
        seen = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        pytest.skip("raw sockets are for root")
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0,
        socket.inet_aton(source[0]), socket.inet_aton("127.0.0.1"),
    )  # fmt: skip
    with seen, sender:
        sender.sendto(header + datagram, ("127.0.0.1", 0))
        deadline = time.monotonic() + 0.3
        while time.monotonic() < deadline:
            seen.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                payload = seen.recv(65536)[IP_AND_UDP:]
            except TimeoutError:
                break
            if (payload[:2], payload[8:20]) == wanted:
                return True
    return False


def test_spoofed_source_is_answered_like_any_other(server):
    """The control for the next tests: their silence is the server's choice."""
    assert answered_when_spoofed(server, ("127.0.0.1", 40000))


def test_source_port_zero_is_not_answered(server):
    assert not answered_when_spoofed(server, ("127.0.0.1", 0))


@pytest.mark.parametrize("port", ["port", "tls_port"])
def test_source_that_is_an_own_listener_is_not_answered(start, port):
    """Two servers, or one and itself, must not be set upon each other."""
    server = start(listen=["udp://127.0.0.1:{port}", "udp://127.0.0.1:{tls_port}"])
    assert not answered_when_spoofed(server, ("127.0.0.1", getattr(server, port)))


def test_answers_to_strangers_are_limited_per_network(start):
    server = start(limits={"answers-per-network": 20})
    request = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP]).encode()
    flows = [UdpFlow(("127.0.0.1", server.port), f"127.0.0.{n + 1}") for n in range(100)]
    for flow in flows:
        flow.send(request)
    until = time.monotonic() + 0.5
    answered = 0
    for flow in flows:
        try:
            flow.receive(until if answered < 20 else time.monotonic())
            answered += 1
        except TimeoutError:
            pass
        flow.close()
    assert 10 <= answered <= 45, f"{answered} of 100 strangers of one /24 were answered"
    assert answer_to(server, request, source="127.0.99.1"), "another network has its own share"


def answers_within(flow, silence_s):
    """How many answers come before a silence of that length."""
    answered = 0
    try:
        while True:
            flow.receive(time.monotonic() + silence_s)
            answered += 1
    except TimeoutError:
        return answered


def test_answers_to_strangers_are_limited_by_default(start):
    server = start(limits={"answers-per-network": None})
    request = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP]).encode()
    flow = UdpFlow(("127.0.0.1", server.port))
    answered = 0
    for _ in range(30):
        for _ in range(50):
            flow.send(request)
        answered += answers_within(flow, 0.002)
    flow.close()
    assert 50 <= answered <= 900, f"{answered} of 1500 requests were answered"


def test_limit_on_strangers_does_not_touch_who_has_proved_itself(start, connect):
    server = start(limits={"answers-per-network": 1})
    client = connect(server)
    client.allocated()
    request = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP]).encode()
    flow = UdpFlow(("127.0.0.1", server.port))
    for _ in range(200):
        flow.send(request)
    began = time.monotonic()
    for _ in range(3):
        assert client.refresh().ok and client.permit("10.0.0.1").error == 403
    assert time.monotonic() - began < 0.5, "an answer came only after a retransmission"
    flow.close()


def test_limit_also_counts_dtls_and_binding(start):
    server = start(limits={"answers-per-network": 10})
    for request in (dtls.Hello().encode(), Message(Method.BINDING).encode()):
        flow = UdpFlow(("127.0.0.1", server.port), "127.0.7.1" if request[0] else "127.0.8.1")
        for _ in range(100):
            flow.send(request)
        answered = answers_within(flow, 0.2)
        flow.close()
        assert answered <= 40, f"{answered} of 100 answered"
