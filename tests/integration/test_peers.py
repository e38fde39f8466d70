# SPDX-License-Identifier: BSD-3-Clause
"""Relay into the inside: which peers are refused, in every spelling of their addresses."""

import ipaddress

import pytest

import stun
from stun import Attr, Class, Message, Method

SPECIAL_V4 = [
    "0.0.0.0", "0.1.2.3",
    "10.0.0.1", "10.255.255.254",
    "100.64.0.1", "100.127.255.254",
    "127.0.0.2", "127.255.255.254",
    "169.254.0.1", "169.254.169.254",
    "172.16.0.1", "172.31.255.254",
    "192.0.0.1", "192.0.0.170",
    "192.0.2.1",
    "192.168.0.1", "192.168.255.254",
    "198.18.0.1", "198.19.255.254",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255",
]  # fmt: skip
SPECIAL_V6 = [
    "::", "::2",
    "fe80::1", "febf::1",
    "fec0::1",
    "fc00::1", "fd00:ec2::254",
    "ff02::1", "ff0e::1",
    "100::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "3fff::1",
]  # fmt: skip
NEIGHBOURS_V4 = [
    "1.0.0.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255",
    "192.169.0.1", "198.17.255.255", "198.20.0.1", "223.255.255.255",
]  # fmt: skip
NEIGHBOURS_V6 = ["2606:4700::1111", "2a00:1450::1"]


def embedded(prefix, bits, ip):
    """|ip| written into |prefix| so that it ends |bits| before the end."""
    return str(
        ipaddress.IPv6Address(
            int(ipaddress.IPv6Address(prefix)) | int(ipaddress.IPv4Address(ip)) << bits
        )
    )


SPELLINGS = {
    "mapped": lambda ip: embedded("::ffff:0:0", 0, ip),
    "compatible": lambda ip: embedded("::", 0, ip),
    "nat64": lambda ip: embedded("64:ff9b::", 0, ip),
    "nat64-local": lambda ip: embedded("64:ff9b:1::", 0, ip),
    "6to4": lambda ip: embedded("2002::1", 80, ip),
    "teredo-client": lambda ip: embedded(
        "2001:0:102:304:0:1234::", 0, int(ipaddress.IPv4Address(ip)) ^ 0xFFFFFFFF
    ),
}
INSIDE = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "0.0.0.0",
          "100.64.0.1", "224.0.0.1"]  # fmt: skip


@pytest.fixture
def strict(shared):
    """A server as it comes: no exception for any peer."""
    return shared(relay={"allow-peers": [], "tcp": True})


@pytest.fixture
def strict_v6(shared):
    """Relays from ::1 only, so that 127.0.0.1 is nothing but the inside."""
    return shared(relay={"allow-peers": [], "addresses": ["::1"]})


def family_of(ip):
    return stun.IPV6 if ":" in ip else stun.IPV4


def allocated(connect, server, family, **options):
    client = connect(server, **options)
    client.allocated(family=family)
    return client


@pytest.mark.parametrize("ip", SPECIAL_V4 + SPECIAL_V6)
def test_special_purpose_peer_is_refused(strict, connect, ip):
    client = allocated(connect, strict, family_of(ip))
    assert client.permit(ip).error == 403
    assert client.bind_channel(0x4000, (ip, 8080)).error == 403


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("ip", INSIDE)
def test_special_purpose_peer_is_refused_in_every_spelling(strict_v6, connect, spelling, ip):
    spelled = SPELLINGS[spelling](ip)
    client = allocated(connect, strict_v6, stun.IPV6)
    assert client.permit(spelled).error in (403, 443), spelled
    assert client.bind_channel(0x4000, (spelled, 8080)).error in (403, 443), spelled


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_exception_for_ipv6_opens_no_ipv4_behind_it(shared, connect, spelling):
    """The list is asked about the address that is reached, not about the one that was written."""
    server = shared(relay={"allow-peers": ["::/0"], "addresses": ["::1"]})
    client = allocated(connect, server, stun.IPV6)
    assert client.permit("fd00::1").ok
    assert client.permit(SPELLINGS[spelling]("10.0.0.1")).error == 403
    assert client.bind_channel(0x4000, (SPELLINGS[spelling]("10.0.0.1"), 80)).error == 403


def test_loopback_is_refused_where_it_is_no_relay_address(shared, connect):
    server = shared(relay={"allow-peers": [], "addresses": ["127.0.0.7"]})
    client = allocated(connect, server, stun.IPV4)
    assert client.permit("127.0.0.1").error == 403
    assert client.bind_channel(0x4000, ("127.0.0.1", 8080)).error == 403


def test_teredo_server_inside_is_refused(strict_v6, connect):
    client = allocated(connect, strict_v6, stun.IPV6)
    for inside in ("7f00:1", "a00:1", "a9fe:a9fe"):
        assert client.permit(f"2001:0:{inside}:0:1234:f7f7:f7f7").error == 403


@pytest.mark.parametrize("ip", NEIGHBOURS_V4 + NEIGHBOURS_V6)
def test_public_peer_beside_a_special_range_is_permitted(strict, connect, ip):
    client = allocated(connect, strict, family_of(ip))
    assert client.permit(ip).ok


@pytest.mark.parametrize("ip", ["10.0.0.1", "127.0.0.9", "169.254.169.254", "0.0.0.0"])
def test_connect_into_the_inside_is_refused(strict, connect, ip):
    client = connect(strict, "tcp")
    client.allocated(transport=stun.TCP)
    assert client.connect((ip, 80)).error == 403


@pytest.mark.parametrize("ip", ["127.0.0.2", "10.0.0.1"])
def test_send_into_the_inside_is_dropped(strict, connect, peer, ip):
    client = allocated(connect, strict, stun.IPV4)
    client.permit(ip)
    there = peer("127.0.0.2")
    client.send_indication((ip, there.address[1]), b"into the inside")
    client.receive_nothing()
    there.receive_nothing()


def test_data_from_the_inside_does_not_come_out(strict, connect, peer):
    client = connect(strict)
    relayed = client.allocated()
    peer("127.0.0.2").send(b"from the inside", relayed)
    client.receive_nothing(settle_s=0.05)


def test_refused_peer_spoils_the_whole_request(strict, connect):
    client = allocated(connect, strict, stun.IPV4)
    assert client.permit("1.1.1.1", "10.0.0.1").error == 403


def test_denied_peer_is_refused_although_public(start, connect):
    server = start(relay={"deny-peers": ["198.20.0.0/16", "2606:4700::/32"]})
    client = allocated(connect, server, stun.IPV4)
    assert client.permit("198.20.1.1").error == 403
    assert client.permit("198.21.1.1").ok
    client = allocated(connect, server, stun.IPV6)
    assert client.permit("2606:4700::1").error == 403
    assert client.permit(SPELLINGS["mapped"]("198.20.1.1")).error in (403, 443)
    assert client.permit(SPELLINGS["nat64"]("198.20.1.1")).error in (403, 443)


def test_denied_peer_is_refused_although_allowed(start, connect):
    server = start(relay={"allow-peers": ["10.0.0.0/8"], "deny-peers": ["10.1.0.0/16"]})
    client = allocated(connect, server, stun.IPV4)
    assert client.permit("10.2.0.1").ok
    assert client.permit("10.1.0.1").error == 403
    assert client.permit("192.168.0.1").error == 403, "one exception is no other"


def test_allowing_one_address_allows_no_other(server, connect):
    client = allocated(connect, server, stun.IPV4)
    assert client.permit("127.0.0.1").ok
    assert client.permit("127.0.0.2").error == 403


# The server's own listeners


@pytest.mark.parametrize("port", ["port", "tls_port"])
@pytest.mark.parametrize("family, ip", [(stun.IPV4, "127.0.0.1"), (stun.IPV6, "::1")])
def test_own_listener_is_no_peer_although_allowed(server, connect, family, ip, port):
    client = allocated(connect, server, family)
    assert client.bind_channel(0x4000, (ip, getattr(server, port))).error == 403


def test_own_listener_is_not_reached_by_send(server, connect):
    """Otherwise a client could allocate on its own relayed address, and so on without end."""
    client = allocated(connect, server, stun.IPV4)
    assert client.permit("127.0.0.1").ok
    request = Message(Method.BINDING)
    client.send_indication(("127.0.0.1", server.port), request.encode())
    client.receive_nothing(settle_s=0.1)


def test_own_listener_is_not_reached_by_connect(start, connect):
    server = start(relay={"tcp": True})
    client = connect(server, "tcp")
    client.allocated(transport=stun.TCP)
    assert client.connect(("127.0.0.1", server.port)).error == 403
    assert client.connect(("127.0.0.1", server.tls_port)).error == 403


@pytest.mark.parametrize("ip", ["127.0.0.1", "127.0.0.9"])
def test_wildcard_listener_is_no_peer_on_any_local_address(start, connect, ip):
    server = start(
        listen=["udp://0.0.0.0:{port}"], relay={"allow-peers": ["127.0.0.0/8"]}
    )
    client = allocated(connect, server, stun.IPV4)
    client.bind_channel(0x4000, (ip, server.port))
    assert client.permit(ip).ok
    request = Message(Method.BINDING).encode()
    client.send_channel(0x4000, request)
    client.send_indication((ip, server.port), request)
    client.receive_nothing(settle_s=0.1)


def test_peer_of_port_zero_is_never_sent_to(server, connect):
    client = allocated(connect, server, stun.IPV4)
    assert client.bind_channel(0x4000, ("127.0.0.1", 0)).error in (400, 403)
    assert client.permit("127.0.0.1").ok
    client.send_indication(("127.0.0.1", 0), b"to nobody")
    client.receive_nothing()


@pytest.mark.parametrize(
    "value",
    [b"", bytes(4), bytes([0, 1, 0, 9, 1, 2, 3]), bytes([0, 9, 0, 9, 1, 2, 3, 4]),
     bytes([0, 2, 0, 9, 1, 2, 3, 4]), bytes([0, 1]) + bytes(18), bytes(21)],
    ids=["empty", "no-address", "short", "family-9", "v6-in-four", "v4-in-sixteen", "long"],
)
def test_malformed_peer_address_is_answered_400(server, connect, value):
    client = allocated(connect, server, stun.IPV4)
    wanted = [(Attr.XOR_PEER_ADDRESS, value)]
    assert client.request(Method.CREATE_PERMISSION, wanted).error in (400, 443)
    indication = Message(Method.SEND, Class.INDICATION, [*wanted, (Attr.DATA, b"x")])
    client.flow.send(indication.encode())
    client.receive_nothing()
