# SPDX-License-Identifier: BSD-3-Clause
"""Limits: of a user, of a source, of an allocation, of ports, and of what has proved nothing yet.

With three workers the kernel spreads the connections of one test over them, so that each limit is
also shown to hold for all workers together.
"""

import contextlib
import socket
import struct
import time

import pytest

import dtls
import stun
from flows import PATIENCE_S, Closed, StreamFlow, UdpFlow
from server import ALICE, BOB
from stun import Attr, Message, Method
from turn import Credentials

SECRET = "north-of-nowhere"
RESERVE_NEXT = (Attr.EVEN_PORT, b"\x80")


def soon():
    return time.monotonic() + PATIENCE_S


def named(expiry_s, user="carol"):
    name, password = stun.time_limited_credentials(SECRET, user, int(time.time()) + expiry_s)
    return Credentials(name, password)


# Quotas


def test_user_gets_no_more_allocations_than_the_limit(start, connect):
    server = start(limits={"allocations-per-user": 3})
    for way in ("udp", "tcp", "tls"):
        assert connect(server, way).allocate().ok
    for way in ("udp", "tcp", "tls", "udp6", "tcp6"):
        assert connect(server, way).allocate().error == 486
    assert connect(server, credentials=BOB).allocate().ok, "the limit is the user's own"


def test_user_is_counted_over_sources(start, connect):
    server = start(limits={"allocations-per-user": 2})
    answers = [connect(server, source=f"127.0.0.{n}").allocate() for n in range(1, 9)]
    assert [answer.error for answer in answers] == [None] * 2 + [486] * 6


def test_user_is_counted_over_spellings_of_the_name(start, connect):
    """Only what follows `expiry:` counts: every new expiry is a new spelling."""
    server = start(limits={"allocations-per-user": 2}, credentials={"shared-secrets": [SECRET]})
    answers = [connect(server, credentials=named(1000 + n)).allocate() for n in range(6)]
    assert [answer.error for answer in answers] == [None] * 2 + [486] * 4
    assert connect(server, credentials=named(1000, "dave")).allocate().ok


def test_source_gets_no_more_allocations_than_the_limit(start, connect):
    server = start(limits={"allocations-per-source": 3})
    for way, who in (("udp", ALICE), ("tcp", BOB), ("tls", ALICE)):
        assert connect(server, way, credentials=who).allocate().ok
    for way, who in (("udp", BOB), ("tcp", ALICE), ("tls", BOB), ("udp", ALICE)):
        assert connect(server, way, credentials=who).allocate().error == 486
    assert connect(server, source="127.0.0.2").allocate().ok, "the limit is the source's own"


@pytest.mark.parametrize("way", ["udp", "tcp", "tls"])
def test_quota_comes_back_with_the_end_of_the_allocation(start, connect, way):
    server = start(limits={"allocations-per-user": 1})
    for _ in range(5):
        client = connect(server, way)
        client.allocated()
        assert connect(server, way).allocate().error == 486
        assert client.refresh(0).ok


def test_quota_comes_back_when_the_connection_breaks(start, connect, eventually):
    server = start(limits={"allocations-per-user": 1})
    for way in ("tcp", "tls"):
        client = connect(server, way)
        client.allocated()
        reset = struct.pack("ii", 1, 0)  # close() sends RST
        client.flow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.close()

        def comes_back():
            again = connect(server, way)
            answer = again.allocate()
            again.close()
            return answer.ok

        eventually(comes_back)
        time.sleep(0.05)


def test_refused_allocations_do_not_eat_the_quota(start, connect):
    server = start(limits={"allocations-per-user": 1})
    client = connect(server)
    for _ in range(5):
        assert client.allocate(transport=stun.TCP).error == 442
        assert client.allocate(family=7).error == 440
        assert client.allocate([(0x7ABC, b"")]).error == 420
    assert client.allocate().ok


@pytest.mark.parametrize("what", ["permissions", "channels"])
def test_flood_of_permissions_or_channels_is_answered_508(start, connect, what):
    server = start(
        limits={what: 8}, relay={"allow-peers": ["127.0.0.0/8"]}
    )
    client = connect(server)
    client.allocated()
    codes = []
    for n in range(12):
        there = (f"127.0.1.{n + 1}", 4000 + n)
        answer = (
            client.permit(there) if what == "permissions"
            else client.bind_channel(0x4000 + n, there)
        )
        codes.append(answer.error)
    assert codes == [None] * 8 + [508] * 4
    first = ("127.0.1.1", 4000)
    again = client.permit(first) if what == "permissions" else client.bind_channel(0x4000, first)
    assert again.ok, "what is there already can be refreshed"


# All of them


def test_new_clients_of_a_full_server_are_sent_to_the_alternate(start, connect):
    server = start(
        limits={"allocations": 2},
        **{"alternate-server": "203.0.113.6:3478", "alternate-domain": "turn2.example.org"},
    )
    clients = [connect(server, way) for way in ("udp", "tls", "tcp", "udp")]
    assert clients[0].allocate().ok and clients[1].allocate().ok
    for client in clients[2:]:
        answer = client.allocate()
        assert answer.error == 300
        where = stun.parse_address(answer.get(Attr.ALTERNATE_SERVER))
        assert where == ("203.0.113.6", 3478)
        assert answer.get(Attr.ALTERNATE_DOMAIN) == b"turn2.example.org"
    assert clients[0].refresh(0).ok
    assert clients[3].allocate().ok, "there is room again"


def test_full_server_without_an_alternate_answers_508(start, connect):
    server = start(limits={"allocations": 2})
    clients = [connect(server, way) for way in ("udp", "tls", "tcp")]
    assert [client.allocate().error for client in clients] == [None, None, 508]


# Relay ports


def test_ports_run_out_only_when_all_are_taken_and_come_back(start, connect):
    server = start(relay={"ports": "42460-42467", "addresses": ["127.0.0.1"]})
    clients = [connect(server, "tcp") for _ in range(9)]
    ports = sorted(client.allocated()[1] for client in clients[:8])
    assert ports == list(range(42460, 42468)), "all of the range is used"
    assert clients[8].allocate().error == 508
    assert clients[3].refresh(0).ok
    assert clients[8].allocate().ok


def test_ports_are_all_given_back_after_use(start, connect):
    server = start(relay={"ports": "42460-42467", "addresses": ["127.0.0.1"]})
    for _ in range(4):
        clients = [connect(server, way) for way in ("udp", "tcp", "tls", "udp") * 2]
        assert all(client.allocate().ok for client in clients)
        assert all(client.refresh(0).ok for client in clients)


def test_port_of_another_program_is_skipped(start, connect, peer):
    taken = peer("127.0.0.1", 42462)
    server = start(relay={"ports": "42460-42463", "addresses": ["127.0.0.1"]})
    ports = {connect(server).allocated()[1] for _ in range(3)}
    assert ports == {42460, 42461, 42463}
    assert connect(server).allocate().error == 508
    assert taken.address[1] == 42462


def test_reservation_takes_its_port_and_leaks_none(start, connect):
    """An EVEN-PORT reservation holds one port more, and hands it over."""
    server = start(relay={"ports": "42460-42463", "addresses": ["127.0.0.1"]})
    one, other, third, fourth = (connect(server, way) for way in ("udp", "tcp", "udp", "tls"))
    for _ in range(3):
        tokens = []
        for client in (one, other):
            answer = client.allocate([RESERVE_NEXT])
            assert answer.ok
            tokens.append((Attr.RESERVATION_TOKEN, answer.get(Attr.RESERVATION_TOKEN)))
        assert third.allocate().error == 508, "two ports are taken, two reserved"
        assert third.allocate([tokens[0]]).ok
        assert fourth.allocate([tokens[1]]).ok
        for client in (one, other, third, fourth):
            assert client.refresh(0).ok


def test_even_pair_needs_two_neighbours(start, connect):
    server = start(relay={"ports": "42461-42462", "addresses": ["127.0.0.1"]})
    assert connect(server).allocate([RESERVE_NEXT]).error == 508, "61 and 62 are no pair"
    assert connect(server).allocate([(Attr.EVEN_PORT, b"\0")]).ok
    assert connect(server).allocate([(Attr.EVEN_PORT, b"\0")]).error == 508
    assert connect(server).allocate().ok


def test_reservations_of_a_user_are_limited(start, connect):
    """Reserve, release, reserve: each would hold a port for 30 s."""
    server = start(relay={"ports": "42460-42499", "addresses": ["127.0.0.1"]})
    client = connect(server)
    codes = []
    for _ in range(12):
        codes.append(client.allocate([RESERVE_NEXT]).error)
        client.refresh(0)
    assert codes[:4] == [None] * 4
    assert set(codes[-3:]) <= {486, 508}, codes
    assert connect(server, credentials=BOB).allocate([RESERVE_NEXT]).ok
    assert client.allocate().ok, "only reservations are refused"


# Bandwidth


@pytest.mark.slow
@pytest.mark.parametrize("key", ["bandwidth", "bandwidth-per-user"])
def test_bandwidth_beyond_the_limit_is_dropped_not_refused(start, connect, peer, key):
    """800 kbit/s for the user's two allocations together, whichever workers they are on."""
    server = start(limits={key: 800_000})
    there = peer()
    clients = [connect(server) for _ in range(2)]
    for client in clients:
        client.allocated()
        assert client.bind_channel(0x4000, there.address).ok
    there.socket.setblocking(False)
    there.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    arrived = sent = 0
    until = time.monotonic() + 4
    while time.monotonic() < until:
        for client in clients:
            client.send_channel(0x4000, bytes(1000))
            sent += 8000
        with contextlib.suppress(BlockingIOError):
            while True:
                arrived += 8 * len(there.socket.recv(2000))
        time.sleep(0.002)
    assert sent > 3 * 4 * 800_000, "the test has to send more than fits"
    assert 0.5 * 4 * 800_000 < arrived < 1.6 * 4 * 800_000
    assert all(client.refresh().ok for client in clients), "answers are not subject to it"


def test_bandwidth_limit_drops_a_burst(start, connect, peer):
    server = start(limits={"bandwidth-per-user": 80_000})
    there = peer()
    client = connect(server)
    client.allocated()
    assert client.bind_channel(0x4000, there.address).ok
    for _ in range(200):
        client.send_channel(0x4000, bytes(1000))
    assert client.refresh().ok
    there.socket.settimeout(0.05)
    arrived = 0
    with contextlib.suppress(TimeoutError):
        while True:
            there.socket.recv(2000)
            arrived += 1
    assert 1 <= arrived <= 100, f"{arrived} of 200 kB passed a limit of 10 kB/s"


# What has proved nothing yet


def count_open(flows):
    """How many of |flows| the server has not closed."""
    alive = 0
    for flow in flows:
        flow.settimeout(0.02)
        try:
            alive += flow.recv(1) != b""
        except TimeoutError:
            alive += 1
        except ConnectionError:
            pass
    return alive


@pytest.mark.parametrize("port", ["port", "tls_port"])
def test_half_open_connections_of_a_source_are_limited(start, connect, eventually, port):
    server = start(limits={"half-open-per-source": 6, "handshake-deadline": "30s"})
    address = ("127.0.0.1", getattr(server, port))
    with contextlib.ExitStack() as stack:
        flows = [
            stack.enter_context(socket.create_connection(address, timeout=PATIENCE_S))
            for _ in range(24)
        ]
        eventually(lambda: count_open(flows) <= 6)
        assert count_open(flows) == 6
        elsewhere = server.flow("tls", source="127.0.0.2")
        elsewhere.close()


def test_half_open_connections_are_limited_in_all(start, connect, eventually):
    server = start(limits={"half-open": 6, "handshake-deadline": "30s"})
    address = ("127.0.0.1", server.tls_port)
    with contextlib.ExitStack() as stack:
        flows = [
            stack.enter_context(
                socket.create_connection(
                    address, timeout=PATIENCE_S, source_address=(f"127.0.0.{n + 1}", 0)
                )
            )
            for n in range(24)
        ]
        eventually(lambda: count_open(flows) <= 6)
        assert count_open(flows) == 6


def test_authenticated_connections_are_no_half_open_ones(start, connect):
    server = start(limits={"half-open-per-source": 3, "handshake-deadline": "30s"})
    for way in ("tls", "tcp") * 5:
        assert connect(server, way).allocate().ok


def test_half_open_dtls_of_a_source_is_limited(start):
    server = start(limits={"half-open-per-source": 4, "handshake-deadline": "30s"})
    flows, served = [], 0
    for _ in range(12):
        flow = UdpFlow(("127.0.0.1", server.port))
        flows.append(flow)
        hello = dtls.Hello()
        flow.send(hello.encode())
        with contextlib.suppress(TimeoutError):
            cookie = dtls.cookie_of(flow.receive(time.monotonic() + 0.2))
            flow.send(hello.encode(cookie, sequence=1))
            served += dtls.kind_of(flow.receive(time.monotonic() + 0.2)) == dtls.SERVER_HELLO
    for flow in flows:
        flow.close()
    assert served == 4


def growth_kib(server, datagram, count):
    """By how much the server grows when |count| sources send |datagram|, once it is warm."""

    def flood():
        for _ in range(count):
            flow = UdpFlow(("127.0.0.1", server.port))
            flow.send(datagram)
            flow.close()
        with server.client(source="127.0.0.2") as probe:
            assert probe.binding().ok
        return server.resident_kib()

    flood()
    return -flood() + flood()


def test_dtls_without_a_cookie_costs_no_memory(start):
    """State before proof: thousands of first ClientHellos from as many ports."""
    growth = growth_kib(start(), dtls.Hello().encode(), 3000)
    assert growth < 1500, "half a kilobyte each was kept"


def test_requests_without_a_nonce_cost_no_memory(start):
    wanted = [(Attr.REQUESTED_TRANSPORT, bytes([stun.UDP, 0, 0, 0]))]
    request = Message(Method.ALLOCATE, attributes=wanted).encode()
    assert growth_kib(start(), request, 5000) < 1500, "300 bytes each were kept"


def test_handshake_has_a_deadline_however_far_it_came(start):
    server = start(limits={"handshake-deadline": "1s"})
    beginnings = (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    began = time.monotonic()
    flows = [StreamFlow(("127.0.0.1", server.tls_port), preface=first) for first in beginnings]
    for flow in flows:
        assert flow.ended_by(soon())
        assert 0.5 < time.monotonic() - began < 3
        flow.close()


def test_handshake_byte_by_byte_meets_the_same_deadline(start):
    """Progress is no excuse: the deadline is for the whole hand-shake."""
    server = start(limits={"handshake-deadline": "1s"})
    flow = StreamFlow(("127.0.0.1", server.tls_port))
    began = time.monotonic()
    with contextlib.suppress(Closed, OSError):
        for byte in b"\x16\x03\x01\x02\x00" + bytes(512):
            flow.send(bytes([byte]))
            if flow.ended_by(time.monotonic() + 0.05):
                break
    assert time.monotonic() - began < 3
    flow.close()


def test_connection_without_an_allocation_is_ended_when_idle(start, connect):
    server = start(limits={"idle-timeout": "1s"})
    idle = [connect(server, way) for way in ("tcp", "tls")]
    busy = [connect(server, way) for way in ("tcp", "tls")]
    for client in idle:
        assert client.binding().ok
    for client in busy:
        client.allocated()
    for client in idle:
        assert client.flow.ended_by(soon())
    for client in busy:
        assert client.refresh().ok, "an allocation keeps its connection"


# Slow readers


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_reader_that_never_reads_gets_dropped_packets_not_memory(start, connect, peer, way):
    server = start()
    client = connect(server, way, receive_buffer=8192)
    relayed = client.allocated()
    there = peer()
    assert client.permit(there.address).ok
    before = server.resident_kib()
    for _ in range(20000):
        there.send(bytes(1200), relayed)
    probe = connect(server)
    assert probe.binding().ok
    assert server.resident_kib() - before < 12_000, "24 MB were sent to a client that never reads"
    assert connect(server, way, credentials=BOB).allocate().ok, "others are served"


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_slow_reader_gets_fresh_packets_when_it_reads_again(start, connect, peer, way):
    """Old packets make room for new ones: a queue of a second would be a second late for ever."""
    server = start()
    client = connect(server, way, receive_buffer=16384)
    relayed = client.allocated()
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok

    def send():
        there.send(struct.pack("!d", time.monotonic()) + bytes(1192), relayed)

    for number in range(4000):
        send()
        if number % 50 == 0:
            time.sleep(0.005)
    seen, late_s = 0, None
    until = time.monotonic() + PATIENCE_S
    while late_s is None or late_s > 0.1:
        assert time.monotonic() < until, f"still {late_s} s late"
        send()
        next_send = time.monotonic() + 0.01
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < next_send:
                _, data = client.receive_data(within=next_send - time.monotonic())
                late_s = time.monotonic() - struct.unpack("!d", data[:8])[0]
                seen += 1
    assert seen < 2000, "nothing was dropped: the queue has no bound"


def test_answers_are_never_dropped_in_favour_of_media(start, connect, peer):
    server = start()
    client = connect(server, "tcp", receive_buffer=16384)
    relayed = client.allocated()
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    requests = []
    for number in range(3000):
        there.send(bytes(1200), relayed)
        if number % 300 == 0:
            message = Message(Method.BINDING)
            client.flow.send(message.encode())
            requests.append(message.transaction)
    answers = set()
    while len(answers) < len(requests):
        frame = client.receive()
        if isinstance(frame, Message):
            answers.add(frame.transaction)
    assert answers == set(requests)
