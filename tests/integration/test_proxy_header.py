# SPDX-License-Identifier: BSD-3-Clause
"""The PROXY header: believed from listed sources, from nobody else, and in front of TLS too."""

import time

import pytest

import proxyheader
from flows import PATIENCE_S, Closed, StreamFlow
from proxyheader import LOCAL, extension, version_1, version_2
from server import ALICE
from stun import Attr, Message, Method
from turn import Client

BALANCER = "127.0.0.5"
REAL = [("198.51.100.7", 12345), ("2001:db8::7", 54321)]


def soon():
    return time.monotonic() + PATIENCE_S


@pytest.fixture
def behind(shared):
    """A server that stands behind a balancer at 127.0.0.5."""
    return shared(**{"proxy-protocol": {"from": [BALANCER]}})


def through(server, header, tls=False, source=BALANCER):
    port = server.tls_port if tls else server.port
    flow = StreamFlow(
        ("127.0.0.1", port), source, tls=server.tls() if tls else None, preface=header
    )
    return Client(flow, ALICE)


def is_refused(flow):
    """Closed without an answer of any kind of protocol but HTTP's own refusal."""
    got = b""
    try:
        while True:
            got += flow.read(soon())
    except Closed:
        return got == b"" or got.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    except TimeoutError:
        return False


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("real", REAL, ids=["v4", "v6"])
@pytest.mark.parametrize("version", [version_1, version_2])
def test_header_of_a_listed_source_names_the_client(behind, version, real, tls):
    with through(behind, version(real), tls) as client:
        answer = client.allocate()
        assert answer.ok
        assert answer.address(Attr.XOR_MAPPED_ADDRESS) == real


@pytest.mark.parametrize(
    "header",
    [version_2(command=LOCAL), version_2(REAL[0], command=LOCAL), b"PROXY UNKNOWN\r\n",
     b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", version_2()],
    ids=["v2-local", "v2-local-with-address", "v1-unknown", "v1-unknown-long", "v2-unspecified"],
)  # fmt: skip
def test_header_that_names_nobody_leaves_the_balancer_itself(behind, header):
    with through(behind, header) as client:
        assert client.binding().address(Attr.XOR_MAPPED_ADDRESS) == client.flow.local


def test_extensions_of_version_2_are_skipped(behind):
    extensions = extension(0x04, b"no operation") + extension(0x02, b"turn.example.org")
    with through(behind, version_2(REAL[0], extensions=extensions)) as client:
        assert client.binding().address(Attr.XOR_MAPPED_ADDRESS) == REAL[0]


@pytest.mark.parametrize("version", [version_1, version_2])
def test_header_may_come_byte_by_byte(behind, version):
    with through(behind, b"") as client:
        for byte in version(REAL[0]):
            client.flow.send(bytes([byte]))
        assert client.binding().address(Attr.XOR_MAPPED_ADDRESS) == REAL[0]


@pytest.mark.parametrize("version", [version_1, version_2])
def test_header_and_first_message_may_share_a_segment(behind, version):
    request = Message(Method.BINDING).encode()
    with through(behind, version(REAL[0]) + request) as client:
        answer = Message.decode(client.flow.receive(soon()))
        assert answer.address(Attr.XOR_MAPPED_ADDRESS) == REAL[0]


# PP2_TYPE_SSL: the client came by TLS, its certificate, if any, is good.
SSL = extension(0x20, b"\x01" + bytes(4))


@pytest.mark.parametrize("extensions, status", [(SSL, b"200"), (b"", b"308")], ids=["tls", "plain"])
def test_http_behind_the_header_is_as_safe_as_the_balancer_says(behind, extensions, status):
    with through(behind, version_2(REAL[0], extensions=extensions)) as client:
        client.flow.send(b"GET / HTTP/1.1\r\nHost: x:80\r\n\r\n")
        answer = client.flow.read(soon())
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert (b"Location: https://x/\r\n" in answer) == (status == b"308")


@pytest.mark.parametrize("version", [version_1, version_2])
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.6"])
def test_header_from_anybody_else_is_not_believed(behind, version, source):
    with through(behind, version(REAL[0]), source=source) as client:
        client.flow.send(Message(Method.BINDING).encode())
        assert is_refused(client.flow)


@pytest.mark.parametrize("version", [version_1, version_2])
def test_header_is_not_believed_where_none_is_configured(server, version):
    with through(server, version(REAL[0])) as client:
        client.flow.send(Message(Method.BINDING).encode())
        assert is_refused(client.flow)


def test_header_within_tls_is_not_believed(behind):
    flow = StreamFlow(("127.0.0.1", behind.tls_port), "127.0.0.1", tls=behind.tls())
    flow.send(version_1(REAL[0]) + Message(Method.BINDING).encode())
    assert is_refused(flow)
    flow.close()


def test_other_sources_need_no_header(behind, connect):
    assert connect(behind, "tcp").allocate().ok
    assert connect(behind, "tls").allocate().ok


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_listed_source_must_send_a_header(behind, tls):
    """Else a client behind the balancer would pass for the balancer itself."""
    port = behind.tls_port if tls else behind.port
    first = b"\x16\x03\x01\x02\x00\x01" + bytes(200) if tls else Message(Method.BINDING).encode()
    flow = StreamFlow(("127.0.0.1", port), BALANCER)
    flow.send(first)
    assert is_refused(flow)
    flow.close()


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 198.51.100.7 127.0.0.1 12345 443\n\r\n",
        b"PROXY TCP4 198.51.100.7 127.0.0.1 12345\r\n",
        b"PROXY TCP4 198.51.100.7 127.0.0.1 123456 443\r\n",
        b"PROXY TCP4 198.51.100.7 127.0.0.1 -1 443\r\n",
        b"PROXY TCP4 198.51.100.777 127.0.0.1 1 443\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 1 443\r\n",
        b"PROXY TCP6 198.51.100.7 127.0.0.1 1 443\r\n",
        b"PROXY TCP5 198.51.100.7 127.0.0.1 1 443\r\n",
        b"PROXY TCP4  198.51.100.7 127.0.0.1 1 443\r\n",
        b"proxy TCP4 198.51.100.7 127.0.0.1 1 443\r\n",
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
        proxyheader.SIGNATURE + b"\x11\x11\x00\x0c" + bytes(12),
        proxyheader.SIGNATURE + b"\x2f\x11\x00\x0c" + bytes(12),
        version_2(REAL[0], length=5),
        version_2(REAL[1], length=12),
        version_2(REAL[0], extensions=b"\x04\xff\xff"),
        proxyheader.SIGNATURE[:-1] + b"X" + bytes(16),
    ],
    ids=["v1-lf", "v1-missing", "v1-port-6-digits", "v1-port-negative", "v1-octet", "v1-v6-in-tcp4",
         "v1-v4-in-tcp6", "v1-family", "v1-two-spaces", "v1-lower-case", "v1-endless", "v2-version",
         "v2-command", "v2-short-v4", "v2-short-v6", "v2-extension-overrun", "v2-signature"],
)
def test_malformed_header_ends_the_connection(behind, header):
    with through(behind, header) as client:
        try:
            client.flow.send(Message(Method.BINDING).encode())
            assert is_refused(client.flow)
        except (BrokenPipeError, ConnectionResetError):
            pass
    behind.check()


def test_huge_header_is_not_waited_for(behind):
    """It announces 60 kB of extensions; whoever kept room for that could be made to keep a lot."""
    big = version_2(REAL[0], extensions=extension(0x04, bytes(60000)))
    with through(behind, big[:200]) as client:
        began = time.monotonic()
        assert client.flow.ended_by(soon())
        assert time.monotonic() - began < 2, "only the deadline ended it"


def test_header_that_never_ends_meets_the_deadline(start):
    server = start(
        **{"proxy-protocol": {"from": [BALANCER]}, "limits": {"handshake-deadline": "1s"}}
    )
    beginnings = (b"PROXY TCP4 198.", proxyheader.SIGNATURE[:8], b"")
    clients = [through(server, beginning) for beginning in beginnings]
    for client in clients:
        assert client.flow.ended_by(soon())
        client.close()


def test_client_named_by_a_header_is_the_source_that_is_counted(start):
    server = start(
        **{"proxy-protocol": {"from": [BALANCER]}, "limits": {"allocations-per-source": 1}}
    )
    with through(server, version_1(REAL[0])) as one, through(server, version_2(REAL[0])) as two:
        assert one.allocate().ok
        assert two.allocate().error == 486
        with through(server, version_1(("198.51.100.8", 1))) as other:
            assert other.allocate().ok


def test_nonce_is_bound_to_the_client_named_by_the_header(behind):
    with through(behind, version_1(REAL[0])) as one, through(behind, version_1(REAL[1])) as other:
        one.challenged()
        other.learn(one.challenge)
        wanted = [(Attr.REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))]
        message = Message(Method.ALLOCATE, attributes=wanted)
        other.sign(message)
        assert other.exchange(message).error == 438
