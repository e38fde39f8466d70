# SPDX-License-Identifier: BSD-3-Clause
"""TCP relaying (RFC 6062): Connect, ConnectionAttempt, ConnectionBind, across connections."""

import os
import resource
import socket
import struct
import threading
import time

import pytest

import stun
from flows import PATIENCE_S
from server import BOB, Posternd
from stun import Attr, Class, Message, Method

STREAMS = ["tcp", "tls", "tcp6"]


@pytest.fixture
def tcp_server(shared):
    return shared(relay={"tcp": True})


@pytest.fixture
def control(tcp_server, connect):
    """A client with a TCP allocation: (client, relayed address)."""

    def make(way="tcp", **options):
        client = connect(tcp_server, way, **options)
        return client, client.allocated(transport=stun.TCP)

    return make


def read(flow, size):
    return flow.read_exactly(size, time.monotonic() + PATIENCE_S)


def receive_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(65536)
        assert piece, f"the stream ended after {len(data)} of {size} bytes"
        data += piece
    return data


def bound(connect, server, way, connection_id):
    """A data connection, joined to the peer."""
    data = connect(server, way)
    assert data.connection_bind(connection_id).ok
    return data


def joined(connect, server, control, tcp_peer, way="tcp"):
    """(control client, data client, the peer's end) after Connect and ConnectionBind."""
    client, relayed = control(way)
    there = tcp_peer()
    answer = client.connect(there.address)
    assert answer.ok, answer
    far, source = there.accept()
    assert source == relayed, "the peer has to see the relayed address"
    data = bound(connect, server, way, answer.get(Attr.CONNECTION_ID))
    return client, data, far


def assert_carried_there_and_back(data, far, blob):
    """The way back begins only at the end, so that each direction is filled to the brim once."""
    far.settimeout(20)
    sender = threading.Thread(target=lambda: data.flow.send(blob), daemon=True)
    sender.start()
    assert receive_exactly(far, len(blob)) == blob
    sender.join()
    sender = threading.Thread(target=lambda: far.sendall(blob), daemon=True)
    sender.start()
    assert data.flow.read_exactly(len(blob), time.monotonic() + 20) == blob
    sender.join()


def test_tcp_relaying_is_off_unless_set(server, connect):
    assert connect(server, "tcp").allocate(transport=stun.TCP).error == 442


def test_tcp_allocation_over_udp_is_answered_400(tcp_server, connect):
    assert connect(tcp_server).allocate(transport=stun.TCP).error == 400


@pytest.mark.parametrize(
    "attribute",
    [(Attr.EVEN_PORT, b"\0"), (Attr.DONT_FRAGMENT, b""), (Attr.RESERVATION_TOKEN, bytes(8))],
    ids=["even-port", "dont-fragment", "reservation-token"],
)
def test_tcp_allocation_with_attributes_of_udp_is_answered_400(tcp_server, connect, attribute):
    client = connect(tcp_server, "tcp")
    assert client.allocate([attribute], transport=stun.TCP).error == 400


@pytest.mark.parametrize("way", STREAMS)
def test_connect_carries_bytes_both_ways(tcp_server, connect, control, tcp_peer, way):
    _, data, far = joined(connect, tcp_server, control, tcp_peer, way)
    data.flow.send(b"GET from the peer")
    assert receive_exactly(far, 17) == b"GET from the peer"
    far.sendall(b"and an answer")
    assert read(data.flow, 13) == b"and an answer"


def test_connection_bind_works_on_whichever_worker(tcp_server, connect, control, tcp_peer):
    for _ in range(8):
        _, data, far = joined(connect, tcp_server, control, tcp_peer, "tls")
        data.flow.send(b"over")
        assert receive_exactly(far, 4) == b"over"
        far.sendall(b"back")
        assert read(data.flow, 4) == b"back"


def test_bytes_right_behind_connection_bind_reach_the_peer(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    answer = client.connect(there.address)
    far, _ = there.accept()
    data = connect(tcp_server, "tcp")
    data.learn(client.challenge)
    message = Message(Method.CONNECTION_BIND)
    message.add(Attr.CONNECTION_ID, answer.get(Attr.CONNECTION_ID))
    data.flow.send(data.sign(message) + b"without waiting")
    assert Message.decode(data.flow.receive(time.monotonic() + PATIENCE_S)).ok
    assert receive_exactly(far, 15) == b"without waiting"


def test_bytes_of_the_peer_wait_for_connection_bind(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    answer = client.connect(there.address)
    far, _ = there.accept()
    far.sendall(b"early bird")
    data = bound(connect, tcp_server, "tcp", answer.get(Attr.CONNECTION_ID))
    assert read(data.flow, 10) == b"early bird"


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_megabytes_pass_unchanged_both_ways(tcp_server, connect, control, tcp_peer, way):
    _, data, far = joined(connect, tcp_server, control, tcp_peer, way)
    assert_carried_there_and_back(data, far, os.urandom(2_000_000))


def test_bandwidth_limit_slows_a_data_connection_and_loses_nothing(start, connect, tcp_peer):
    server = start(relay={"tcp": True}, limits={"bandwidth-per-user": 1_600_000})
    client = connect(server, "tcp")
    client.allocated(transport=stun.TCP)
    there = tcp_peer()
    answer = client.connect(there.address)
    far, _ = there.accept()
    data = bound(connect, server, "tcp", answer.get(Attr.CONNECTION_ID))
    began = time.monotonic()
    assert_carried_there_and_back(data, far, os.urandom(200_000))
    # 400,000 bytes at 200,000 a second; a quarter of a second may have been saved up.
    assert time.monotonic() - began > 1.5


def test_end_at_the_peer_ends_the_data_connection(tcp_server, connect, control, tcp_peer):
    client, data, far = joined(connect, tcp_server, control, tcp_peer)
    far.sendall(b"last words")
    far.close()
    assert read(data.flow, 10) == b"last words"
    assert data.flow.ended_by(time.monotonic() + PATIENCE_S)
    assert client.refresh().ok, "the allocation stays"


def test_end_of_the_data_connection_ends_it_at_the_peer(tcp_server, connect, control, tcp_peer):
    client, data, far = joined(connect, tcp_server, control, tcp_peer)
    data.flow.send(b"last words")
    data.close()
    assert receive_exactly(far, 10) == b"last words"
    assert far.recv(1) == b""
    assert client.refresh().ok


def test_end_of_the_allocation_ends_its_connections(tcp_server, connect, control, tcp_peer):
    client, data, far = joined(connect, tcp_server, control, tcp_peer)
    assert client.refresh(0).ok
    assert data.flow.ended_by(time.monotonic() + PATIENCE_S)
    assert far.recv(1) == b""


def test_same_peer_can_be_connected_again_after_the_end(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    for _ in range(2):
        answer = client.connect(there.address)
        assert answer.ok
        far, _ = there.accept()
        data = bound(connect, tcp_server, "tcp", answer.get(Attr.CONNECTION_ID))
        # The peer closes first: the relay's own end must not lie in TIME_WAIT.
        far.close()
        assert data.flow.ended_by(time.monotonic() + PATIENCE_S)
        data.close()
        assert client.refresh().ok


def test_second_connect_to_a_peer_is_answered_446(control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    assert client.connect(there.address).ok
    assert client.connect(there.address).error == 446


def test_connect_to_a_closed_port_is_answered_447(control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    there.close()
    assert client.connect(there.address).error == 447


def test_connect_without_an_allocation_is_answered_437(tcp_server, connect, tcp_peer):
    client = connect(tcp_server, "tcp")
    client.challenged()
    assert client.connect(tcp_peer().address).error == 437


def test_connect_without_a_peer_is_answered_400(control):
    client, _ = control()
    assert client.request(Method.CONNECT).error == 400


def test_connect_to_the_other_family_is_answered_443(control):
    client, _ = control()
    assert client.connect(("::1", 80)).error == 443


def test_connect_on_an_udp_allocation_is_refused(tcp_server, connect, tcp_peer):
    client = connect(tcp_server, "tcp")
    client.allocated()
    there = tcp_peer()
    assert client.connect(there.address).error in (400, 437)


def test_incoming_connection_is_announced_and_bound(tcp_server, connect, control):
    client, relayed = control()
    assert client.permit("127.0.0.1").ok
    with socket.create_connection(relayed, timeout=PATIENCE_S) as far:
        attempt = client.receive()
        assert (attempt.method, attempt.message_class) == (
            Method.CONNECTION_ATTEMPT,
            Class.INDICATION,
        )
        assert attempt.address(Attr.XOR_PEER_ADDRESS) == far.getsockname()
        data = bound(connect, tcp_server, "tcp", attempt.get(Attr.CONNECTION_ID))
        far.sendall(b"inbound")
        assert read(data.flow, 7) == b"inbound"
        data.flow.send(b"outbound")
        assert receive_exactly(far, 8) == b"outbound"


def test_incoming_connection_without_a_permission_is_closed(control):
    client, relayed = control()
    with socket.create_connection(relayed, timeout=PATIENCE_S) as far:
        try:
            assert far.recv(1) == b""
        except ConnectionResetError:
            pass
    client.receive_nothing()


def test_connection_bind_of_a_made_up_id_is_answered_400(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    assert client.connect(tcp_peer().address).ok
    data = connect(tcp_server, "tcp")
    assert data.connection_bind(os.urandom(4)).error == 400


def test_connection_ids_cannot_be_guessed_from_one(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    ids = []
    for _ in range(6):
        answer = client.connect(tcp_peer().address)
        ids.append(struct.unpack("!I", answer.get(Attr.CONNECTION_ID))[0])
    assert len({b - a for a, b in zip(ids, ids[1:])}) > 3, f"predictable: {ids}"


def test_connection_binds_for_several_workers_in_one_write_are_all_answered(tcp_server, connect):
    """Each request but the first is met on a stream that has just been moved."""
    client = connect(tcp_server, "tcp")
    requests = []
    for worker in (0, 1, 2, 0, 1, 2):
        made_up = struct.pack("!I", worker << 26 | 1234)
        requests.append(Message(Method.CONNECTION_BIND, attributes=[(Attr.CONNECTION_ID, made_up)]))
    client.flow.send(b"".join(request.encode() for request in requests))
    for request in requests:
        answer = client.receive()
        assert (answer.transaction, answer.error) == (request.transaction, 401)


def test_peers_that_cannot_be_accepted_for_want_of_descriptors_burn_no_processor(start, connect):
    server = start(relay={"tcp": True})
    client = connect(server, "tcp")
    relayed = client.allocated(transport=stun.TCP)
    pid = server.process.pid
    usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    taken = len(os.listdir(f"/proc/{pid}/fd"))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (taken, usual[1]))
    strangers = [socket.create_connection(relayed, timeout=PATIENCE_S) for _ in range(5)]
    before = server.processor_s()
    time.sleep(0.5)
    assert server.processor_s() - before < 0.2
    resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
    for stranger in strangers:  # who have no permission
        assert stranger.recv(1) == b""
        stranger.close()


def test_server_ends_while_connections_move_between_workers(certificate, workers, tmp_path):
    server = Posternd(tmp_path, certificate, workers, relay={"tcp": True}).start()
    moves = b""
    for worker in (2, 1, 0) * 500:
        made_up = struct.pack("!I", worker << 26 | 1234)
        moves += Message(Method.CONNECTION_BIND, attributes=[(Attr.CONNECTION_ID, made_up)]).encode()
    flows = [server.flow("tcp") for _ in range(30)]
    for flow in flows:
        flow.send(moves)
    try:
        server.stop()
    finally:
        server.kill()
    for flow in flows:
        flow.close()


def test_connection_bind_without_an_id_is_answered_400(tcp_server, connect):
    assert connect(tcp_server, "tcp").request(Method.CONNECTION_BIND).error == 400


def test_connection_bind_over_udp_is_answered_400(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    answer = client.connect(tcp_peer().address)
    data = connect(tcp_server, "udp")
    assert data.connection_bind(answer.get(Attr.CONNECTION_ID)).error == 400


def test_connection_of_somebody_else_cannot_be_bound(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    there = tcp_peer()
    answer = client.connect(there.address)
    far, _ = there.accept()
    thief = connect(tcp_server, "tcp", credentials=BOB)
    assert thief.connection_bind(answer.get(Attr.CONNECTION_ID)).error in (400, 441)
    data = bound(connect, tcp_server, "tcp", answer.get(Attr.CONNECTION_ID))
    far.sendall(b"mine")
    assert read(data.flow, 4) == b"mine", "the thief has spoilt nothing"


def test_connection_is_bound_once(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    answer = client.connect(tcp_peer().address)
    bound(connect, tcp_server, "tcp", answer.get(Attr.CONNECTION_ID))
    second = connect(tcp_server, "tcp")
    assert second.connection_bind(answer.get(Attr.CONNECTION_ID)).error == 400


def test_connection_bind_needs_authentication(tcp_server, connect, control, tcp_peer):
    client, _ = control()
    answer = client.connect(tcp_peer().address)
    bare = Message(Method.CONNECTION_BIND)
    bare.add(Attr.CONNECTION_ID, answer.get(Attr.CONNECTION_ID))
    bare.encode()
    assert connect(tcp_server, "tcp").exchange(bare).error == 401


def test_connect_to_an_own_relayed_address_reaches_it_or_is_refused(tcp_server, connect, control):
    """TCP has no hairpin inside the process; either the kernel carries it or it is refused."""
    one, one_relayed = control()
    other, other_relayed = control()
    assert other.permit("127.0.0.1").ok
    answer = one.connect(other_relayed)
    if answer.ok:
        attempt = other.receive()
        assert attempt.address(Attr.XOR_PEER_ADDRESS) == one_relayed
    else:
        assert answer.error in (403, 447)


def test_slow_peer_does_not_stop_the_others(tcp_server, connect, control, tcp_peer):
    """A peer that never reads fills its own way only."""
    _, data, far = joined(connect, tcp_server, control, tcp_peer)
    data.flow.socket.setblocking(False)
    taken = blocked = 0
    while blocked < 30:
        assert taken < 128_000_000, "all of it was buffered for a peer that does not read"
        try:
            taken += data.flow.socket.send(bytes(65536))
            blocked = 0
        except BlockingIOError:
            blocked += 1
            time.sleep(0.01)
    _, second, other = joined(connect, tcp_server, control, tcp_peer)
    second.flow.send(b"not stuck")
    assert receive_exactly(other, 9) == b"not stuck"
