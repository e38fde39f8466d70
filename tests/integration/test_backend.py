# SPDX-License-Identifier: BSD-3-Clause
"""The operator's web server behind posternd: what is not posternd's own goes there and back, however badly either
side behaves."""

import hashlib
import os
import select
import socket
import ssl
import threading
import time

import pytest

import proxyheader
from backend import Backend, Ended, echo
from flows import PATIENCE_S, Closed, StreamFlow
from server import POSTERND
from websocket import CLOSE, TEXT, Refused, WebSocket, frame, request

GET = b"GET /there HTTP/1.1\r\nHost: www.example.org\r\n\r\n"


def soon(within=PATIENCE_S):
    return time.monotonic() + within


class Browser:
    """One connection of a client; what is read is cut into answers."""

    def __init__(self, flow):
        self.flow = flow
        self.send = flow.send

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flow.close()

    def read_head(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.flow.read_exactly(1, soon())
        lines = head.decode("latin-1").split("\r\n")
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:] if line)}
        return int(lines[0].split(" ")[1])

    def read_chunks(self):
        """The body as it comes, chunk sizes and all, to the empty line; trailers are few here."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self.flow.read_exactly(1, soon())
        return data

    def read_answer(self, to_head=False):
        """Status and body."""
        status = self.read_head()
        if to_head or status in (204, 304) or status < 200:
            return status, b""
        if "content-length" in self.fields:
            return status, self.flow.read_exactly(int(self.fields["content-length"]), soon(20))
        if "transfer-encoding" in self.fields:
            return status, self.read_chunks()
        return status, self.read_rest()

    def read_rest(self):
        data = b""
        try:
            while True:
                data += self.flow.read(soon())
        except Closed:
            return data

    def ask(self, request=GET, **options):
        self.send(request)
        return self.read_answer(**options)

    def half_close(self):
        self.flow.socket.shutdown(socket.SHUT_WR)


def get(path, *fields):
    lines = [f"GET {path} HTTP/1.1", "Host: www.example.org", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def post(path, body=b"", *fields):
    lines = [f"POST {path} HTTP/1.1", "Host: www.example.org", f"Content-Length: {len(body)}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@pytest.fixture(scope="module")
def listening():
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture
def backend(listening):
    listening.begin(echo)
    yield listening
    listening.finish()


@pytest.fixture
def behind(shared, backend):
    """A server with a web server behind it."""
    return shared(http={"backend": backend.address})


@pytest.fixture
def impatient(shared, backend):
    """The same with little patience."""
    return shared(http={"backend": backend.address}, limits={"idle-timeout": "1s"})


@pytest.fixture
def browse(backend):
    """browse(server, way): a connection that is closed when the test ends, before the backend is looked at."""
    browsers = []

    def connect(server, way="tls", **options):
        browsers.append(Browser(server.flow(way, **options)))
        return browsers[-1]

    yield connect
    for browser in browsers:
        browser.flow.close()


@pytest.fixture
def browser(behind, browse):
    return browse(behind)


# What goes through


@pytest.mark.parametrize("way", ["tcp", "tls", "tcp6", "tls6"])
def test_request_and_answer_go_through(backend, behind, browse, way):
    browser = browse(behind, way)
    assert browser.ask(get("/a?b=c", "Cookie: x=y", "Accept: a/b"))[0] == 200
    request = backend.requests[0]
    assert request.line == "GET /a?b=c HTTP/1.1"
    assert request.one("Host") == request.one("X-Forwarded-Host") == "www.example.org"
    assert request.one("Cookie") == "x=y"
    assert request.one("X-Forwarded-For") == ("::1" if way.endswith("6") else "127.0.0.1")
    assert request.one("X-Forwarded-Proto") == way.rstrip("6").replace("tcp", "http").replace("tls", "https")


def test_requests_of_one_client_share_a_connection(backend, browser):
    for i in range(60):
        status, body = browser.ask(get(f"/{i}"))
        assert status == 200 and body.startswith(f"GET /{i} ".encode())
    assert len(backend.connections) == 1


def test_long_kept_connection_is_ended_in_order(backend, browser):
    """A connection is good for a hundred requests; the client is told with the last."""
    for i in range(100):
        assert browser.ask(get(f"/{i}"))[0] == 200
        assert (browser.fields.get("connection") == "close") == (i == 99)
    assert browser.read_rest() == b""


def test_requests_of_two_clients_do_not_share_a_connection(backend, behind, browse):
    first, second = browse(behind), browse(behind)
    assert first.ask()[0] == second.ask()[0] == first.ask()[0] == 200
    assert len(backend.connections) == 2


def test_pipelined_requests_are_answered_in_order_whoever_answers(backend, behind, browse, tmp_path):
    browser = browse(behind)
    browser.send(get("/1") + get("/") + post("/2", b"two") + get("/turn") + get("/3"))
    answers = [browser.read_answer() for _ in range(5)]
    assert [status for status, _ in answers] == [200, 200, 200, 426, 200]
    assert answers[0][1].startswith(b"GET /1 ")
    assert answers[1][1].startswith(b"<!") or b"<html" in answers[1][1].lower()
    assert answers[2][1].endswith(b"\n\ntwo")
    assert answers[4][1].startswith(b"GET /3 ")


def test_pages_can_be_left_to_the_web_server(shared, backend, browse):
    server = shared(http={"backend": backend.address, "pages": False})
    status, body = browse(server).ask(get("/"))
    assert status == 200 and body.startswith(b"GET / ")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answer_without_a_body_ends_at_its_head(backend, browser, status):
    def serve(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode())
        echo(connection)

    backend.serve = serve
    assert browser.ask()[0] == int(status[:3])
    assert browser.ask()[0] == 200
    assert len(backend.connections) == 1


def test_answer_to_head_has_a_length_and_no_body(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        echo(connection)

    backend.serve = serve
    assert browser.ask(GET.replace(b"GET", b"HEAD"), to_head=True)[0] == 200
    assert browser.fields["content-length"] == "1000"
    assert browser.ask()[0] == 200


def test_chunks_and_trailers_of_an_answer_come_as_they_are(backend, browser):
    chunks = b"5;a=b\r\nhello\r\n00A\r\n0123456789\r\n0\r\nServer-Timing: a\r\n\r\n"

    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        echo(connection)

    backend.serve = serve
    assert browser.ask() == (200, chunks)
    assert browser.ask()[0] == 200


def test_chunks_of_a_request_come_as_they_are(backend, browser):
    chunks = b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".replace(b"/ ", b"/up ")
    for cut in (0, 3, 4, 12, len(chunks) - 1):
        browser.send(head + chunks[:cut])
        if cut:
            time.sleep(0.01)
        browser.send(chunks[cut:])
        assert browser.read_answer()[1].endswith(b"\n\n" + chunks)


def test_answer_without_length_ends_with_its_connection(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)

    backend.serve = serve
    status, body = browser.ask()
    assert status == 200 and browser.fields["connection"] == "close"
    assert body == b"x" * 300_000


def test_old_client_gets_what_it_understands(backend, browser):
    """HTTP/1.0 knows neither chunks nor interim answers, so that is what the web server is asked in."""
    def serve(connection):
        assert connection.read_request().version == "HTTP/1.0"
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello")

    backend.serve = serve
    assert browser.ask(b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n") == (200, b"hello")


def test_interim_answers_go_through(backend, browser):
    def serve(connection):
        request = connection.read_head()
        assert request.one("Expect") == "100-continue"
        assert connection.buffer == b"", "the body came unasked"
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert connection.read(5) == b"hello"
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        connection.answer(b"done")
        echo(connection)

    backend.serve = serve
    browser.send(post("/up", b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 5"))
    assert browser.read_answer() == (100, b"")
    browser.send(b"hello")
    assert browser.read_answer() == (103, b"")
    assert browser.fields["link"] == "</a>"
    assert browser.read_answer() == (200, b"done")
    assert browser.ask()[0] == 200


def test_expectation_that_is_not_met_ends_the_connection(backend, browser):
    """The body is not sent then, or is: nobody can tell, so nothing behind it is a request."""
    backend.serve = lambda connection: (connection.read_head(), connection.answer(status="417 No"))
    browser.send(post("/up", b"", "Expect: 100-continue").replace(b"Content-Length: 0", b"Content-Length: 5"))
    assert browser.read_answer()[0] == 417
    assert browser.fields["connection"] == "close"
    assert browser.read_rest() == b""


MANY = 50_000_000


def duplex(connection, data):
    """Sends |data| and reads as many bytes at the same time, on one thread: Python's TLS wants that."""
    connection.settimeout(0)
    received, sent = bytearray(), 0
    waits = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
    while len(received) < len(data):
        writing = [connection] if sent < len(data) else []
        readable, writable, _ = select.select([connection], writing, [], PATIENCE_S)
        assert readable or writable, f"stuck with {sent} bytes sent and {len(received)} received"
        try:
            if readable:
                received += connection.recv(262144)
            elif writable:
                sent += connection.send(data[sent : sent + 65536])
        except waits:
            pass
    return bytes(received)


@pytest.mark.parametrize("way", ["tcp", "tls"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_megabytes_go_through_both_ways_at_once_unchanged(backend, behind, browse, way, chunked):
    """The answer begins while the request is still coming: what is read is sent back at once."""
    body = os.urandom(MANY // 10) * 10
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {MANY}"
    overhead = len(f"{MANY:x}\r\n\r\n0\r\n\r\n") if chunked else 0

    def serve(connection):
        connection.read_head()
        connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        left = MANY + overhead
        while left > 0:
            data = connection.read()
            connection.send(data)
            left -= len(data)

    backend.serve = serve
    browser = browse(behind, way)

    browser.send(f"POST /up HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n".encode())
    assert browser.read_head() == 200
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (MANY, body) if chunked else body
    received = duplex(browser.flow.socket, sent)
    assert len(received) == len(sent) and hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()


def test_half_closed_client_gets_its_answers(backend, behind, browse):
    browser = browse(behind, "tcp")
    browser.send(get("/1") + get("/2") + get("/3"))
    browser.half_close()
    for i in (1, 2, 3):
        assert browser.read_answer()[1].startswith(f"GET /{i} ".encode())
    assert browser.read_rest() == b""


# Who the client is


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x_forwarded_for", "X-Real-IP", "Forwarded", "X-Forwarded-Proto"])
def test_client_cannot_say_who_it_is(backend, browser, name):
    assert browser.ask(get("/", f"{name}: 10.9.8.7").replace(b"/ ", b"/x ", 1))[0] == 200
    request = backend.requests[0]
    assert not any("10.9.8.7" in value for _, value in request.fields)
    assert request.one("X-Forwarded-For") == "127.0.0.1"
    assert request.one("X-Forwarded-Proto") == "https"


def test_client_behind_a_listed_proxy_is_named_last(shared, backend, browse):
    server = shared(**{"http": {"backend": backend.address}, "proxy-protocol": {"from": ["127.0.0.5"]}})
    preface = proxyheader.version_1(("198.51.100.7", 12345))
    browser = browse(server, "tcp", source="127.0.0.5", preface=preface)
    assert browser.ask(get("/x", "X-Forwarded-For: 203.0.113.9", "Forwarded: for=10.0.0.1"))[0] == 200
    request = backend.requests[0]
    assert request.one("X-Forwarded-For") == "203.0.113.9, 198.51.100.7"
    assert request.one("X-Forwarded-Proto") == "http"
    assert request.one("Forwarded") is None


def test_fields_of_one_hop_stay_there(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.answer(b"", fields=["Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "X-End: 2"])
        echo(connection)

    backend.serve = serve
    assert browser.ask(get("/x", "Connection: X-Mine, Host", "X-Mine: 1", "TE: trailers", "Upgrade: h2c"))[0] == 200
    request = backend.requests[0]
    for name in ("Connection", "X-Mine", "TE", "Upgrade"):
        assert request.one(name) is None
    assert request.one("Host") == "www.example.org"
    assert "x-hop" not in browser.fields and "keep-alive" not in browser.fields
    assert browser.fields["x-end"] == "2"


# Requests that would be two to somebody


@pytest.mark.parametrize(
    "fields, body",
    [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\nG"),
        ("Content-Length: 1\r\nContent-Length: 6\r\n", b"0\r\n\r\nG"),
        ("Content-Length: +5\r\n", b"hello"),
        ("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
        ("Transfer-Encoding:\x0bchunked\r\n", b"0\r\n\r\n"),
        ("X: a\n\nGET /evil HTTP/1.1\r\n", b""),
        ("X: a\rContent-Length: 5\r\n", b"hello"),
        (" Content-Length: 5\r\n", b"hello"),
    ],
    ids=["both", "two-lengths", "plus", "space", "other", "list", "tab", "lf", "cr", "folded"],
)
def test_ambiguous_request_never_reaches_the_web_server(backend, browser, fields, body):
    browser.send(f"POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n".encode() + body + get("/evil"))
    assert browser.read_answer()[0] in (400, 501)
    assert browser.read_rest() == b""
    assert backend.connections == []


@pytest.mark.parametrize(
    "chunks",
    [b"5\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5;\n\r\nhello\r\n0\r\n\r\n",
     b"0\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n", b"fffffffffffffffff\r\n", b"0\r\n\n"],
    ids=["lf", "hex", "short", "lf-in-extension", "trailer", "overflow", "end"],
)  # fmt: skip
def test_chunks_that_are_none_end_the_request(backend, browser, chunks):
    """What came before has been passed on; the web server sees its connection end within the request."""
    ends = []

    def serve(connection):
        connection.read_head()
        connection.wait_for_end()
        ends.append(connection)

    backend.serve = serve
    browser.send(b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + get("/evil"))
    assert browser.read_answer()[0] == 400
    assert browser.read_rest() == b""
    backend.finish()
    assert len(backend.requests) == len(ends) <= 1


def test_nothing_is_tunneled_by_connect(backend, browser):
    assert browser.ask(b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n")[0] == 501
    assert backend.connections == []


def test_answer_that_nobody_asked_for_is_not_the_next_one(backend, browser):
    """Otherwise a web server that says too much once would answer every later question wrongly."""
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        connection.wait_for_end()

    backend.serve = serve
    browser.send(GET)
    assert browser.read_answer() == (200, b"ok")
    backend.serve = echo
    assert browser.ask()[1].startswith(b"GET /there ")
    browser.send(GET + GET)
    assert [browser.read_answer()[0] for _ in range(2)] == [200, 200]


def test_pipelined_request_does_not_get_the_rest_of_an_answer(backend, browser):
    def serve(connection):
        connection.read_request()
        backend.serve = echo
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        connection.wait_for_end()

    backend.serve = serve
    browser.send(get("/1") + get("/2"))
    assert browser.read_answer() == (200, b"ok")
    assert browser.read_answer()[1].startswith(b"GET /2 ")


def test_web_server_that_speaks_unasked_is_left(backend, browser, eventually):
    def serve(connection):
        connection.read_request()
        connection.answer(b"ok")
        unasked.wait(PATIENCE_S)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        connection.wait_for_end()
        left.set()

    unasked, left = threading.Event(), threading.Event()
    backend.serve = serve
    assert browser.ask()[1] == b"ok"
    unasked.set()
    assert left.wait(PATIENCE_S)
    backend.serve = echo
    assert browser.ask()[1].startswith(b"GET /there ")


# A web server in trouble


def test_nobody_there_is_502_until_somebody_is(start, browse, backend, workers):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = start(http={"backend": f"127.0.0.1:{port}"})
    for _ in range(6):
        browser = browse(server)
        assert browser.ask()[0] == 502
        assert browser.read_rest() == b""
    told = [line for line in server.output().splitlines() if "backend-failed" in line]
    assert 1 <= len(told) <= workers and f"127.0.0.1:{port}" in told[0] and "refused" in told[0]
    backend.listen(port)
    assert browse(server).ask()[0] == 200


GARBAGE = {
    "ssh": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "bytes": bytes(range(256)),
    "http2": b"HTTP/2 200\r\n\r\n",
    "bare-lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "no-status": b"HTTP/1.1 OK\r\n\r\n",
    "both": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "huge": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    "endless": b"x" * 1_000_000,
    "switch": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "switch-after": b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "nothing": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_instead_of_an_answer_is_502(backend, browser, garbage):
    def serve(connection):
        connection.read_request()
        connection.send(garbage)

    backend.serve = serve
    browser.send(GET)
    status = browser.read_answer()[0]
    if status == 103:
        status = browser.read_answer()[0]
    assert status == 502
    assert browser.read_rest() == b""


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"5\nhello", b"5\r\nhello!!", b"0\r\nX\n"])
def test_answer_whose_chunks_are_none_is_cut_short(backend, browser, chunks):
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n" + chunks)
        connection.wait_for_end()

    backend.serve = serve
    browser.send(GET)
    assert browser.read_head() == 200
    assert not browser.read_rest().endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_answer_that_breaks_off_is_seen_to(backend, browser, framing, how):
    def serve(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode() + b"9\r\n123456789\r\n")
        if how == "reset":
            sent.wait(PATIENCE_S)
            connection.reset()

    sent = threading.Event()
    backend.serve = serve
    browser.send(GET)
    assert browser.read_head() == 200
    assert browser.flow.read_exactly(14, soon()) == b"9\r\n123456789\r\n"
    sent.set()
    assert browser.read_rest() == b""


def test_answer_until_the_end_that_breaks_is_not_ended_in_order(backend, behind, browse):
    """TLS says good-bye only where the answer is whole: this one has no other end."""
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        sent.wait(PATIENCE_S)
        connection.reset()

    sent = threading.Event()
    backend.serve = serve
    strict = behind.tls()
    strict.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    browser = browse(behind, tls=strict)
    browser.flow.socket.suppress_ragged_eofs = False
    browser.send(GET)
    assert browser.read_head() == 200
    assert browser.flow.read_exactly(5, soon()) == b"hello"
    sent.set()
    with pytest.raises((Closed, ssl.SSLError), match="(?i)eof"):
        browser.flow.read(soon())


@pytest.mark.parametrize("request_", [GET, post("/up", b"hello")], ids=["get", "post"])
def test_connection_that_the_web_server_has_ended_does_not_spoil_the_next_request(backend, browser, request_):
    """It ends just when that is sent. What may be asked twice is asked again; what may not never takes the risk."""
    def serve(connection):
        connection.read_request()
        connection.answer(b"once")

    backend.serve = serve
    for _ in range(50):
        assert browser.ask(request_) == (200, b"once")
    assert len(backend.requests) == 50


@pytest.mark.parametrize("how", ["close", "reset"])
def test_request_is_asked_again_once_and_where_nothing_was_answered(backend, browser, how):
    def serve(connection):
        connection.read_request()
        connection.answer(b"first")
        connection.read_request()
        if how == "reset":
            connection.reset()

    backend.serve = serve
    assert browser.ask(get("/1")) == (200, b"first")
    backend.serve = lambda connection: connection.read_request()
    assert browser.ask(get("/2"))[0] == 502
    assert [request.target for request in backend.requests] == ["/1", "/2", "/2"]


def test_request_whose_answer_has_begun_is_not_asked_again(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.answer(b"first")
        connection.read_request()
        connection.send(b"HTTP/1.1 20")

    backend.serve = serve
    assert browser.ask(get("/1")) == (200, b"first")
    assert browser.ask(get("/2"))[0] == 502
    assert len(backend.connections) == 1


def test_request_that_may_not_be_asked_twice_is_not(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.answer(b"first")
        connection.read_request()

    backend.serve = serve
    assert browser.ask(get("/1")) == (200, b"first")
    backend.serve = lambda connection: connection.read_request()
    assert browser.ask(post("/2"))[0] == 502
    assert [request.target for request in backend.requests] == ["/1", "/2"]


def test_web_server_that_does_not_answer_is_504(backend, impatient, browse):
    backend.serve = lambda connection: connection.wait_for_end()
    browser = browse(impatient)
    began = time.monotonic()
    assert browser.ask()[0] == 504
    assert 0.9 < time.monotonic() - began < 4
    assert browser.read_rest() == b""


def test_web_server_that_accepts_nothing_is_504(shared, browse, backend):
    """Its queue of connections is full: the kernel lets the hand-shake wait."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        server = shared(http={"backend": "127.0.0.1:%d" % address[1]}, limits={"idle-timeout": "1s"})
        assert browse(server).ask()[0] == 504
        for one in waiting:
            one.close()


def test_web_server_that_hangs_within_its_answer_is_left(backend, impatient, browse):
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello")
        connection.wait_for_end()

    backend.serve = serve
    browser = browse(impatient)
    browser.send(GET)
    assert browser.read_head() == 200
    assert browser.read_rest() == b"hello"


def test_refusal_can_be_read_by_who_sends_all_first(start, browse, backend):
    """It was reset: what was held for the web server was never read to its end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    browser = browse(start(http={"backend": f"127.0.0.1:{port}"}))
    browser.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000))
    assert browser.read_answer()[0] == 502
    assert browser.read_rest() == b""


def test_web_server_that_takes_no_upload_is_504(backend, impatient, browse, eventually):
    """Nor is the client read from meanwhile: memory is bounded."""
    def serve(connection):
        connection.read_head()
        over.wait(PATIENCE_S)

    over = threading.Event()
    backend.serve = serve
    browser = browse(impatient, "tcp")
    before = impatient.resident_kib()
    browser.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
    browser.flow.socket.settimeout(0.3)
    sent = 0
    try:
        while sent < 100_000_000:
            sent += browser.flow.socket.send(bytes(1_000_000))
    except TimeoutError:
        pass
    assert sent < 50_000_000, "taken without end"
    assert impatient.resident_kib() - before < 4000
    assert browser.read_answer()[0] == 504
    over.set()


def test_slow_web_server_is_waited_for_while_it_goes_on(backend, impatient, browse):
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            time.sleep(0.25)
            connection.send(b"x")

    backend.serve = serve
    assert browse(impatient).ask() == (200, b"x" * 10)


def test_client_that_does_not_send_its_body_is_408(backend, impatient, browse):
    backend.serve = lambda connection: (connection.read_head(), connection.wait_for_end())
    browser = browse(impatient)
    assert browser.ask(post("/up").replace(b"Length: 0", b"Length: 5") + b"he")[0] == 408


def test_client_that_does_not_read_holds_the_web_server_up(backend, behind, browse):
    """Back-pressure, not memory. What it reads later is whole."""
    def serve(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n")
        for _ in range(30):
            connection.send(bytes(1_000_000))
            sent.append(1_000_000)

    sent = []
    backend.serve = serve
    browser = browse(behind, receive_buffer=4096)
    before = behind.resident_kib()
    browser.send(GET)
    assert browser.read_head() == 200
    time.sleep(0.5)  # what must not come has the time to come
    assert sum(sent) < 25_000_000
    assert behind.resident_kib() - before < 4000
    left = 30_000_000
    while left > 0:
        left -= len(browser.flow.read(soon()))
    assert left == 0


@pytest.mark.parametrize("then", ["close", "reset", "go-on"])
def test_answer_before_the_end_of_an_upload_comes_through(backend, browser, then):
    def serve(connection):
        connection.read_head()
        connection.read(100_000)
        connection.answer(b"too large", status="413 Content Too Large", fields=["Connection: close"])
        if then == "reset":
            read.wait(PATIENCE_S)
            connection.reset()
        elif then == "go-on":
            connection.wait_for_end()

    read = threading.Event()
    backend.serve = serve
    browser.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + bytes(200_000))
    assert browser.read_answer() == (413, b"too large")
    assert browser.fields["connection"] == "close"
    read.set()
    assert browser.read_rest() == b""


@pytest.mark.parametrize("when", ["waits", "answers", "uploads"])
def test_client_that_is_gone_takes_its_connection_along(backend, behind, browse, when):
    def serve(connection):
        connection.read_head()
        if when == "answers":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + bytes(1000))
        reached.set()
        connection.wait_for_end()

    reached = threading.Event()
    backend.serve = serve
    browser = browse(behind, "tcp")
    browser.send(post("/up").replace(b"Length: 0", b"Length: 9") if when == "uploads" else GET)
    assert reached.wait(PATIENCE_S)
    if when != "uploads":  # a FIN alone may be that of one that still listens
        browser.flow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    browser.flow.close()
    backend.finish()


# WebSockets of the web server


def websocket_server(connection, greeting=b""):
    connection.read_head()
    connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n"
                    b"Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n" + greeting)  # fmt: skip
    while True:
        connection.send(connection.read())


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_websocket_goes_through(backend, behind, way):
    backend.serve = lambda connection: websocket_server(connection, b"hello")
    sent = frame(TEXT, b"first")
    socket_ = WebSocket(behind.flow(way), "/chat", "chat", first=sent)
    assert b"Sec-WebSocket-Protocol: chat\r\n" in socket_.head
    assert b"Upgrade: websocket\r\n" in socket_.head
    flow = socket_.flow
    assert flow.read_exactly(5 + len(sent), soon()) == b"hello" + sent
    for _ in range(10):  # not from two threads: the client's TLS session is no more than one's
        data = os.urandom(30_000)
        flow.send(data)
        assert flow.read_exactly(len(data), soon()) == data
    request = backend.requests[0]
    assert request.one("Upgrade") == "websocket" and request.one("Connection") == "Upgrade"
    assert request.one("X-Forwarded-For") == "127.0.0.1"
    flow.close()


def test_websocket_after_other_requests_of_the_same_connection(backend, behind, browse):
    def serve(connection):
        connection.read_request()
        connection.answer(b"page")
        websocket_server(connection)

    backend.serve = serve
    browser = browse(behind)
    assert browser.ask() == (200, b"page")
    socket_ = WebSocket(browser.flow, "/chat")
    socket_.flow.send(b"bytes")
    assert socket_.flow.read_exactly(5, soon()) == b"bytes"
    assert len(backend.connections) == 1


def test_quiet_websocket_is_for_the_web_server_to_end(backend, impatient):
    backend.serve = websocket_server
    socket_ = WebSocket(impatient.flow("tls"), "/chat")
    time.sleep(2.5)  # more than twice the idle time
    socket_.flow.send(b"bytes")
    assert socket_.flow.read_exactly(5, soon()) == b"bytes"
    socket_.flow.close()


@pytest.mark.parametrize("side", ["client", "server"])
def test_websocket_of_which_one_side_has_ended_ends(backend, impatient, side):
    """First that half, then, where nothing more comes, the other."""
    def serve(connection):
        websocket_head = connection.read_head()
        assert websocket_head
        connection.send(b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        if side == "server":
            connection.half_close()
        connection.wait_for_end()
        if side == "client":
            connection.send(b"last")
            time.sleep(2.5)

    backend.serve = serve
    flow = WebSocket(impatient.flow("tcp"), "/chat").flow
    if side == "client":
        flow.socket.shutdown(socket.SHUT_WR)
        assert flow.read_exactly(4, soon()) == b"last"
    assert flow.ended_by(soon())
    flow.close()


def test_refused_websocket_leaves_http(backend, browser):
    def serve(connection):
        connection.read_request()
        connection.answer(b"no", status="403 Forbidden")
        echo(connection)

    backend.serve = serve
    browser.send(request("/chat"))
    assert browser.read_answer() == (403, b"no")
    assert browser.ask()[0] == 200


def test_websocket_smuggler_gets_no_tunnel(backend, browser):
    """A hand-shake that the web server refuses, with requests behind it that would pass unseen through a proxy which
    believed in a tunnel."""
    hand_shake = get("/chat", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 1777",
                     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip

    def serve(connection):
        connection.read_request()
        connection.answer(status="426 Upgrade Required")
        echo(connection)

    backend.serve = serve
    browser.send(hand_shake + get("/x", "X-Forwarded-For: 10.0.0.1"))
    assert browser.read_answer()[0] == 426
    assert b"10.0.0.1" not in browser.read_answer()[1]


@pytest.mark.parametrize(
    "fields",
    [["Upgrade: websocket"], ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"],
     ["Upgrade: websocket", "Connection: Upgrade", "Content-Length: 5"]],
)  # fmt: skip
def test_wrong_hand_shake_does_not_reach_the_web_server(backend, browser, fields):
    assert browser.ask(get("/chat", *fields))[0] in (400, 426)
    assert backend.connections == []


def test_websockets_to_the_web_server_are_counted_by_source(shared, backend, eventually):
    backend.serve = websocket_server
    server = shared(http={"backend": backend.address}, limits={"websockets-per-source": 2})
    flows = [WebSocket(server.flow("tls"), "/chat").flow for _ in range(2)]
    with pytest.raises(Refused) as refused:
        WebSocket(server.flow("tls"), "/chat")
    assert refused.value.status == 503
    flows.pop().close()

    def one_more():
        try:
            flows.append(WebSocket(server.flow("tls"), "/chat").flow)
            return True
        except Refused:
            return False

    eventually(one_more)
    for flow in flows:
        flow.close()


# Everything on one port


def test_turn_works_beside_requests_to_the_web_server(backend, behind, browse, connect):
    clients = [connect(behind, way) for way in ("tls", "wss", "tcp")]
    browsers = [browse(behind, way) for way in ("tls", "tcp")]
    for client in clients:
        client.allocated()
    for _ in range(10):
        for browser in browsers:
            assert browser.ask()[0] == 200
        for client in clients:
            assert client.binding().ok


def test_connection_that_asked_the_web_server_may_become_turn(backend, behind, browse):
    """/turn after other requests; what was connected for these is left to the web server's own patience."""
    browser = browse(behind)
    assert browser.ask()[0] == 200
    socket_ = WebSocket(browser.flow, "/turn")
    socket_.flow.send(frame(CLOSE, b"\x03\xe8"))
    assert socket_.flow.ended_by(soon())


def test_end_of_the_server_ends_everything(start, backend):
    def serve(connection):
        connection.read_head()
        reached.set()
        connection.wait_for_end()

    reached = threading.Event()
    backend.serve = serve
    server = start(http={"backend": backend.address})
    flow = StreamFlow(("127.0.0.1", server.port))
    flow.send(GET)
    assert reached.wait(PATIENCE_S)
    server.stop()
    assert flow.ended_by(soon())
    flow.close()
    server.start()


def test_connections_leave_no_memory_behind(backend, behind):
    def round_trips():
        for _ in range(50):
            with Browser(behind.flow("tls")) as browser:
                for _ in range(2):
                    assert browser.ask(post("/x", bytes(20_000)))[0] == 200
        return behind.resident_kib()

    sizes = [round_trips() for _ in range(6)]
    # Under ASan the quarantine grows by what is freed, and the leak checker looks at the end.
    limit = 150 if "asan" in POSTERND.parent.name else 50
    assert min(after - before for before, after in zip(sizes, sizes[1:])) < limit, sizes


def test_web_server_that_ends_instead_of_answering_an_upload_is_502(backend, browser):
    def serve(connection):
        connection.read_head()
        connection.half_close()
        with pytest.raises(Ended):
            while True:
                connection.read()

    backend.serve = serve
    browser.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
    assert browser.read_answer()[0] == 502
