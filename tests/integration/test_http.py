# SPDX-License-Identifier: BSD-3-Clause
"""HTTP on the shared port: pages, challenges, 404 elsewhere, and nothing for those who attack it."""

import gzip
import os
import re
import time

import pytest

from flows import PATIENCE_S, Closed, StreamFlow

HEAD = b"Host: turn.example.org\r\n"


def soon():
    return time.monotonic() + PATIENCE_S


def exchange(server, request, way="tls"):
    """All that comes back until the server closes."""
    flow = server.flow(way)
    answer = b""
    try:
        flow.send(request)
        while True:
            answer += flow.read(soon())
    except (Closed, BrokenPipeError, ConnectionResetError):
        return answer
    finally:
        flow.close()


def status_of(answer):
    version, status, _ = answer.split(b" ", 2)
    assert version == b"HTTP/1.1", answer[:80]
    return int(status)


def get(server, path, way="tls", method=b"GET", fields=b""):
    request = method + b" " + path + b" HTTP/1.1\r\n" + HEAD + fields + b"Connection: close\r\n\r\n"
    return exchange(server, request, way)


@pytest.mark.parametrize("way", ["tls", "tls6"])
def test_status_page_is_served(server, way):
    answer = get(server, b"/", way)
    assert status_of(answer) == 200
    assert b"text/html" in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("way", ["tcp", "tcp6"])
def test_page_asked_for_without_tls_is_redirected(server, way):
    answer = get(server, b"/?from=mail", way)
    assert status_of(answer) == 308
    where = f"Location: https://turn.example.org:{server.tls_port}/?from=mail\r\n"
    assert where.encode() in answer


def test_page_is_served_without_tls_where_there_is_none(start):
    server = start(listen=["tcp://127.0.0.1:{port}"])
    assert status_of(get(server, b"/", "tcp")) == 200


def test_page_that_is_known_is_not_sent_again(server):
    answer = get(server, b"/")
    tag = next(line for line in answer.split(b"\r\n") if line.startswith(b"ETag: "))[6:]
    again = get(server, b"/", fields=b"If-None-Match: " + tag + b"\r\n")
    assert status_of(again) == 304
    assert again.endswith(b"\r\n\r\n")
    assert status_of(get(server, b"/", fields=b'If-None-Match: "other"\r\n')) == 200


@pytest.mark.parametrize(
    ("path", "kind"),
    [(b"/", b"text/html"), (b"/check", b"text/html"), (b"/style.css", b"text/css"), (b"/icon.svg", b"image/svg+xml"),
     (b"/wic.js", b"text/javascript"), (b"/check.js", b"text/javascript"), (b"/licences.txt", b"text/plain")],
)  # fmt: skip
def test_pages_and_what_they_load_are_served(server, path, kind):
    answer = get(server, path)
    assert status_of(answer) == 200
    assert b"Content-Type: " + kind in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("path", [b"/", b"/check"])
def test_pages_load_only_what_is_served_beside_them(server, path):
    """A strict Content-Security-Policy lets nothing else run, and nobody else learns of a visit."""
    head, _, page = get(server, path).partition(b"\r\n\r\n")
    assert b"unsafe" not in head
    assert b"://" not in page
    assert not re.search(rb"<style|<script(?![^>]* src=)|\son[a-z]+=|\sstyle=", page)
    for used in re.findall(rb'<(?:script|link)[^>]* (?:src|href)="([^"]*)"', page):
        assert status_of(get(server, used)) == 200


def test_licences_of_what_the_scripts_contain_are_served(server):
    text = get(server, b"/licences.txt")
    for package in (b"jssip", b"sdp-transform", b"events", b"debug"):
        assert b"\n" + package + b" " in text
    assert text.count(b"Permission is hereby granted, free of charge") >= 4
    assert b"/licences.txt" in get(server, b"/wic.js")


def test_page_comes_compressed_to_those_who_take_it(server):
    plain = get(server, b"/wic.js").partition(b"\r\n\r\n")[2]
    head, _, packed = get(server, b"/wic.js", fields=b"Accept-Encoding: br, gzip\r\n").partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert b"Vary: Accept-Encoding" in head
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 3


def test_pages_can_be_left_out(start):
    assert status_of(get(start(http={"pages": False}), b"/")) == 404


def test_challenge_is_served_with_and_without_tls(start, tmp_path):
    server = start(http={"acme-directory": str(tmp_path)})
    (tmp_path / "Token_-1").write_text("Token_-1.thumbprint")
    for way in ("tcp", "tls"):
        answer = get(server, b"/.well-known/acme-challenge/Token_-1", way)
        assert status_of(answer) == 200
        assert answer.endswith(b"\r\n\r\nToken_-1.thumbprint")
        assert status_of(get(server, b"/.well-known/acme-challenge/other", way)) == 404


@pytest.mark.parametrize(
    "token",
    [b"", b".", b"..", b"../secret", b"%2e%2e%2fsecret", b"link", b"folder", b"folder/inner",
     b"pipe", b"long", b"a" * 200, b"dotted.txt"],
    ids=["none", "dot", "dots", "parent", "encoded", "link", "folder", "inner", "pipe", "long",
         "long-name", "dotted"],
)  # fmt: skip
def test_challenge_serves_no_other_file(start, tmp_path, token):
    directory = tmp_path / "challenges"
    (directory / "folder").mkdir(parents=True)
    for name in ("secret", "challenges/folder/inner", "challenges/dotted.txt"):
        (tmp_path / name).write_text("secret")
    (directory / "link").symlink_to(tmp_path / "secret")
    (directory / "long").write_text("secret" * 1000)
    os.mkfifo(directory / "pipe")
    server = start(http={"acme-directory": str(directory)})
    answer = get(server, b"/.well-known/acme-challenge/" + token)
    assert status_of(answer) == 404
    assert b"secret" not in answer


def test_status_page_tells_no_secret(server, connect):
    connect(server).allocated()
    page = get(server, b"/")
    for secret in (b"wonderland", b"alice", b"bob", str(server.directory).encode()):
        assert secret not in page


@pytest.mark.parametrize(
    "path",
    [b"/nothing", b"/admin", b"/v1", b"/../etc/passwd", b"/%2e%2e/etc/passwd",
     b"/index.html/..", b"/.well-known/acme-challenge/../../x", b"//etc/passwd",
     b"/" + b"a" * 1000],
    ids=["nothing", "admin", "v1", "dots", "encoded-dots", "tail-dots", "acme-dots", "slashes",
         "long"],
)  # fmt: skip
def test_everything_else_is_404(server, path):
    answer = get(server, path)
    assert status_of(answer) in (400, 404)
    assert b"root:" not in answer


@pytest.mark.parametrize("path", [b"/nothing", b"/metrics", b"/cli"])
def test_unknown_path_is_404(server, path):
    assert status_of(get(server, path)) == 404


def test_head_has_no_body(server):
    answer = get(server, b"/", method=b"HEAD")
    assert status_of(answer) == 200
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"TRACE", b"CONNECT"])
def test_other_methods_are_refused(server, method):
    assert status_of(get(server, b"/", method=method)) in (400, 404, 405, 501)


def read_answer(flow):
    """The next answer, head and body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += flow.read_exactly(1, soon())
    length = int(re.search(rb"Content-Length: (\d+)", head)[1])
    return head + flow.read_exactly(length, soon())


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_connection_serves_several_requests(server, way):
    flow = server.flow(way)
    for _ in range(3):
        flow.send(b"GET /nothing HTTP/1.1\r\n" + HEAD + b"\r\n")
        answer = read_answer(flow)
        assert status_of(answer) == 404
        assert b"Connection: close" not in answer
    flow.close()


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_pipelined_requests_are_answered_in_order(server, way):
    flow = server.flow(way)
    paths = [b"/nothing", b"/", b"/.well-known/", b"/"] * 5
    requests = [b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n" for path in paths]
    flow.send(b"".join(requests))
    found = 200 if way == "tls" else 308
    for path in paths:
        assert status_of(read_answer(flow)) == (found if path == b"/" else 404)
    flow.close()


def test_pipelined_requests_in_pieces_are_answered_in_order(server):
    flow = server.flow("tcp")
    for byte in (b"GET /nothing HTTP/1.1\r\n" + HEAD + b"\r\n") * 3:
        flow.send(bytes([byte]))
    for _ in range(3):
        assert status_of(read_answer(flow)) == 404
    flow.close()


def test_connection_ends_after_a_hundred_requests(server):
    flow = server.flow("tcp")
    flow.send((b"GET /nothing HTTP/1.1\r\n" + HEAD + b"\r\n") * 150)
    answers = b""
    try:
        while True:
            answers += flow.read(soon())
    except Closed:
        pass
    assert answers.count(b"HTTP/1.1 404") == 100
    assert answers.count(b"Connection: close") == 1
    flow.close()


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 47\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: inside.example\r\n\r\n",
     b"Transfer-Encoding: chunked\r\n\r\n2f\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"],
    ids=["length", "chunked"],
)  # fmt: skip
def test_body_is_never_taken_for_a_request(server, body):
    answer = exchange(server, b"GET /nothing HTTP/1.1\r\n" + HEAD + body)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close" in answer


def test_connection_without_a_further_request_is_closed(start):
    server = start(limits={"idle-timeout": "1s"})
    flow = server.flow("tls")
    flow.send(b"GET /nothing HTTP/1.1\r\n" + HEAD + b"\r\n")
    read_answer(flow)
    began = time.monotonic()
    assert flow.ended_by(soon())
    assert time.monotonic() - began < 3
    flow.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n" + HEAD + b"\r\n",
        b"GET  / HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"G\x80T / HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"A" * 200000,
    ],
    ids=["http-0.9", "version", "two-spaces", "no-host", "two-hosts", "space-before-colon",
         "folded", "no-colon", "nul", "high-method", "two-lengths", "smuggling", "negative-length",
         "huge-length", "header-flood", "long-header", "long-target", "no-end"],
)
def test_bad_request_is_refused_and_closed(server, request_bytes):
    answer = exchange(server, request_bytes)
    if answer:
        assert status_of(answer) in (400, 404, 413, 414, 431, 501, 505), answer[:100]
    server.check()


def test_request_that_never_ends_meets_the_deadline(start):
    """One byte now and then must not keep a connection for ever."""
    server = start(limits={"handshake-deadline": "1s"})
    flows = [server.flow(way) for way in ("tcp", "tls")]
    began = time.monotonic()
    for byte in b"GET / HTTP/1.1\r\nHost: " + b"x" * 1000:
        for flow in list(flows):
            try:
                flow.send(bytes([byte]))
                ended = flow.ended_by(time.monotonic() + 0.05)
            except (Closed, OSError):
                ended = True
            if ended:
                flow.close()
                flows.remove(flow)
        if not flows:
            break
    assert not flows, "a slow request was waited for"
    assert time.monotonic() - began < 4


def test_page_carries_headers_that_keep_browsers_safe(server):
    head = get(server, b"/").partition(b"\r\n\r\n")[0].lower()
    assert b"x-content-type-options: nosniff" in head
    assert b"content-security-policy:" in head


@pytest.mark.slow
def test_reader_that_never_reads_costs_no_more_than_its_queue(start):
    """Pipelined requests without ever reading: the server stops taking them, or ends it."""
    server = start()
    flow = StreamFlow(("127.0.0.1", server.port))
    flow.socket.setblocking(False)
    request = b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n"
    before = server.resident_kib()
    until = time.monotonic() + 8
    blocked = 0
    while time.monotonic() < until and blocked < 50:
        try:
            flow.socket.send(request * 1000)
            blocked = 0
        except BlockingIOError:
            blocked += 1
            time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            break
    else:
        assert blocked, "requests were taken without end"
    assert server.resident_kib() - before < 16_000
    flow.close()
    assert status_of(get(server, b"/")) == 200
