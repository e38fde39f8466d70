# SPDX-License-Identifier: BSD-3-Clause
"""SIP (RFC 3261) by hand: a WIC over WebSocket (RFC 7118) and a core, both of which do only what a test tells them.

Nothing runs in the background: a test reads what has come, and says what goes out. So it reads like the trace of a call,
and can send what no stack would.
"""

import hashlib
import os
import re
import selectors
import socket
import time
import uuid
from collections import deque

from flows import PATIENCE_S
from websocket import WebSocket, soon

DOMAIN = "ims.example.org"
ORIGIN = "https://turn.example.org"
JSON_TYPE = "application/vnd.postern.ice-servers+json"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
OFFER = (("Content-Type", "application/sdp"),)


def token():
    return os.urandom(8).hex()


class Message:
    """First line, fields in their order, body. |source| is where it came from, for the answer."""

    def __init__(self, first, fields=(), body=b"", source=None):
        self.first, self.fields, self.body, self.source = first, list(fields), body, source

    @classmethod
    def parse(cls, data, source=None):
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        return cls(first, fields, body, source)

    def encode(self):
        length = [] if self.get("Content-Length") else [("Content-Length", str(len(self.body)))]
        lines = [self.first, *(f"{name}: {value}" for name, value in [*self.fields, *length])]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body

    def __repr__(self):
        return self.encode().decode(errors="replace")

    @property
    def status(self):
        return int(self.first.split(" ")[1]) if self.first.startswith("SIP/2.0 ") else None

    @property
    def method(self):
        return None if self.status else self.first.split(" ")[0]

    @property
    def uri(self):
        return self.first.split(" ")[1]

    def all(self, name):
        return [value for one, value in self.fields if one.lower() == name.lower()]

    def get(self, name):
        return next(iter(self.all(name)), None)

    def values(self, name):
        """The values of all fields |name|, comma lists taken apart."""
        text = ",".join(self.all(name))
        return [value.strip() for value in re.findall(r'(?:"(?:\\.|[^"\\])*"|<[^>]*>|[^,"<])+', text)]

    def replace(self, name, *values):
        """Puts |values| where the first field |name| stood, or at the end."""
        at = next((i for i, one in enumerate(self.fields) if one[0].lower() == name.lower()), len(self.fields))
        before = self.fields[:at]
        after = [one for one in self.fields[at:] if one[0].lower() != name.lower()]
        self.fields = before + [(name, value) for value in values] + after

    @property
    def cseq(self):
        number, method = self.get("CSeq").split()
        return int(number), method

    @property
    def branch(self):
        return parameter(self.values("Via")[0], "branch")


def parameter(value, name):
    """A parameter behind a URI in <>, of a Via, or of an Authorization; None where it is not there."""
    found = re.search(rf'(?:^|[;, ]){name}\s*=\s*("(?:\\.|[^"\\])*"|[^;,\s]+)', value.rpartition(">")[2] or value)
    return found[1].strip('"') if found else None


def uri_of(value):
    found = re.search(r"<([^>]*)>", value)
    return found[1] if found else value.split(";")[0]


def answer_to(request, status, fields=(), body=b"", tag=None):
    """The response |status| as RFC 3261 §8.2.6 and §12.1.1 make it."""
    to = request.get("To")
    if status > 100 and "tag=" not in to:
        to += f";tag={tag or hashlib.sha256(request.get('Call-ID').encode()).hexdigest()[:8]}"
    kept = [("Via", via) for via in request.all("Via")]
    if 100 < status < 300:
        kept += [("Record-Route", route) for route in request.all("Record-Route")]
    kept += [("From", request.get("From")), ("To", to), ("Call-ID", request.get("Call-ID"))]
    return Message(f"SIP/2.0 {status} Said", [*kept, ("CSeq", request.get("CSeq")), *fields], body)


def ack_of(invite, response):
    """The ACK for a final response other than 2xx: a matter of the transaction (RFC 3261 §17.1.1.3)."""
    fields = [("Via", invite.all("Via")[0]), *(("Route", route) for route in invite.all("Route"))]
    fields += [("From", invite.get("From")), ("To", response.get("To")), ("Call-ID", invite.get("Call-ID"))]
    return Message(f"ACK {invite.uri} SIP/2.0", [*fields, ("CSeq", f"{invite.cseq[0]} ACK"), ("Max-Forwards", "70")])


class Dialog:
    """A dialog as one of its ends sees it (RFC 3261 §12)."""

    def __init__(self, party, request, response):
        caller = response.source is not None
        other = response if caller else request
        self.party, self.call_id = party, request.get("Call-ID")
        ends = request.get("From"), response.get("To")
        self.local, self.remote = ends if caller else ends[::-1]
        routes = other.values("Record-Route")
        self.routes = routes[::-1] if caller else routes
        self.target = uri_of(other.get("Contact"))
        self.cseq = request.cseq[0] if caller else 0

    def make(self, method, fields=(), body=b"", cseq=None):
        if cseq is None:
            self.cseq += method != "ACK"
            cseq = self.cseq
        head = [("Route", route) for route in self.routes]
        head += [("From", self.local), ("To", self.remote), ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}")]
        return self.party.complete(Message(f"{method} {self.target} SIP/2.0", [*head, *fields], body))

    def send(self, method, fields=(), body=b"", **options):
        return self.party.send(self.make(method, fields, body, **options))


class Party:
    """What a WIC and a core have in common. They differ in next_message(), transmit() and via()."""

    def __init__(self):
        self.inbox = deque()

    def complete(self, message):
        """Adds what every request has."""
        head = [("Via", self.via()), ("Max-Forwards", "70")]
        message.fields = [one for one in head if not message.get(one[0])] + message.fields
        if message.method in ("INVITE", "SUBSCRIBE", "NOTIFY", "UPDATE") and not message.get("Contact"):
            message.fields.append(("Contact", self.contact()))
        return message

    def make(self, method, uri, sender, to=None, fields=(), body=b"", cseq=1, call_id=None):
        head = [("From", f"<{sender}>;tag={token()}"), ("To", f"<{to or uri}>")]
        head += [("Call-ID", call_id or token()), ("CSeq", f"{cseq} {method}")]
        return self.complete(Message(f"{method} {uri} SIP/2.0", [*head, *fields], body))

    def send(self, message):
        self.transmit(message)
        return message

    def answer(self, request, status, fields=(), body=b"", **options):
        if request.method in ("INVITE", "SUBSCRIBE") and 100 < status < 300 and not dict(fields).get("Contact"):
            fields = [*fields, ("Contact", self.contact())]
        response = answer_to(request, status, fields, body, **options)
        self.transmit(response, request.source)
        return response

    def receive(self, wanted, within=PATIENCE_S):
        """The next request of the method |wanted|, or the next response of that status; the others wait."""
        deadline = soon(within)
        for message in self.inbox:
            if wanted in (message.method, message.status):
                self.inbox.remove(message)
                return message
        while True:
            try:
                message = self.next_message(deadline - time.monotonic())
            except TimeoutError:
                others = "\n\n".join(map(repr, self.inbox))
                raise TimeoutError(f"no {wanted} came, but:\n{others}") from None
            if wanted in (message.method, message.status):
                return message
            self.inbox.append(message)

    def final(self, request, within=PATIENCE_S):
        """The final response to |request|."""
        deadline = soon(within)
        while True:
            kept = next((one for one in self.inbox if is_final(one, request)), None)
            if kept:
                self.inbox.remove(kept)
                return kept
            self.inbox.append(self.next_message(deadline - time.monotonic()))


def is_final(message, request):
    return (message.status or 0) >= 200 and (message.get("Call-ID"), message.get("CSeq")) == (
        request.get("Call-ID"), request.get("CSeq"))  # fmt: skip


class Wic(Party):
    """One WebSocket of a client. |flow| has been connected; |user| is who it registers as."""

    def __init__(self, flow, user="alice", path="/sip", origin=ORIGIN, instance=None, protocols="sip", **changes):
        super().__init__()
        self.flow, self.user = flow, user
        self.websocket = WebSocket(flow, path, protocols, origin=origin, **changes)
        self.host = f"{token()}.invalid"
        self.instance = instance or f"<urn:uuid:{uuid.uuid4()}>"
        self.aor = f"sip:{user}@{DOMAIN}"
        self.call_id, self.cseq = token(), 0

    def via(self):
        return f"SIP/2.0/WSS {self.host};branch=z9hG4bK{token()}"

    def contact(self):
        return f"<sip:{self.user}@{self.host};transport=ws>"

    def transmit(self, message, _source=None):
        self.websocket.send(message.encode())

    def next_message(self, within):
        return Message.parse(self.websocket.message(max(within, 0.001)), source=self)

    def close(self):
        self.websocket.close()

    def settle(self):
        """Waits until its worker has done what it had to do."""
        self.websocket.send(b"\r\n\r\n")
        while (data := self.websocket.message()) != b"\r\n":
            self.inbox.append(Message.parse(data, source=self))

    # What a WIC says first

    def registering(self, fields=(), expires=600, **options):
        """A REGISTER of this WIC's one registration; further ones refresh it."""
        self.cseq += 1
        contact = f'{self.contact()};+sip.instance="{self.instance}";reg-id=1;expires={expires}'
        more = [("Contact", contact), ("Supported", "path, outbound"), *fields]
        return self.make("REGISTER", f"sip:{DOMAIN}", self.aor, self.aor, more, cseq=self.cseq,
                         call_id=self.call_id, **options)  # fmt: skip

    def inviting(self, uri, fields=(), body=SDP, **options):
        return self.make("INVITE", uri, self.aor, uri, [*OFFER, *fields], body, **options)

    def registered(self, core, fields=(), associated=None, **options):
        """Registers with a scripted core; returns what the core got and what came back."""
        sent = self.send(self.registering(fields, **options))
        seen = core.receive("REGISTER")
        core.accept(seen, associated or [f"<{self.aor}>"])
        answer = self.final(sent)
        assert answer.status == 200, answer
        self.path = seen.values("Path")
        return seen, answer


class Core(Party):
    """A core on |port|, UDP and TCP at once. It answers nothing by itself, but absorbs what UDP brings twice, and
    knows no reg-event unless |reg_event|."""

    def __init__(self, port, edge_port=None, transport="udp", ip="127.0.0.1", reg_event=False):
        super().__init__()
        self.ip, self.port, self.edge_port, self.transport = ip, port, edge_port, transport
        self.reg_event = reg_event
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((ip, port))
        self.listener = socket.create_server((ip, port), backlog=8)
        self.selector = selectors.DefaultSelector()
        for one in (self.udp, self.listener):
            self.selector.register(one, selectors.EVENT_READ)
        self.buffers = {}  # connections, and what they brought
        self.outgoing = None  # the connection that this core made
        self.ready = deque()
        self.answered = {}  # what came, by branch and method: the latest response
        self.invites = {}  # what went out, by branch
        self.calls, self.past = set(), set()  # Call-IDs, those of the test and those of former ones

    @property
    def uri(self):
        return f"sip:{self.ip}:{self.port};transport={self.transport}"

    def via(self):
        return f"SIP/2.0/{self.transport.upper()} {self.ip}:{self.port};branch=z9hG4bK{token()}"

    def contact(self):
        return f"<{self.uri}>"

    # Coming in

    def next_message(self, within):
        deadline = soon(within)
        while not self.ready:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in self.selector.select(left):
                self.read(key.fileobj)
        return self.ready.popleft()

    def read(self, ready):
        if ready is self.listener:
            self.adopt(self.listener.accept()[0])
        elif ready is self.udp:
            data, address = self.udp.recvfrom(65536)
            self.take(Message.parse(data, address))
        else:
            self.read_stream(ready)

    def adopt(self, connection):
        self.buffers[connection] = b""
        self.selector.register(connection, selectors.EVENT_READ)
        return connection

    def read_stream(self, connection):
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return self.drop(connection)
        buffer = (self.buffers[connection] + data).lstrip(b"\r\n")
        while b"\r\n\r\n" in buffer:
            head = buffer.partition(b"\r\n\r\n")[0]
            size = len(head) + 4 + int(re.search(rb"(?i)\ncontent-length: *(\d+)", head)[1])
            if len(buffer) < size:
                break
            self.take(Message.parse(buffer[:size], connection))
            buffer = buffer[size:].lstrip(b"\r\n")
        self.buffers[connection] = buffer

    def drop(self, connection):
        self.selector.unregister(connection)
        del self.buffers[connection]
        connection.close()
        if connection is self.outgoing:
            self.outgoing = None

    def hang_up(self):
        """Closes all connections, and waits until the edge has seen it."""
        for connection in list(self.buffers):
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(PATIENCE_S)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionError:
                pass
            self.drop(connection)

    def take(self, message):
        self.calls.add(message.get("Call-ID"))
        if message.status and message.status >= 300 and message.branch in self.invites:
            self.write(ack_of(self.invites[message.branch], message), None)
        if message.get("Call-ID") in self.past:
            if message.method not in (None, "ACK"):
                self.answer(message, 481)
            return
        if message.method and message.method != "ACK":
            key = message.branch, message.method
            if key in self.answered:  # a retransmission
                if self.answered[key]:
                    self.write(self.answered[key], message.source)
                return
            self.answered[key] = None
            if message.method == "SUBSCRIBE" and message.get("Event") == "reg" and not self.reg_event:
                self.answer(message, 489)
                return
        self.ready.append(message)

    # Going out

    def transmit(self, message, source=None):
        if message.status:
            self.answered[message.branch, message.cseq[1]] = message
        elif message.method == "INVITE":
            self.invites[message.branch] = message
        self.calls.add(message.get("Call-ID"))
        self.write(message, source)

    def write(self, message, source):
        """Where it came from; a request: to the edge."""
        if isinstance(source, socket.socket):
            if source in self.buffers:
                return source.sendall(message.encode())
            source = None  # that connection is gone
        if source or self.transport == "udp":
            return self.udp.sendto(message.encode(), source or (self.ip, self.edge_port))
        return self.connection().sendall(message.encode())

    def connection(self):
        if self.outgoing is None:
            made = socket.create_connection((self.ip, self.edge_port), PATIENCE_S, source_address=(self.ip, 0))
            self.outgoing = self.adopt(made)
        return self.outgoing

    # What a core says

    def accept(self, request, associated=(), fields=()):
        """200 to a REGISTER, with Path, Service-Route and P-Associated-URI."""
        granted = [("Path", path) for path in request.all("Path")]
        granted += [("Contact", contact) for contact in request.all("Contact")]
        granted += [("Service-Route", f"<sip:orig@{self.ip}:{self.port};lr;transport={self.transport}>")]
        granted += [("P-Associated-URI", ", ".join(associated))] if associated else []
        return self.answer(request, 200, [*granted, *fields])

    def to_wic(self, wic, method, fields=(), body=b"", sender=f"sip:carol@{DOMAIN}", path=None, **options):
        """A request to where |wic| has registered."""
        routes = [("Route", route) for route in (wic.path if path is None else path)]
        uri = uri_of(wic.contact())
        return self.send(self.make(method, uri, sender, wic.aor, [*routes, *fields], body, **options))

    def forget(self):
        """What has come is of no interest any more."""
        try:
            while True:
                self.next_message(0.001)
        except TimeoutError:
            self.inbox.clear()

    def begin_anew(self):
        """For the next test: nor is what will come of the same calls."""
        self.forget()
        self.past, self.calls = self.past | self.calls, set()

    def receive_nothing(self, settle_s=0.3):
        """Asserts that nothing comes that nobody waited for; a 100 says nothing."""
        try:
            self.inbox.append(self.next_message(settle_s))
        except TimeoutError:
            pass
        came = [message for message in self.inbox if message.status != 100]
        assert not came, came

    def close(self):
        for connection in list(self.buffers):
            self.drop(connection)
        self.selector.close()
        self.listener.close()
        self.udp.close()


class DeadPort:
    """A port that nobody listens on, and nobody else gets: bound, and no more."""

    def __init__(self, transport="udp", ip="127.0.0.1"):
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.socket = socket.socket(socket.AF_INET, kind)
        self.socket.bind((ip, 0))
        self.port = self.socket.getsockname()[1]
        self.uri = f"sip:{ip}:{self.port};transport={transport}"

    def close(self):
        self.socket.close()


# Digest (RFC 7616), as a client computes it


def digest(challenge, user, password, method, uri, algorithm="MD5", **changes):
    """An Authorization value that answers |challenge|, a WWW-Authenticate value."""
    hash_of = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def hashed(*parts):
        return hash_of(":".join(parts).encode()).hexdigest()

    realm, nonce = parameter(challenge, "realm"), parameter(challenge, "nonce")
    count, own = "00000001", token()
    first, second = hashed(user, realm, password), hashed(method, uri)
    response = hashed(first, nonce, count, own, "auth", second)
    values = {"username": user, "realm": realm, "nonce": nonce, "uri": uri, "response": response, "cnonce": own}
    values.update(changes)
    quoted = ", ".join(f'{name}="{value}"' for name, value in values.items())
    return f"Digest {quoted}, algorithm={algorithm}, qop=auth, nc={count}"

