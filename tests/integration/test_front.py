# SPDX-License-Identifier: BSD-3-Clause
"""One port for everything: STUN, ChannelData, TLS, DTLS and HTTP are told apart by first bytes."""

import re
import shutil
import ssl
import subprocess
import time

import pytest

import dtls
from flows import PATIENCE_S, Closed, StreamFlow, UdpFlow
from server import ALICE, make_certificate
from stun import Message, Method
from turn import ChannelData, Client


def soon():
    return time.monotonic() + PATIENCE_S


def http_get(flow, path="/", host="turn.example.org"):
    flow.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    answer = b""
    try:
        while True:
            answer += flow.read(soon())
    except Exception as error:  # the end of the stream, in TLS's words or TCP's
        if isinstance(error, TimeoutError):
            raise
    return answer


def test_one_port_takes_udp_tcp_tls_and_http(server, connect):
    address = ("127.0.0.1", server.port)
    assert connect(server, "udp").allocate().ok
    assert connect(server, "tcp").allocate().ok
    with Client(StreamFlow(address, tls=server.tls()), ALICE) as client:
        assert client.allocate().ok
    assert http_get(StreamFlow(address)).startswith(b"HTTP/1.1 308")
    assert http_get(StreamFlow(address, tls=server.tls())).startswith(b"HTTP/1.1 200")


def test_tls_port_takes_turn_and_https(server, connect):
    assert connect(server, "tls").allocate().ok
    assert http_get(server.flow("tls")).startswith(b"HTTP/1.1 200")


def test_udp_port_answers_dtls_with_a_cookie_first(server):
    flow = UdpFlow(("127.0.0.1", server.port))
    hello = dtls.Hello()
    request = hello.encode()
    flow.send(request)
    answer = flow.receive(soon())
    assert dtls.kind_of(answer) == dtls.HELLO_VERIFY_REQUEST
    assert len(answer) <= len(request), "an answer to a stranger is no larger than its question"
    flow.send(hello.encode(dtls.cookie_of(answer), sequence=1))
    assert dtls.kind_of(flow.receive(soon())) == dtls.SERVER_HELLO
    flow.close()


def test_dtls_cookie_of_another_client_is_worth_nothing(server):
    first = UdpFlow(("127.0.0.1", server.port), "127.0.0.1")
    hello = dtls.Hello()
    first.send(hello.encode())
    cookie = dtls.cookie_of(first.receive(soon()))
    second = UdpFlow(("127.0.0.1", server.port), "127.0.0.8")
    second.send(hello.encode(cookie, sequence=1))
    try:
        assert dtls.kind_of(second.receive(time.monotonic() + 0.3)) != dtls.SERVER_HELLO
    except TimeoutError:
        pass
    first.close()
    second.close()


def test_tls_listener_takes_nothing_plain(server):
    for first in (Message(Method.BINDING).encode(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
        flow = StreamFlow(("127.0.0.1", server.tls_port))
        flow.send(first)
        got = b""
        try:
            while True:
                got += flow.read(soon())
        except Exception as error:
            assert not isinstance(error, TimeoutError), "the connection was left open"
        assert not got.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3", b"\x01\x01")), "served in clear"
        flow.close()


@pytest.mark.parametrize(
    "alpn, selected",
    [
        (None, None),
        (["stun.turn"], "stun.turn"),
        (["http/1.1"], ("http/1.1", None)),
        (["webrtc", "c-webrtc"], None),
        (["stun.nat-discovery"], None),
        (["unheard-of"], None),
        (["unheard-of", "stun.turn"], "stun.turn"),
        (["h2"], None),
        (["h2", "http/1.1"], ("http/1.1", None)),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_no_alpn_is_refused_and_turn_comes_through(server, connect, alpn, selected):
    client = connect(server, "tls", tls=server.tls(alpn=alpn))
    chosen = client.flow.socket.selected_alpn_protocol()
    assert chosen in (selected if isinstance(selected, tuple) else (selected,))
    assert client.allocate().ok


@pytest.mark.parametrize("alpn", [None, ["http/1.1"], ["stun.turn"], ["h2", "http/1.1"]])
def test_https_comes_through_whatever_the_alpn(server, alpn):
    assert http_get(server.flow("tls", tls=server.tls(alpn=alpn))).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_version_is_accepted(server, connect, version):
    client = connect(server, "tls", tls=server.tls(newest=version, oldest=version))
    assert client.allocate().ok


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_version_is_refused(server, version):
    context = server.tls(newest=version, oldest=version)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        server.flow("tls", tls=context)


def test_server_name_chooses_the_certificate(start, certificate, tmp_path):
    other = make_certificate(tmp_path, "media.example.net")
    pairs = [
        {"certificate": str(path), "key": str(key)} for path, key in (certificate, other)
    ]
    server = start(tls=pairs)
    for name, (trusted, _) in (("turn.example.org", certificate), ("media.example.net", other)):
        context = ssl.create_default_context(cafile=trusted)
        flow = server.flow("tls", tls=context, server_name=name)
        assert ("DNS", name) in flow.socket.getpeercert()["subjectAltName"]
        flow.close()


def test_unknown_server_name_gets_the_first_certificate(start, certificate, tmp_path):
    other = make_certificate(tmp_path, "media.example.net")
    pairs = [
        {"certificate": str(path), "key": str(key)} for path, key in (certificate, other)
    ]
    server = start(tls=pairs)
    for name in ("nobody.example.com", None):
        context = server.tls()
        context.check_hostname = False
        flow = server.flow("tls", tls=context, server_name=name)
        assert ("DNS", "turn.example.org") in flow.socket.getpeercert()["subjectAltName"]
        flow.close()


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_stun_and_channel_data_mix_on_one_connection(server, connect, peer, way):
    client = connect(server, way)
    client.allocated()
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    binding = Message(Method.BINDING)
    data = ChannelData(0x4000, b"abc").encode(padded=True)
    client.flow.send(data + binding.encode() + data)
    assert client.flow.receive(soon())[:2] == b"\x01\x01"
    assert [there.receive()[0] for _ in range(2)] == [b"abc", b"abc"]


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_first_message_may_come_byte_by_byte(server, connect, way):
    client = connect(server, way)
    for byte in Message(Method.BINDING).encode():
        client.flow.send(bytes([byte]))
    assert Message.decode(client.flow.receive(soon())).ok


@pytest.mark.parametrize(
    "junk", [b"\x80" * 40, b"\xff" * 40, b"\x50" * 40, b"\x04" * 40, b"\0\1\0\3" + bytes(40),
             b"\0\1\0\0" + bytes(16), b"\x40\0\xff\xff" + bytes(40)],
    ids=["80", "ff", "50", "04", "odd-length", "no-cookie", "channel-first"],
)  # fmt: skip
def test_junk_on_a_stream_ends_it_and_nothing_else(start, junk):
    """Closed at once, or at the latest by the deadline of what has proved nothing."""
    server = start(limits={"handshake-deadline": "1s"})
    flow = StreamFlow(("127.0.0.1", server.port))
    flow.send(junk)
    assert flow.ended_by(soon())
    flow.close()
    server.check()


@pytest.mark.parametrize("size", [0, 1, 3, 4, 19, 20, 21, 1400, 65000])
def test_junk_on_udp_gets_no_answer(server, connect, size):
    client = connect(server)
    for first in (0x00, 0x01, 0x14, 0x16, 0x40, 0x4F, 0x50, 0x80, 0xFF):
        client.flow.send(bytes([first] * size))
    client.receive_nothing()


@pytest.mark.parametrize("length", [0, 1, 4, 8, 0x7FFC, 0xFFFC, 0xFFFF])
def test_message_length_that_lies_is_not_believed(server, connect, length):
    """16-bit arithmetic on a length of 0xFFFC and a header of 20 must not wrap."""
    client = connect(server)
    raw = bytearray(Message(Method.BINDING, attributes=[(0x8022, b"four")]).encode())
    if length != 8:
        raw[2:4] = length.to_bytes(2, "big")
        client.flow.send(bytes(raw))
        client.receive_nothing()


@pytest.mark.parametrize("length", [5, 100, 0x7FFF, 0xFFFC, 0xFFFF])
def test_attribute_length_that_lies_is_not_believed(server, connect, length):
    client = connect(server)
    raw = bytearray(Message(Method.BINDING, attributes=[(0x0006, b"four")]).encode())
    raw[22:24] = length.to_bytes(2, "big")
    client.flow.send(bytes(raw))
    assert client.binding().ok
    for answer in client.inbox:
        assert answer.error == 400


@pytest.mark.parametrize("declared", [5, 100, 0xFFFF])
def test_channel_data_length_beyond_its_datagram_leaks_nothing(server, connect, peer, declared):
    client = connect(server)
    client.allocated()
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    client.flow.send(b"\x40\x00" + declared.to_bytes(2, "big") + b"four")
    client.receive_nothing()
    there.receive_nothing()


def test_channel_data_length_short_of_its_datagram_cuts_it(server, connect, peer):
    """On UDP there may be padding behind (RFC 8656 §12.6)."""
    client = connect(server)
    client.allocated()
    there = peer()
    assert client.bind_channel(0x4000, there.address).ok
    client.flow.send(b"\x40\x00\x00\x03abc\x00")
    assert there.receive()[0] == b"abc"


def test_padding_of_answers_is_zero(server, connect, peer):
    """Message.decode() refuses other padding; here it sees every kind of answer."""
    client = connect(server, "tcp")
    relayed = client.allocated()
    there = peer()
    assert client.permit(there.address).ok
    for size in (1, 2, 3, 5):
        there.send(b"x" * size, relayed)
        assert client.receive_data() == (there.address, b"x" * size)
    assert client.allocate([(0x7ABC, b"")]).error == 420
    assert client.permit("10.0.0.1").error == 403


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed")
@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_connection_is_kept_alive_through_firewalls_that_forget(server, connect, eventually, way):
    client = connect(server, way)
    client.allocated()

    def keepalive_is_due_within_15s():
        """The kernel shows that timer once the last answer has been acknowledged."""
        listed = subprocess.run(
            ["ss", "--tcp", "--numeric", "--options", f"dport = :{client.flow.local[1]}"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        due = re.search(r"timer:\(keepalive,([\d.]+)sec", listed)
        return due and float(due[1]) <= 15

    eventually(keepalive_is_due_within_15s)


def test_connection_that_says_nothing_is_closed(start):
    server = start(limits={"handshake-deadline": "1s"})
    flows = [StreamFlow(("127.0.0.1", port)) for port in (server.port, server.tls_port)]
    for flow in flows:
        assert flow.ended_by(soon())
        flow.close()


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_connection_counts_again_once_its_allocation_is_given_back(start, connect, way):
    server = start(limits={"half-open-per-source": 4})
    kept = []
    for _ in range(4):
        kept.append(connect(server, way))
        assert kept[-1].allocate().ok and kept[-1].refresh(lifetime=0).ok
    with pytest.raises((Closed, OSError)):
        connect(server, way).allocate()
    assert all(client.binding().ok for client in kept)
