# SPDX-License-Identifier: BSD-3-Clause
"""A web server for posternd to stand in front of, which does whatever a test wants."""

import socket
import struct
import threading

PATIENCE_S = 10


class Ended(Exception):
    """The other side ended the connection."""


class Request:
    def __init__(self, head, body=b""):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.method, self.target, self.version = lines[0].split(" ")
        self.fields = [tuple(line.split(": ", 1)) for line in lines[1:] if line]
        self.body = body

    def all(self, name):
        return [value for field, value in self.fields if field.lower() == name.lower()]

    def one(self, name):
        """The value of a field that is there once, or None."""
        values = self.all(name)
        assert len(values) < 2, f"{name} is there twice: {values}"
        return values[0] if values else None


class Connection:
    """posternd's connection to the web server, seen from there."""

    def __init__(self, accepted):
        self.socket = accepted
        self.socket.settimeout(PATIENCE_S)
        self.buffer = b""
        self.requests = []

    def fill(self):
        try:
            data = self.socket.recv(262144)
        except ConnectionError as error:
            raise Ended(str(error)) from None
        if not data:
            raise Ended("end of stream")
        self.buffer += data

    def read(self, size=None):
        """|size| bytes, or whatever has come."""
        while len(self.buffer) < (size or 1):
            self.fill()
        size = size or len(self.buffer)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_until(self, end):
        while end not in self.buffer:
            self.fill()
        data, _, self.buffer = self.buffer.partition(end)
        return data

    def read_head(self):
        self.requests.append(Request(self.read_until(b"\r\n\r\n")))
        return self.requests[-1]

    def read_request(self):
        """A request with its body, chunks as they came."""
        request = self.read_head()
        if request.one("Transfer-Encoding"):
            while not request.body.endswith(b"0\r\n\r\n"):
                request.body += self.read()
        elif size := int(request.one("Content-Length") or 0):
            request.body = self.read(size)
        return request

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError as error:
            raise Ended(str(error)) from None

    def answer(self, body=b"", status="200 OK", fields=()):
        lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_for_end(self):
        """Returns once the other side has ended the connection."""
        try:
            while True:
                self.read()
        except Ended:
            pass


def echo(connection):
    """Says what was asked, for as long as somebody asks."""
    while True:
        request = connection.read_request()
        text = f"{request.line}\n" + "".join(f"{name}: {value}\n" for name, value in request.fields)
        connection.answer(text.encode() + b"\n" + request.body)


class Backend:
    """Listens on ports of its own. |serve| is called with each connection, on a thread of its own."""

    def __init__(self):
        self.listeners = []
        self.begin(echo)
        self.address = "127.0.0.1:%d" % self.listen(0)

    def listen(self, port):
        """On one more port; returns it."""
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener.getsockname()[1]

    def begin(self, serve):
        """A test begins: what came before is forgotten."""
        self.serve = serve
        self.connections, self.failures, self.threads = [], [], []

    def _accept(self, listener):
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            connection = Connection(accepted)
            self.connections.append(connection)
            thread = threading.Thread(
                target=self._run, args=(self.serve, connection, self.failures), daemon=True
            )
            thread.start()
            self.threads.append(thread)

    @staticmethod
    def _run(serve, connection, failures):
        try:
            serve(connection)
        except Ended:
            pass
        except Exception as failure:  # for the test's own thread
            failures.append(failure)
        finally:
            connection.socket.close()

    @property
    def requests(self):
        return [request for connection in self.connections for request in connection.requests]

    def finish(self):
        """Every connection has to end by itself, and what a thread has found goes to the test."""
        for thread in self.threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a connection to the web server was left open"
        if self.failures:
            raise self.failures[0]

    def close(self):
        for listener in self.listeners:
            listener.close()
