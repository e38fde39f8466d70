# SPDX-License-Identifier: BSD-3-Clause
"""nginx behind posternd, set up as docs/guide.md says: pages, uploads, WebSockets, the clients' real addresses, and
TURN on the same port all the while."""

import asyncio
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

import proxyheader
from flows import PATIENCE_S, StreamFlow
from websocket import TEXT, WebSocket, frame

websockets = pytest.importorskip("websockets")
pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")

# What the guide shows is what is tested: its lines are among these.
CONFIGURATION = """
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {directory}/access.log combined;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    types {{ text/html html; }}
    server {{
        listen 127.0.0.1:{port};
        server_name www.example.org;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Forwarded-For;
        keepalive_timeout 1s;
        client_max_body_size 100m;
        root {directory}/www;
        gzip on;
        gzip_min_length 1;
        location /chat {{
            proxy_pass http://127.0.0.1:{chat};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
        }}
        location /upload {{
            proxy_pass http://127.0.0.1:{port}/discard;
        }}
        location /discard {{
            return 200 "$content_length\\n";
        }}
    }}
}}
"""


class Chat:
    """A WebSocket server that says everything twice."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.started = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.started.wait(PATIENCE_S)

    def _run(self):
        asyncio.set_event_loop(self.loop)

        async def serve():
            async def echo(connection, *_):
                async for message in connection:
                    await connection.send(message)
                    await connection.send(message)

            self.server = await websockets.serve(echo, "127.0.0.1", 0, compression=None)
            self.port = self.server.sockets[0].getsockname()[1]
            self.started.set()

        self.loop.run_until_complete(serve())
        self.loop.run_forever()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(PATIENCE_S)


class Nginx:
    def __init__(self, directory):
        self.directory = directory
        self.chat = Chat()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        (directory / "www").mkdir()
        directory.chmod(0o755)
        configuration = directory / "nginx.conf"
        user = "user root;\n" if os.getuid() == 0 else ""
        configuration.write_text(
            user + CONFIGURATION.format(directory=directory, port=self.port, chat=self.chat.port)
        )
        self.process = subprocess.Popen(
            ["nginx", "-p", directory, "-c", configuration, "-e", directory / "error.log"]
        )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.02)

    def lines(self):
        return (self.directory / "access.log").read_text().splitlines()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.chat.stop()


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    nginx = Nginx(tmp_path_factory.mktemp("nginx"))
    yield nginx
    nginx.stop()


@pytest.fixture
def behind(shared, nginx):
    return shared(
        **{"http": {"backend": f"127.0.0.1:{nginx.port}"}, "proxy-protocol": {"from": ["127.0.0.5"]}}
    )


@pytest.fixture
def browser(behind):
    browser = http.client.HTTPSConnection("127.0.0.1", behind.tls_port, context=behind.tls(), timeout=10)
    yield browser
    browser.close()


def ask(browser, method, path, body=None, **fields):
    browser.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
    answer = browser.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 20_000_000])
def test_files_are_served(nginx, browser, size):
    content = os.urandom(size)
    (nginx.directory / "www" / f"file-{size}").write_bytes(content)
    for _ in range(2):
        answer, body = ask(browser, "GET", f"/file-{size}")
        assert answer.status == 200 and body == content
    answer, body = ask(browser, "GET", f"/file-{size}", If_None_Match=answer.headers["ETag"])
    assert answer.status == 304 and body == b""
    answer, body = ask(browser, "HEAD", f"/file-{size}")
    assert answer.status == 200 and int(answer.headers["Content-Length"]) == size
    if size > 1:
        answer, body = ask(browser, "GET", f"/file-{size}", Range="bytes=1-9")
        assert answer.status == 206 and body == content[1:10]
    assert ask(browser, "GET", "/nothing")[0].status == 404


def test_compressed_page_comes_in_chunks(nginx, browser):
    (nginx.directory / "www" / "page.html").write_text("<p>hello</p>" * 10_000)
    answer, body = ask(browser, "GET", "/page.html", Accept_Encoding="gzip")
    assert answer.headers["Transfer-Encoding"] == "chunked" and answer.headers["Content-Encoding"] == "gzip"
    assert body[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("size", [0, 100, 50_000_000])
def test_upload_arrives(browser, size):
    """nginx passes it on to itself, which it does once it has the whole."""
    answer, body = ask(browser, "POST", "/upload", bytes(size))
    assert answer.status == 200 and int(body) == size


def test_upload_in_chunks_arrives(browser):
    answer, body = ask(browser, "POST", "/upload", iter([b"x" * 1000] * 100))
    assert answer.status == 200 and int(body) == 100_000


def test_upload_that_nginx_refuses_is_told_so(browser):
    browser.putrequest("POST", "/upload")
    browser.putheader("Content-Length", "200000000")
    browser.endheaders()
    browser.send(bytes(1000))
    assert browser.getresponse().status == 413


def test_connection_that_nginx_has_closed_meanwhile_is_no_error(browser):
    """Its keepalive_timeout is 1 s here."""
    for pause in (0, 0.99, 1.0, 1.01, 1.3):
        time.sleep(pause)
        assert ask(browser, "GET", "/nothing")[0].status == 404
        assert ask(browser, "POST", "/upload", b"x")[0].status == 200


def test_log_has_the_address_of_the_client(nginx, behind, eventually):
    header = proxyheader.version_1(("203.0.113.77", 12345))
    flow = StreamFlow(("127.0.0.1", behind.tls_port), "127.0.0.5", tls=behind.tls(), preface=header)
    path = f"/seen-{behind.port}"
    flow.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n".encode())
    assert flow.read(time.monotonic() + PATIENCE_S).startswith(b"HTTP/1.1 404")
    flow.close()
    eventually(lambda: any(path in line for line in nginx.lines()))
    line = next(line for line in nginx.lines() if path in line)
    assert re.match(r"203\.0\.113\.77 - ", line)


def test_nobody_can_forge_an_address_in_the_log(nginx, behind, browser, eventually):
    path = f"/forged-{behind.port}"
    ask(browser, "GET", path, X_Forwarded_For="198.51.100.1", Forwarded="for=198.51.100.1", X_Real_IP="198.51.100.1")
    eventually(lambda: any(path in line for line in nginx.lines()))
    line = next(line for line in nginx.lines() if path in line)
    assert line.startswith("127.0.0.1 - ") and "198.51.100.1" not in line


def test_websocket_through_nginx(behind):
    socket_ = WebSocket(behind.flow("tls"), "/chat")
    for size in (5, 200, 60_000):
        socket_.flow.send(frame(TEXT, b"x" * size))
        head = 2 if size < 126 else 4
        for _ in range(2):
            echoed = socket_.flow.read_exactly(head + size, time.monotonic() + PATIENCE_S)
            assert echoed[head:] == b"x" * size
    socket_.flow.close()


def test_everything_at_once_on_one_port(nginx, behind, browser, connect, peer):
    """A page, an upload, a chat, and TURN over TLS and WebSocket with media both ways."""
    (nginx.directory / "www" / "file").write_bytes(bytes(1_000_000))
    chat = WebSocket(behind.flow("tls"), "/chat").flow
    there = peer()
    clients = [connect(behind, way) for way in ("tls", "wss")]
    for client in clients:
        client.allocated()
        assert client.bind_channel(0x4000, there.address).ok
    for i in range(5):
        chat.send(frame(TEXT, b"%d" % i))
        assert ask(browser, "GET", "/file")[1] == bytes(1_000_000)
        assert ask(browser, "POST", "/upload", bytes(100_000))[0].status == 200
        assert ask(browser, "GET", "/")[0].status == 200
        for client in clients:
            client.send_channel(0x4000, b"media %d" % i)
            data, source = there.receive()
            assert data == b"media %d" % i
            there.send(b"back", source)
            assert client.receive_data() == (0x4000, b"back")
        assert chat.read_exactly(6, time.monotonic() + PATIENCE_S).endswith(b"%d" % i)
    chat.close()
