# SPDX-License-Identifier: BSD-3-Clause
"""Allocate and Refresh on the wire (RFC 8656 §7, §8)."""

import os
import socket

import pytest

import stun
from conftest import WAYS
from flows import UdpFlow
from server import ALICE, BOB
from stun import Attr, Class, Message, Method
from turn import Client

REQUESTED_UDP = (Attr.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))
RESERVE_NEXT = (Attr.EVEN_PORT, b"\x80")
PLAIN_EVEN = (Attr.EVEN_PORT, b"\x00")


def additional_family(family):
    return Attr.ADDITIONAL_ADDRESS_FAMILY, bytes([family, 0, 0, 0])


@pytest.mark.parametrize("way", WAYS)
def test_binding_tells_the_clients_own_address(server, connect, way):
    client = connect(server, way)
    answer = client.binding()
    assert answer.ok
    assert answer.address(Attr.XOR_MAPPED_ADDRESS) == client.flow.local


def test_binding_answers_fingerprint_with_fingerprint(server, connect):
    client = connect(server)
    message = Message(Method.BINDING)
    message.encode(fingerprint=True)
    answer = client.exchange(message)
    assert answer.ok and answer.has_fingerprint()


def test_binding_indication_gets_no_answer(server, connect):
    client = connect(server)
    client.flow.send(Message(Method.BINDING, Class.INDICATION).encode())
    client.receive_nothing()


@pytest.mark.parametrize("way", WAYS)
def test_allocation_names_relayed_and_mapped_address_and_lifetime(server, connect, way):
    client = connect(server, way)
    answer = client.allocate()
    assert answer.ok
    ip, port = answer.address(Attr.XOR_RELAYED_ADDRESS)
    assert ip == "127.0.0.1", "without REQUESTED-ADDRESS-FAMILY it is IPv4 (RFC 8656 §7.2)"
    assert port in server.relay_ports
    assert answer.address(Attr.XOR_MAPPED_ADDRESS) == client.flow.local
    assert answer.lifetime == 600


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family, ip", [(stun.IPV4, "127.0.0.1"), (stun.IPV6, "::1")])
def test_allocation_has_the_requested_family(server, connect, way, family, ip):
    assert connect(server, way).allocated(family=family)[0] == ip


def test_dual_allocation_has_one_address_of_each_family(server, connect):
    answer = connect(server).allocate([additional_family(stun.IPV6)])
    assert answer.ok
    ips = [ip for ip, _ in answer.addresses(Attr.XOR_RELAYED_ADDRESS)]
    assert ips == ["127.0.0.1", "::1"]


def test_dual_allocation_is_made_for_the_number_of_a_draft_too(server, connect):
    """coturn's tools up to 4.6 ask for it as 0x8032."""
    answer = connect(server).allocate([(0x8032, bytes([stun.IPV6, 0, 0, 0]))])
    assert len(answer.addresses(Attr.XOR_RELAYED_ADDRESS)) == 2


def test_dual_allocation_without_ipv6_keeps_ipv4_and_says_440(start, connect):
    server = start(relay={"addresses": ["127.0.0.1"]})
    answer = connect(server).allocate([additional_family(stun.IPV6)])
    assert answer.ok
    assert [ip for ip, _ in answer.addresses(Attr.XOR_RELAYED_ADDRESS)] == ["127.0.0.1"]
    value = answer.get(Attr.ADDRESS_ERROR_CODE)
    assert value[0] == stun.IPV6
    assert (value[2] & 7) * 100 + value[3] == 440


def test_allocation_answers_440_for_a_family_it_does_not_relay(start, connect):
    server = start(relay={"addresses": ["127.0.0.1"]})
    assert connect(server).allocate(family=stun.IPV6).error == 440


def test_allocation_answers_440_for_an_unknown_family(server, connect):
    assert connect(server).allocate(family=3).error == 440


@pytest.mark.parametrize(
    "attributes",
    [
        [additional_family(stun.IPV4)],
        [additional_family(stun.IPV6), (Attr.REQUESTED_ADDRESS_FAMILY, bytes([1, 0, 0, 0]))],
        [additional_family(stun.IPV6), RESERVE_NEXT],
        [additional_family(stun.IPV6), (Attr.RESERVATION_TOKEN, bytes(8))],
        [(Attr.RESERVATION_TOKEN, bytes(8)), PLAIN_EVEN],
        [(Attr.RESERVATION_TOKEN, bytes(8)), (Attr.REQUESTED_ADDRESS_FAMILY, bytes([1, 0, 0, 0]))],
    ],
    ids=["additional-v4", "additional+requested", "additional+reserve", "additional+token",
         "token+even-port", "token+requested"],
)
def test_allocation_answers_400_for_attributes_that_exclude_each_other(server, connect, attributes):
    assert connect(server).allocate(attributes).error == 400


@pytest.mark.parametrize(
    "transport, code", [(stun.UDP, None), (stun.TCP, 442), (1, 442), (255, 442)]
)
def test_allocation_answers_442_for_other_transports(server, connect, transport, code):
    assert connect(server).allocate(transport=transport).error == code


def test_allocation_answers_400_without_requested_transport(server, connect):
    client = connect(server)
    assert client.request(Method.ALLOCATE).error == 400
    client.challenged()
    assert client.request(Method.ALLOCATE).error == 400


def test_allocation_answers_437_on_second_allocate(server, connect):
    client = connect(server)
    client.allocated()
    assert client.allocate().error == 437


@pytest.mark.parametrize("way", ["udp", "tls"])
def test_retransmitted_allocate_gets_the_first_answer_again(server, connect, way):
    client = connect(server, way)
    client.challenged()
    message = Message(Method.ALLOCATE, attributes=[REQUESTED_UDP])
    client.sign(message)
    first, second = client.exchange(message), client.exchange(message)
    assert first.ok and second.ok
    for kind in (Attr.XOR_RELAYED_ADDRESS, Attr.XOR_MAPPED_ADDRESS, Attr.LIFETIME):
        assert first.get(kind) == second.get(kind) is not None


def test_even_port_gives_an_even_port(server, connect):
    for _ in range(6):
        assert connect(server).allocated([PLAIN_EVEN])[1] % 2 == 0


def test_reservation_token_gives_the_next_port(server, connect):
    first = connect(server)
    answer = first.allocate([RESERVE_NEXT])
    assert answer.ok
    _, even = answer.address(Attr.XOR_RELAYED_ADDRESS)
    token = answer.get(Attr.RESERVATION_TOKEN)
    assert even % 2 == 0 and len(token) == 8
    # From another port, so that with three workers the token often arrives at another one.
    second = connect(server, "tcp")
    relayed = second.allocated([(Attr.RESERVATION_TOKEN, token)])
    assert relayed == ("127.0.0.1", even + 1)


def test_reservation_token_works_on_whichever_worker(server, connect):
    for _ in range(6):
        answer = connect(server).allocate([RESERVE_NEXT])
        token = (Attr.RESERVATION_TOKEN, answer.get(Attr.RESERVATION_TOKEN))
        _, even = answer.address(Attr.XOR_RELAYED_ADDRESS)
        assert connect(server).allocated([token])[1] == even + 1


def test_reservation_token_serves_once(server, connect):
    answer = connect(server).allocate([RESERVE_NEXT])
    token = (Attr.RESERVATION_TOKEN, answer.get(Attr.RESERVATION_TOKEN))
    connect(server).allocated([token])
    assert connect(server).allocate([token]).error == 508


def test_reservation_token_made_up_is_refused(server, connect):
    assert connect(server).allocate([RESERVE_NEXT]).ok
    assert connect(server).allocate([(Attr.RESERVATION_TOKEN, os.urandom(8))]).error == 508


@pytest.mark.parametrize("size", [0, 7, 9, 200])
def test_reservation_token_of_another_size_is_refused(server, connect, size):
    assert connect(server).allocate([(Attr.RESERVATION_TOKEN, bytes(size))]).error == 400


def test_dont_fragment_is_understood(server, connect):
    assert connect(server).allocate([(Attr.DONT_FRAGMENT, b"")]).ok


def test_unknown_required_attribute_is_answered_420_with_its_name(server, connect):
    answer = connect(server).allocate([(0x7ABC, b"what"), (0x7ABD, b"is this"), (0xFABC, b"?")])
    assert answer.error == 420
    assert answer.unknown_attributes == [0x7ABC, 0x7ABD]


def test_unknown_optional_attribute_is_ignored(server, connect):
    assert connect(server).allocate([(0xFABC, b"nothing to you")]).ok


@pytest.mark.parametrize(
    "wanted, granted", [(None, 600), (0, 600), (60, 600), (900, 900), (3600, 3600), (7200, 3600),
                        (0xFFFFFFFF, 3600)]
)
def test_allocation_lifetime_lies_between_ten_minutes_and_an_hour(server, connect, wanted, granted):
    assert connect(server).allocate(lifetime=wanted).lifetime == granted


@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_refresh_prolongs_and_ends(server, connect, way):
    client = connect(server, way)
    client.allocated()
    assert client.refresh(1200).lifetime == 1200
    assert client.refresh().lifetime == 600
    ended = client.refresh(0)
    assert ended.ok and ended.lifetime == 0
    assert client.refresh(600).error == 437
    assert client.refresh(0).error == 437
    assert client.permit("127.0.0.1").error == 437


def test_refresh_without_an_allocation_is_answered_437(server, connect):
    client = connect(server)
    assert client.refresh(600).error == 437
    client.challenged()
    assert client.refresh(600).error == 437


def test_refresh_of_the_wrong_family_is_answered_443(server, connect):
    client = connect(server)
    client.allocated(family=stun.IPV4)
    wrong = (Attr.REQUESTED_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0]))
    assert client.refresh(600, [wrong]).error == 443


def test_refresh_of_one_family_of_a_dual_allocation_ends_only_that(server, connect, peer):
    client = connect(server)
    answer = client.allocate([additional_family(stun.IPV6)])
    assert answer.ok
    gone = (Attr.REQUESTED_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0]))
    assert client.refresh(0, [gone]).ok
    assert client.permit("::1").error == 443
    assert client.permit("127.0.0.1").ok
    here = peer()
    client.send_indication(here.address, b"still there")
    assert here.receive()[0] == b"still there"


def test_allocation_can_be_made_anew_after_its_end(server, connect):
    client = connect(server)
    client.allocated()
    assert client.refresh(0).ok
    assert client.allocate().ok


def test_another_user_on_the_same_five_tuple_is_answered_441(server, connect):
    client = connect(server)
    client.allocated()
    assert client.refresh(600, credentials=BOB).error == 441
    assert client.permit("127.0.0.1", credentials=BOB).error == 441
    assert client.bind_channel(0x4000, ("127.0.0.1", 9999), credentials=BOB).error == 441
    assert client.refresh(600).ok


def test_end_of_the_connection_ends_the_allocation(start, connect, eventually):
    server = start(limits={"allocations-per-user": 1})
    client = connect(server, "tcp")
    client.allocated()
    assert connect(server, "tcp").allocate().error == 486
    client.close()
    eventually(lambda: connect(server, "tcp").allocate().ok)


def test_message_of_an_unknown_method_is_answered_400_or_nothing(server, connect):
    client = connect(server)
    message = Message(0x0FF)
    client.flow.send(message.encode())
    assert client.binding().ok
    for answer in client.inbox:
        assert answer.error == 400


def test_error_answer_to_nobody_is_never_sent(server, connect):
    """Only requests are answered: two servers must not talk to each other for ever."""
    client = connect(server)
    for kind in (Class.SUCCESS, Class.ERROR, Class.INDICATION):
        for method in Method:
            client.flow.send(Message(method, kind).encode())
    client.receive_nothing()


def test_relay_ports_are_random(server, connect):
    ports = [connect(server).allocated()[1] for _ in range(12)]
    steps = {b - a for a, b in zip(ports, ports[1:])}
    assert len(steps) > 3, f"predictable: {ports}"


def test_ports_are_bound_on_the_relay_address(server, connect):
    ip, port = connect(server).allocated()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        with pytest.raises(OSError):
            probe.bind((ip, port))


def test_clients_of_one_source_are_told_apart_by_port(server, connect):
    one, other = connect(server), connect(server)
    assert one.allocated() != other.allocated()
    assert one.refresh(0).ok
    assert other.refresh().ok


def test_server_answers_from_the_address_that_was_asked(start):
    """A wildcard socket has to say which address it answers from: it is part of the 5-tuple."""
    server = start(listen=["udp://0.0.0.0:{port}", "udp://[::]:{port}"])
    for ip in ("127.0.0.1", "127.0.0.9", "::1"):
        with Client(UdpFlow((ip, server.port)), ALICE) as client:
            assert client.allocate().ok
            assert client.refresh(0).ok


def test_same_client_port_towards_two_server_addresses_is_two_allocations(start):
    server = start(listen=["udp://0.0.0.0:{port}"])
    source = ("127.0.0.1", 49990)
    with Client(UdpFlow(("127.0.0.1", server.port), *source), ALICE) as first:
        here = first.allocated()
        with Client(UdpFlow(("127.0.0.9", server.port), *source), ALICE) as second:
            assert second.flow.local == first.flow.local
            assert second.allocated() != here
            assert second.refresh(0).ok
        assert first.refresh(0).ok
