# SPDX-License-Identifier: BSD-3-Clause
"""Permissions, channels and the data that passes through them (RFC 8656 §9 to §12)."""

import os
import struct

import pytest

import stun
from conftest import WAYS
from stun import Attr, Class, Message, Method
from turn import ChannelData

FAMILIES = [("127.0.0.1", stun.IPV4), ("::1", stun.IPV6)]


def relaying(connect, server, way="udp", family=None, **options):
    """A client with an allocation, and its relayed address."""
    client = connect(server, way, **options)
    return client, client.allocated(family=family)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ip, family", FAMILIES)
def test_send_and_data_indications_carry_both_ways(server, connect, peer, way, ip, family):
    client, relayed = relaying(connect, server, way, family)
    there = peer(ip)
    assert client.permit(there.address).ok
    client.send_indication(there.address, b"to the peer")
    assert there.receive() == (b"to the peer", relayed)
    there.send(b"and back", relayed)
    assert client.receive_data() == (there.address, b"and back")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ip, family", FAMILIES)
def test_channel_data_carries_both_ways(server, connect, peer, way, ip, family):
    client, relayed = relaying(connect, server, way, family)
    there = peer(ip)
    assert client.bind_channel(0x4000, there.address).ok
    client.send_channel(0x4000, b"to the peer")
    assert there.receive() == (b"to the peer", relayed)
    there.send(b"and back", relayed)
    assert client.receive_data() == (0x4000, b"and back")


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 1199, 1200, 1472, 9000])
def test_every_size_arrives_whole(server, connect, peer, way, size):
    client, relayed = relaying(connect, server, way)
    there, data = peer(), os.urandom(size)
    assert client.bind_channel(0x4FFF, there.address).ok
    client.send_channel(0x4FFF, data)
    assert there.receive()[0] == data
    there.send(data, relayed)
    assert client.receive_data() == (0x4FFF, data)


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_frames_cut_anywhere_are_put_together(server, connect, peer, way):
    client, _ = relaying(connect, server, way)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    frames = [ChannelData(0x4000, bytes([n]) * (n + 1)).encode(padded=True) for n in range(8)]
    stream = b"".join(frames)
    for at in range(0, len(stream), 7):
        client.flow.send(stream[at : at + 7])
    assert [there.receive()[0] for _ in frames] == [bytes([n]) * (n + 1) for n in range(8)]


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_channel_data_on_a_stream_is_padded_to_four_bytes(server, connect, peer, way):
    """The client cuts frames at padded sizes; without padding the second would be garbage."""
    client, relayed = relaying(connect, server, way)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    for size in (1, 2, 3, 5):
        there.send(b"x" * size, relayed)
        assert client.receive_data() == (0x4000, b"x" * size)
    assert client.refresh().ok


def test_burst_of_equal_datagrams_arrives_in_order(server, connect, peer):
    """Neighbours of one size may leave in one segmented send; nobody may notice."""
    client, relayed = relaying(connect, server)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    wanted = [struct.pack("!I", n) * 100 for n in range(40)]
    for data in wanted:
        client.send_channel(0x4000, data)
    assert [there.receive()[0] for _ in wanted] == wanted
    for data in wanted:
        there.send(data, relayed)
    assert [client.receive_data()[1] for _ in wanted] == wanted


def test_peer_without_a_permission_does_not_reach_the_client(server, connect, peer):
    client, relayed = relaying(connect, server)
    there = peer()
    there.send(b"unasked", relayed)
    client.receive_nothing(settle_s=0.05)
    assert client.permit("127.0.0.2").error == 403, "only 127.0.0.1 is allowed by the settings"
    there.send(b"still unasked", relayed)
    client.receive_nothing(settle_s=0.05)


def test_permission_covers_every_port_of_the_address(server, connect, peer):
    client, relayed = relaying(connect, server)
    assert client.permit(("127.0.0.1", 1)).ok
    for there in (peer(), peer()):
        there.send(b"any port", relayed)
        assert client.receive_data() == (there.address, b"any port")


def test_send_without_a_permission_is_dropped(server, connect, peer):
    client, _ = relaying(connect, server)
    there = peer()
    client.send_indication(there.address, b"no permission")
    client.receive_nothing()
    there.receive_nothing()


def test_permission_request_is_all_or_nothing(server, connect, peer):
    client, relayed = relaying(connect, server)
    there = peer()
    assert client.permit(there.address, ("10.0.0.1", 1)).error == 403
    there.send(b"not permitted", relayed)
    client.receive_nothing(settle_s=0.05)


def test_permission_request_names_several_peers(server, connect, peer):
    client, relayed = relaying(connect, server, family=None)
    assert client.permit("127.0.0.1", "127.0.0.1", ("127.0.0.1", 5)).ok
    there = peer()
    there.send(b"in", relayed)
    assert client.receive_data() == (there.address, b"in")


def test_permission_without_a_peer_is_answered_400(server, connect):
    client, _ = relaying(connect, server)
    assert client.permit().error == 400


@pytest.mark.parametrize("family, other", [(stun.IPV4, "::1"), (stun.IPV6, "127.0.0.1")])
def test_peer_of_the_other_family_is_answered_443(server, connect, family, other):
    client, _ = relaying(connect, server, family=family)
    assert client.permit(other).error == 443
    assert client.bind_channel(0x4000, (other, 9)).error == 443


def test_dual_allocation_relays_both_families(server, connect, peer):
    client = connect(server)
    answer = client.allocate([(Attr.ADDITIONAL_ADDRESS_FAMILY, bytes([stun.IPV6, 0, 0, 0]))])
    v4, v6 = answer.addresses(Attr.XOR_RELAYED_ADDRESS)
    assert client.permit("127.0.0.1", "::1").ok
    for number, (ip, relayed) in enumerate([("127.0.0.1", v4), ("::1", v6)], 0x4000):
        there = peer(ip)
        client.send_indication(there.address, b"out")
        assert there.receive() == (b"out", relayed)
        assert client.bind_channel(number, there.address).ok
        there.send(b"in", relayed)
        assert client.receive_data() == (number, b"in")


def test_channel_bound_to_another_peer_is_answered_400(server, connect):
    client, _ = relaying(connect, server)
    assert client.bind_channel(0x4000, ("127.0.0.1", 1001)).ok
    assert client.bind_channel(0x4000, ("127.0.0.1", 1002)).error == 400
    assert client.bind_channel(0x4001, ("127.0.0.1", 1001)).error == 400
    assert client.bind_channel(0x4000, ("127.0.0.1", 1001)).ok, "binding again is a refresh"


@pytest.mark.parametrize("number", [0x0000, 0x3FFF, 0x8000, 0xFFFF])
def test_channel_number_outside_its_range_is_answered_400(server, connect, number):
    client, _ = relaying(connect, server)
    assert client.bind_channel(number, ("127.0.0.1", 1001)).error == 400


@pytest.mark.parametrize("number", [0x4000, 0x4FFF, 0x7FFF])
def test_channel_number_at_the_end_of_its_range_is_accepted(server, connect, number):
    client, _ = relaying(connect, server)
    assert client.bind_channel(number, ("127.0.0.1", 1001)).ok


def test_channel_bind_lacking_an_attribute_is_answered_400(server, connect):
    client, _ = relaying(connect, server)
    number = (Attr.CHANNEL_NUMBER, struct.pack("!HH", 0x4000, 0))
    peer_address = (Attr.XOR_PEER_ADDRESS, ("127.0.0.1", 1001))
    assert client.request(Method.CHANNEL_BIND, [number]).error == 400
    assert client.request(Method.CHANNEL_BIND, [peer_address]).error == 400


def test_data_on_an_unbound_channel_is_dropped(server, connect, peer):
    client, _ = relaying(connect, server)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    client.send_channel(0x4001, b"nowhere")
    client.send_channel(0x4000, b"here")
    assert there.receive()[0] == b"here"
    there.receive_nothing()


def test_channel_installs_the_permission(server, connect, peer):
    client, relayed = relaying(connect, server)
    bound, neighbour = peer(), peer()
    assert client.bind_channel(0x4000, bound.address).ok
    neighbour.send(b"same address", relayed)
    assert client.receive_data() == (neighbour.address, b"same address")


def test_channels_end_with_their_allocation(server, connect, peer):
    client, _ = relaying(connect, server)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    assert client.refresh(0).ok
    client.send_channel(0x4000, b"gone")
    client.receive_nothing()
    there.receive_nothing()


def test_channel_of_one_client_is_nothing_to_another(server, connect, peer):
    client, _ = relaying(connect, server)
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    thief, _ = relaying(connect, server)
    thief.send_channel(0x4000, b"mine now?")
    thief.receive_nothing()
    there.receive_nothing()


def test_indications_carry_nothing_they_need_not(server, connect, peer):
    """On a path of 1,280 bytes each byte more makes a browser's ClientHello vanish."""
    client, relayed = relaying(connect, server)
    there = peer()
    assert client.permit(there.address).ok
    there.send(b"in", relayed)
    indication = client.receive()
    assert {kind for kind, _ in indication.attributes} == {Attr.XOR_PEER_ADDRESS, Attr.DATA}


def test_send_with_an_unknown_required_attribute_is_dropped(server, connect, peer):
    client, _ = relaying(connect, server)
    there = peer()
    assert client.permit(there.address).ok
    client.send_indication(there.address, b"strange", [(0x7ABC, b"must understand")])
    client.send_indication(there.address, b"plain", [(0xFABC, b"may ignore")])
    assert there.receive()[0] == b"plain"
    there.receive_nothing()


def test_send_with_dont_fragment_is_relayed(server, connect, peer):
    client = connect(server)
    relayed = client.allocated([(Attr.DONT_FRAGMENT, b"")])
    there = peer()
    assert client.permit(there.address).ok
    client.send_indication(there.address, b"whole", [(Attr.DONT_FRAGMENT, b"")])
    assert there.receive() == (b"whole", relayed)


@pytest.mark.parametrize("missing", [Attr.DATA, Attr.XOR_PEER_ADDRESS])
def test_send_lacking_an_attribute_is_dropped(server, connect, peer, missing):
    client, _ = relaying(connect, server)
    there = peer()
    assert client.permit(there.address).ok
    message = Message(Method.SEND, Class.INDICATION)
    if missing != Attr.XOR_PEER_ADDRESS:
        message.add(Attr.XOR_PEER_ADDRESS, there.address)
    if missing != Attr.DATA:
        message.add(Attr.DATA, b"half")
    client.flow.send(message.encode())
    client.receive_nothing()
    there.receive_nothing()


def test_closed_peer_port_is_told_by_an_icmp_attribute(server, connect, peer):
    """RFC 8656 §11.6: type 3 code 3, port unreachable, as a Data indication with ICMP."""
    client, _ = relaying(connect, server)
    gone = peer()
    address = gone.address
    assert client.permit(address).ok
    gone.close()
    client.send_indication(address, b"anybody there?")
    indication = client.receive()
    assert indication.method == Method.DATA
    assert indication.address(Attr.XOR_PEER_ADDRESS) == address
    assert indication.get(Attr.DATA) is None
    _, kind, code = struct.unpack("!HBB", indication.get(Attr.ICMP)[:4])
    assert (kind, code) == (3, 3)


@pytest.mark.parametrize("ways", [("udp", "udp"), ("udp", "tls"), ("tcp", "tcp")])
@pytest.mark.parametrize("ip, family", FAMILIES)
def test_two_allocations_of_one_server_reach_each_other(server, connect, ways, ip, family):
    """The hairpin: two relay-only clients on one server, whichever workers they are on."""
    for _ in range(3):
        one, one_relayed = relaying(connect, server, ways[0], family)
        other, other_relayed = relaying(connect, server, ways[1], family)
        assert one.bind_channel(0x4000, other_relayed).ok
        assert other.permit(one_relayed).ok
        one.send_channel(0x4000, b"hello through the door")
        assert other.receive_data() == (one_relayed, b"hello through the door")
        other.send_indication(one_relayed, b"hello back")
        assert one.receive_data() == (0x4000, b"hello back")


def test_hairpin_asks_the_other_side_for_its_permission(shared, connect):
    server = shared(relay={"allow-peers": []})
    one, one_relayed = relaying(connect, server)
    other, other_relayed = relaying(connect, server)
    assert one.permit(other_relayed).ok, "own relay addresses may be permitted"
    one.send_indication(other_relayed, b"unasked")
    one.receive_nothing()
    other.receive_nothing(settle_s=0.05)


def test_hairpin_delivers_only_to_live_allocations(shared, connect, peer):
    server = shared(relay={"allow-peers": []})
    client, _ = relaying(connect, server)
    service = peer("127.0.0.1")
    client.permit(service.address)
    client.bind_channel(0x4000, service.address)
    client.send_indication(service.address, b"into the host")
    client.send_channel(0x4000, b"into the host")
    client.receive_nothing()
    service.receive_nothing()


def test_hairpin_works_without_allowed_peers(shared, connect):
    server = shared(relay={"allow-peers": []})
    one, one_relayed = relaying(connect, server)
    other, other_relayed = relaying(connect, server)
    assert one.permit(other_relayed).ok and other.permit(one_relayed).ok
    one.send_indication(other_relayed, b"in the house")
    assert other.receive_data() == (one_relayed, b"in the house")


def test_hairpin_switched_off_refuses_own_relay_addresses(start, connect):
    server = start(relay={"allow-peers": [], "hairpin": False})
    one, _ = relaying(connect, server)
    _, other_relayed = relaying(connect, server)
    assert one.permit(other_relayed).error == 403
    assert one.bind_channel(0x4000, other_relayed).error == 403


def test_relay_behind_one_to_one_nat_names_the_public_address(start, connect, peer):
    server = start(relay={"addresses": ["127.0.0.7=127.0.0.1"]})
    client = connect(server)
    public = client.allocated()
    assert public[0] == "127.0.0.7"
    there = peer()
    assert client.permit(there.address).ok
    client.send_indication(there.address, b"out")
    assert there.receive() == (b"out", ("127.0.0.1", public[1])), "NAT is somebody else's work"


@pytest.mark.parametrize("spelling", ["public", "private"])
def test_hairpin_knows_both_spellings_behind_nat(start, connect, spelling):
    server = start(relay={"addresses": ["127.0.0.7=127.0.0.1"], "allow-peers": []})
    one, one_public = relaying(connect, server)
    other, other_public = relaying(connect, server)
    ip = "127.0.0.7" if spelling == "public" else "127.0.0.1"
    assert one.permit((ip, other_public[1])).ok
    assert other.permit("127.0.0.7", "127.0.0.1").ok
    one.send_indication((ip, other_public[1]), b"round the corner")
    source, data = other.receive_data()
    assert data == b"round the corner" and source[1] == one_public[1]
