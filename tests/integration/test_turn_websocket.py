# SPDX-License-Identifier: BSD-3-Clause
"""TURN over WebSocket (docs/turn-over-websocket.md): what is its own. That it relays like any other way to the server
the tests with the ways `ws` and `wss` show."""

import asyncio
import struct
import time

import pytest
import stun
import websockets
from flows import PATIENCE_S, Closed, StreamFlow
from stun import Attr, Message, Method
from turn import Client
from server import ALICE
from websocket import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, Refused, TurnFlow, WebSocket, frame, soon

BINDING = Message(Method.BINDING).encode()


def open_turn(server, way="tcp", **options):
    return WebSocket(server.flow(way), "/turn", **options)


def answers_in(payload):
    """The STUN messages of some bytes."""
    found = []
    while payload:
        size = 20 + struct.unpack("!H", payload[2:4])[0]
        found.append(Message.decode(payload[:size]))
        payload = payload[size:]
    return found


@pytest.mark.parametrize("pieces", [1, 3, 100])
def test_message_boundaries_mean_nothing(server, peer, pieces):
    flow = TurnFlow(("127.0.0.1", server.port), pieces=pieces)
    with Client(flow, ALICE) as client:
        relayed = client.allocated()
        there = peer()
        assert client.bind_channel(0x4000, there.address).ok
        for size in (0, 1, 2, 3, 4, 500):
            client.send_channel(0x4000, bytes(size))
            assert there.receive() == (bytes(size), relayed)


def test_one_message_carries_many_frames(server):
    websocket = open_turn(server)
    websocket.send(BINDING * 50, BINARY)
    answers = []
    while len(answers) < 50:
        answers += answers_in(websocket.message())
    websocket.close()


def test_what_one_turn_of_the_loop_makes_is_one_message(server):
    websocket = open_turn(server, "tls")
    websocket.send(BINDING * 10, BINARY)
    assert len(answers_in(websocket.message())) == 10
    websocket.close()


def test_message_of_any_length_is_taken_as_it_comes(server):
    """Its end is never waited for, and it is not held in memory."""
    websocket = open_turn(server)
    count = 100_000
    head = frame(BINARY, length=count * len(BINDING))  # its masking key is the last four bytes
    key = head[-4:]
    masked = bytes(byte ^ key[i % 4] for i, byte in enumerate(BINDING))
    assert len(BINDING) % 4 == 0
    before = server.resident_kib()
    websocket.flow.send(head + masked)
    assert len(answers_in(websocket.message())) == 1
    for _ in range(20):
        websocket.flow.send(masked * 100)
        answers = 0
        while answers < 100:
            answers += len(answers_in(websocket.message()))
    assert server.resident_kib() - before < 2000
    websocket.close()


def test_fragments_and_pings_between_them_change_nothing(server):
    websocket = open_turn(server)
    first, middle, last = BINDING[:5], BINDING[5:6], BINDING[6:]
    websocket.flow.send(
        frame(BINARY, first, first=BINARY) + frame(PING, b"here?")
        + frame(CONTINUATION, middle, first=CONTINUATION) + frame(CONTINUATION, b"", first=0)
        + frame(CONTINUATION, last)
    )  # fmt: skip
    assert websocket.frame() == (FIN | PONG, b"here?")
    assert len(answers_in(websocket.message())) == 1
    websocket.close()


def test_frames_byte_by_byte_are_taken(server):
    websocket = open_turn(server)
    for byte in frame(BINARY, BINDING):
        websocket.flow.send(bytes([byte]))
    assert len(answers_in(websocket.message())) == 1
    websocket.close()


def test_first_message_may_follow_the_handshake_at_once(server):
    for way in ("tcp", "tls"):
        websocket = WebSocket(server.flow(way), "/turn", first=frame(BINARY, BINDING))
        assert len(answers_in(websocket.message())) == 1
        websocket.close()


def test_no_origin_and_no_subprotocol_are_needed(server):
    for options in ({}, {"origin": "https://anywhere.example"}, {"protocols": "mqtt, turn"}):
        websocket = open_turn(server, **options)
        selected = b"Sec-WebSocket-Protocol: turn\r\n" in websocket.head
        assert selected == ("protocols" in options)
        websocket.close()


def test_no_extension_is_accepted(server):
    websocket = open_turn(server, Sec_WebSocket_Extensions="permessage-deflate")
    assert b"extensions" not in websocket.head.lower()
    websocket.close()


HOSTILE = {
    "text": (frame(TEXT, b"hello"), 1003),
    "unmasked": (frame(BINARY, BINDING, masked=False), 1002),
    "reserved-bit": (frame(BINARY, BINDING, first=FIN | 0x40 | BINARY), 1002),
    "reserved-opcode": (frame(3, BINDING), 1002),
    "reserved-control": (frame(11, b"x"), 1002),
    "long-ping": (frame(PING, bytes(126)), 1002),
    "fragmented-ping": (frame(PING, b"x", first=PING), 1002),
    "continuation-of-nothing": (frame(CONTINUATION, b"x"), 1002),
    "message-in-message": (frame(BINARY, b"\0", first=BINARY) + frame(BINARY, b"\1"), 1002),
    "bad-text": (frame(TEXT, b"\xff"), 1007),
    "length-2^63": (b"\x82\xff" + struct.pack("!Q", 1 << 63) + b"abcd" + b"x", 1002),
    "longer-than-need-be": (b"\x82\xfe\x00\x05abcdxxxxx", 1002),
    "close-1005": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "close-short": (frame(CLOSE, b"x"), 1002),
    "close-bad-text": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "close": (frame(CLOSE, struct.pack("!H", 4321) + b"bye"), 4321),
    "close-of-no-code": (frame(CLOSE), None),
    "junk": (frame(BINARY, b"GET / HTTP/1.1\r\n\r\n"), 1002),
    "other-junk": (frame(BINARY, b"\xff" * 100), 1002),
    "junk-behind-turn": (frame(BINARY, BINDING + b"\x80" * 40), 1002),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_hostile_frames_end_with_their_code(server, way, name):
    sent, code = HOSTILE[name]
    websocket = open_turn(server, way)
    websocket.flow.send(sent)
    assert websocket.close_code() == code
    assert websocket.flow.ended_by(soon())
    websocket.close()


def test_largest_length_there_is_is_waited_for_without_memory(start):
    """2^63 - 1 bytes: the connection goes when no whole TURN message comes in time."""
    server = start(limits={"handshake-deadline": "1s"})
    websocket = open_turn(server)
    websocket.flow.send(b"\x82\xff" + struct.pack("!Q", (1 << 63) - 1) + b"abcd")
    began = time.monotonic()
    assert websocket.flow.ended_by(soon())
    assert time.monotonic() - began < 4
    websocket.close()


def test_silent_websocket_meets_the_deadline(start):
    server = start(limits={"handshake-deadline": "1s"})
    websockets_open = [open_turn(server, way) for way in ("tcp", "tls")]
    began = time.monotonic()
    for websocket in websockets_open:
        assert websocket.flow.ended_by(soon())
        websocket.close()
    assert time.monotonic() - began < 4


def test_pings_do_not_keep_a_websocket_without_an_allocation(start):
    server = start(limits={"handshake-deadline": "1s", "idle-timeout": "1s"})
    websocket = open_turn(server)
    websocket.send(BINDING, BINARY)
    began = time.monotonic()
    with pytest.raises((Closed, OSError)):
        while time.monotonic() - began < 4:
            websocket.send(b"", PING)
            websocket.frame()
            time.sleep(0.05)
    assert time.monotonic() - began < 4
    websocket.close()


def test_turn_over_websocket_is_counted_like_any_connection(start):
    server = start(limits={"half-open-per-source": 3})
    held = [open_turn(server) for _ in range(3)]
    with pytest.raises((Closed, OSError)):
        open_turn(server)
    held.pop().close()
    for one in held:
        one.close()


def test_reader_that_never_reads_pongs_is_ended(start):
    server = start()
    websocket = open_turn(server)
    before = server.resident_kib()
    with pytest.raises(OSError):
        for _ in range(100_000):
            websocket.send(bytes(125), PING)
    assert server.resident_kib() - before < 2000
    websocket.close()


def test_allocation_ends_with_its_websocket(start, eventually):
    server = start(limits={"allocations-per-user": 1})
    first = server.client("wss")
    first.allocated()
    first.flow.websocket.send(struct.pack("!H", 1000), CLOSE)
    assert first.flow.websocket.close_code() == 1000
    first.close()

    def again():
        with server.client("ws") as client:
            return client.allocate().ok

    eventually(again)


def test_tcp_relaying_is_not_served_over_websocket(shared, connect, tcp_peer):
    server = shared(relay={"tcp": True})
    assert connect(server, "wss").allocate(transport=stun.TCP).error == 442
    control = connect(server, "tcp")
    control.allocated(transport=stun.TCP)
    number = control.connect(tcp_peer().address).get(Attr.CONNECTION_ID)
    assert connect(server, "ws").connection_bind(number).error == 400
    assert connect(server, "tcp").connection_bind(number).ok


def test_log_calls_the_transport_by_its_name(start, connect):
    server = start()
    connect(server, "wss").allocated()
    assert "websocket" in server.output()


@pytest.mark.parametrize("secure", [False, True])
def test_python_websockets_is_understood(server, secure):
    """A library of somebody else's; it offers compression, which is declined, and closes in order."""
    scheme, port = ("wss", server.tls_port) if secure else ("ws", server.port)
    options = {"ssl": server.tls()} if secure else {}

    async def talk():
        async with websockets.connect(
            f"{scheme}://127.0.0.1:{port}/turn", subprotocols=["turn"], **options
        ) as websocket:
            assert websocket.subprotocol == "turn"
            await websocket.send(BINDING)
            answer = Message.decode(await websocket.recv())
            assert answer.address(Attr.XOR_MAPPED_ADDRESS)
            await (await websocket.ping())
            await websocket.send("text")
            with pytest.raises(websockets.exceptions.ConnectionClosedError) as caught:
                await websocket.recv()
            assert caught.value.rcvd.code == 1003

    asyncio.run(asyncio.wait_for(talk(), 2 * PATIENCE_S))


UPGRADES = {
    "ordinary": ({"Upgrade": None, "Connection": None}, 426),
    "version": ({"Sec_WebSocket_Version": "8"}, 426),
    "no-version": ({"Sec_WebSocket_Version": None}, 426),
    "no-key": ({"Sec_WebSocket_Key": None}, 400),
    "short-key": ({"Sec_WebSocket_Key": "YWJj"}, 400),
    "no-connection": ({"Connection": "keep-alive"}, 400),
    "body": ({"Content_Length": "5"}, 400),
}


@pytest.mark.parametrize("name", UPGRADES)
def test_handshake_that_is_not_right_is_refused_in_words(server, name):
    changes, status = UPGRADES[name]
    with pytest.raises(Refused) as caught:
        open_turn(server, **changes)
    assert caught.value.status == status
    if status == 426:
        assert b"Upgrade: websocket\r\n" in caught.value.head
        assert b"Sec-WebSocket-Version: 13\r\n" in caught.value.head


def test_plain_websocket_on_a_tls_port_is_refused(server):
    with pytest.raises(Refused) as caught:
        WebSocket(StreamFlow(("127.0.0.1", server.tls_port)), "/turn")
    assert caught.value.status == 400
