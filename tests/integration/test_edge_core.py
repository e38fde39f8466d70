# SPDX-License-Identifier: BSD-3-Clause
"""The way to the core: next hops by URI and by DNS (RFC 3263), fail-over, TLS, and cores that misbehave."""

import socket
import ssl
import subprocess

import pytest

import sip
from dnsserver import DnsServer
from server import free_port
from sip import DOMAIN, Core, DeadPort, parameter
from test_edge_calls import CAROL, called
from test_edge_flows import final_status


@pytest.fixture
def make_core():
    """make_core(transport, …): a core of the test's own."""
    made = []

    def make(transport="udp", edge_port=None, **options):
        made.append(Core(free_port(), edge_port or free_port(), transport, **options))
        return made[-1]

    yield make
    for core in made:
        core.close()


@pytest.fixture
def dead_port():
    made = []

    def make(transport):
        made.append(DeadPort(transport))
        return made[-1]

    yield make
    for port in made:
        port.close()


@pytest.fixture
def dns():
    server = DnsServer()
    yield server
    server.close()


def passes(edge):
    """Whether a REGISTER gets to the core and its answer back."""
    edge.registered()
    return True


# Fail-over


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_second_entry_counts_where_nobody_listens_at_the_first(start_edge, make_core, transport):
    """By UDP an ICMP error says so, by TCP a refused connection: neither takes the time of a silence."""
    first, core = make_core(transport), make_core(transport)
    first.close()
    edge = start_edge(first.uri, core.uri, core=core)
    for _ in range(3):
        wic = edge.wic()
        wic.registered(core)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_silent_first_entry_is_passed_over(start_edge, make_core, dead_port, transport):
    """Nothing comes back at all: four seconds, and then it is asked last."""
    first, core = dead_port(transport), make_core(transport)
    edge = start_edge(first.uri, core.uri, core=core)
    wic = edge.wic()
    request = wic.send(wic.registering())
    core.accept(core.receive("REGISTER", within=10))
    assert wic.final(request).status == 200
    assert edge.wic().registered(core)


def test_call_within_a_failed_entry_goes_on_at_the_next(start_edge, make_core):
    first, second = make_core("tcp"), make_core("tcp")
    second.edge_port = first.edge_port
    edge = start_edge(first.uri, second.uri, core=first)
    wic = edge.wic()
    wic.registered(first)
    first.close()
    request = wic.send(wic.registering())
    second.accept(second.receive("REGISTER", within=10))
    assert wic.final(request).status == 200


def test_no_core_at_all_is_503(start_edge, make_core):
    core = make_core("tcp")
    core.close()
    edge = start_edge(core.uri, core=core)
    wic = edge.wic()
    request = wic.send(wic.registering())
    assert wic.final(request, within=10).status in (408, 503)


@pytest.mark.slow
def test_silent_core_is_408_in_the_end(start_edge, make_core):
    edge = start_edge(core=make_core("udp"))
    wic = edge.wic()
    request = wic.send(wic.registering())
    assert wic.final(request, within=40).status == 408


def test_lost_answer_is_asked_for_again_on_udp(edge):
    wic, core = edge.wic(), edge.core
    request = wic.send(wic.registering())
    seen = core.receive("REGISTER")
    del core.answered[seen.branch, "REGISTER"]
    again = core.receive("REGISTER")
    assert (again.branch, again.get("CSeq")) == (seen.branch, seen.get("CSeq"))
    core.accept(again)
    assert wic.final(request).status == 200


def test_request_that_the_core_repeats_is_passed_once_and_answered_again(edge):
    wic, core = edge.registered(), edge.core
    request = core.to_wic(wic, "MESSAGE")
    seen = wic.receive("MESSAGE")
    core.send(request)
    wic.answer(seen, 200)
    core.receive(200)
    core.send(request)
    core.receive(200)
    with pytest.raises(TimeoutError):
        wic.receive("MESSAGE", within=0.1)


# DNS


def core_behind(dns, core, service="_sip._udp", name=DOMAIN, priority=0):
    dns.service(f"{service}.{name}", f"core{core.port}.{name}", core.port, priority)
    dns.host(f"core{core.port}.{name}", core.ip)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_core_is_found_by_srv(start_edge, make_core, dns, transport):
    core = make_core(transport)
    core_behind(dns, core, f"_sip._{transport}")
    edge = start_edge(f"sip:{DOMAIN};transport={transport}", core=core, dns=[dns.address])
    assert passes(edge)
    assert (f"_sip._{transport}.{DOMAIN}", 33) in dns.asked


def test_core_is_found_by_naptr(start_edge, make_core, dns):
    core = make_core("tcp")
    dns.pointer(DOMAIN, "SIP+D2T", f"_elsewhere._tcp.{DOMAIN}")
    core_behind(dns, core, "_elsewhere._tcp")
    edge = start_edge(f"sip:{DOMAIN}", core=core, dns=[dns.address])
    assert passes(edge)


def test_port_in_the_uri_leaves_srv_aside(start_edge, make_core, dns):
    core = make_core("tcp")
    dns.host(f"pcscf.{DOMAIN}", "127.0.0.1")
    dns.service(f"_sip._tcp.pcscf.{DOMAIN}", f"nowhere.{DOMAIN}", 9)
    edge = start_edge(f"sip:pcscf.{DOMAIN}:{core.port};transport=tcp", core=core, dns=[dns.address])
    assert passes(edge)


def test_priorities_of_srv_are_kept_and_the_next_one_is_asked_where_one_is_dead(start_edge, make_core, dns):
    first, second = make_core("tcp"), make_core("tcp")
    core_behind(dns, first, "_sip._tcp", priority=1)
    core_behind(dns, second, "_sip._tcp", priority=2)
    edge = start_edge(f"sip:{DOMAIN};transport=tcp", core=first, dns=[dns.address])
    assert passes(edge)
    first.close()
    wic = edge.wic()
    request = wic.send(wic.registering())
    second.accept(second.receive("REGISTER", within=10))
    assert wic.final(request).status == 200


@pytest.mark.slow
def test_core_that_moves_is_found_again(start_edge, make_core, dns, eventually):
    first, second = make_core("tcp"), make_core("tcp")
    name = f"pcscf.{DOMAIN}"
    service = f"_sip._tcp.{name}"
    dns.service(service, f"a.{name}", first.port, ttl=1)
    dns.host(f"a.{name}", "127.0.0.1", ttl=1)
    edge = start_edge(f"sip:{name};transport=tcp", core=first, dns=[dns.address])
    assert passes(edge)
    dns.remove(service)
    dns.service(service, f"a.{name}", second.port, ttl=1)

    def arrives_at_the_second():
        wic = edge.wic()
        wic.send(wic.registering())
        try:
            second.accept(second.receive("REGISTER", within=0.2))
            return True
        except TimeoutError:
            return False

    eventually(arrives_at_the_second, within=30)


@pytest.mark.parametrize("trouble", ["no such name", pytest.param("silent", marks=pytest.mark.slow)])
def test_dns_trouble_is_told_to_the_client(start_edge, dns, trouble):
    dns.silent = trouble == "silent"
    edge = start_edge(f"sip:nowhere.{DOMAIN}", dns=[dns.address])
    wic = edge.wic()
    request = wic.send(wic.registering())
    assert wic.final(request, within=20).status in (408, 503)


def test_start_does_not_wait_for_dns(start_edge, make_core, dns, eventually):
    core = make_core("tcp")
    dns.silent = True
    edge = start_edge(f"sip:{DOMAIN};transport=tcp", core=core, dns=[dns.address])
    core_behind(dns, core, "_sip._tcp")
    dns.silent = False

    def registers():
        wic = edge.wic()
        wic.send(wic.registering())
        try:
            core.accept(core.receive("REGISTER", within=0.5))
            return True
        except TimeoutError:
            return False

    eventually(registers, within=20)


# Whom to believe


def stranger(ip="127.0.0.2"):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((ip, 0))
    return one


def test_datagrams_from_elsewhere_are_dropped(edge):
    wic, core = edge.registered(), edge.core
    request = core.make("MESSAGE", f"sip:{wic.user}@{wic.host}", CAROL, wic.aor, [("Route", wic.path[0])])
    with stranger() as other:
        other.sendto(request.encode(), ("127.0.0.1", core.edge_port))
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.recv(1000)
    with pytest.raises(TimeoutError):
        wic.receive("MESSAGE", within=0.05)


def test_connections_from_elsewhere_are_closed(edge):
    with socket.create_connection(("127.0.0.1", edge.core.edge_port), 5, source_address=("127.0.0.2", 0)) as other:
        request = edge.core.make("OPTIONS", f"sip:{DOMAIN}", CAROL)
        with pytest.raises(ConnectionError):
            other.sendall(request.encode())
            while other.recv(1000):
                raise AssertionError("it was answered")
            raise ConnectionResetError


def test_answers_from_elsewhere_are_dropped(edge):
    wic, core = edge.wic(), edge.core
    request = wic.send(wic.registering())
    seen = core.receive("REGISTER")
    forged = sip.answer_to(seen, 200, [("Contact", seen.get("Contact"))])
    with stranger() as other:
        other.sendto(forged.encode(), ("127.0.0.1", core.edge_port))
    with pytest.raises(TimeoutError):
        wic.final(request, within=0.2)
    core.answer(seen, 403)
    assert wic.final(request).status == 403


def test_trusted_sources_may_speak(start_edge):
    edge = start_edge(trusted=["127.0.0.3"])
    wic, core = edge.registered(), edge.core
    request = core.make("MESSAGE", f"sip:{wic.user}@{wic.host}", CAROL, wic.aor, [("Route", wic.path[0])])
    with stranger("127.0.0.3") as other:
        other.sendto(request.encode(), ("127.0.0.1", core.edge_port))
        wic.answer(wic.receive("MESSAGE"), 200)
        other.settimeout(5)
        assert b"SIP/2.0 200" in other.recv(2000)


# Cores that misbehave

GARBAGE = [
    b"\x00\xff" * 300,
    b"SIP/2.0 200 OK\r\n\r\n",
    b"SIP/2.0 99999 OK\r\nVia: x\r\n\r\n",
    b"INVITE\r\n\r\n",
    b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"MESSAGE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
    b"A" * 60000,
    b"\r\n" * 3000,
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage_of_the_core_harms_nobody(either_edge, number):
    core, wic = either_edge.core, either_edge.registered()
    if core.transport == "udp":
        core.udp.sendto(GARBAGE[number], (core.ip, core.edge_port))
    else:
        connection = core.connection()
        try:
            connection.sendall(GARBAGE[number])
            core.next_message(0.2)
        except (TimeoutError, ConnectionError):
            pass
        if core.outgoing:
            core.drop(core.outgoing)
    core.to_wic(wic, "MESSAGE")
    wic.answer(wic.receive("MESSAGE"), 200)
    core.receive(200)
    assert either_edge.wic().registered(core)


def test_stream_without_an_end_of_the_core_is_ended(start_edge, make_core):
    edge = start_edge(core=make_core("tcp"))
    connection = edge.core.connection()
    connection.settimeout(5)
    with pytest.raises(ConnectionError):
        for _ in range(200):
            connection.sendall(b"X-Long: " + b"a" * 60000)


def test_answer_that_is_spoiled_is_no_answer(edge):
    wic, core = edge.wic(), edge.core
    request = wic.send(wic.registering())
    seen = core.receive("REGISTER")
    for name, value in (("Via", None), ("CSeq", "1 INVITE"), ("CSeq", "x"), ("Call-ID", None), ("To", None)):
        spoiled = sip.answer_to(seen, 200)
        spoiled.replace(name, *([value] if value else []))
        core.write(spoiled, seen.source)
    with pytest.raises(TimeoutError):
        wic.final(request, within=0.2)
    core.accept(seen)
    assert wic.final(request).status == 200


def test_answer_to_nothing_is_dropped(edge):
    wic, core = edge.registered(), edge.core
    request = wic.send(wic.make("MESSAGE", CAROL, wic.aor))
    seen = core.receive("MESSAGE")
    core.answer(seen, 200)
    assert wic.final(request).status == 200
    for via in (seen.values("Via")[0].replace("z9hG4bK", "z9hG4bKx"), core.via()):
        stray = sip.answer_to(seen, 200)
        stray.replace("Via", via, *seen.values("Via")[1:])
        core.write(stray, seen.source)
    with pytest.raises(TimeoutError):
        wic.next_message(0.2)


def test_core_that_closes_in_the_middle_of_a_call_is_connected_to_again(start_edge, make_core):
    edge = start_edge(core=make_core("tcp"))
    core, wic = edge.core, edge.registered()
    caller, callee = called(wic, core)
    core.hang_up()
    wic.settle()
    info = caller.send("INFO")
    core.answer(core.receive("INFO"), 200)
    assert wic.final(info).status == 200
    core.hang_up()
    wic.settle()
    bye = callee.send("BYE")
    wic.answer(wic.receive("BYE"), 200)
    assert core.final(bye).status == 200


def test_core_that_closes_before_it_answers_fails_the_request(start_edge, make_core):
    edge = start_edge(core=make_core("tcp"))
    core, wic = edge.core, edge.wic()
    request = wic.send(wic.registering())
    core.receive("REGISTER")
    core.hang_up()
    wic.settle()
    assert wic.final(request).status in (408, 503)
    edge.wic().registered(core)


def test_core_without_outbound_routes_of_ours_hears_404(edge):
    request = edge.core.send(edge.core.make("MESSAGE", f"sip:127.0.0.1:{edge.core.edge_port}", CAROL))
    assert final_status(edge.core, request) == 404


def test_core_that_asks_whether_we_live_hears_200(edge):
    request = edge.core.send(edge.core.make("OPTIONS", f"sip:127.0.0.1:{edge.core.edge_port}", CAROL))
    assert final_status(edge.core, request) == 200


def test_messages_in_one_segment_and_in_many(start_edge, make_core):
    edge = start_edge(core=make_core("tcp"))
    core, wic = edge.core, edge.registered()
    requests = [core.make("MESSAGE", "sip:a@b.invalid", CAROL, wic.aor, [("Route", wic.path[0])]) for _ in range(5)]
    core.connection().sendall(b"\r\n\r\n".join(request.encode() for request in requests))
    for _ in requests:
        wic.answer(wic.receive("MESSAGE"), 200)
        core.receive(200)
    request = core.make("MESSAGE", "sip:a@b.invalid", CAROL, wic.aor, [("Route", wic.path[0])], b"slowly")
    for at in range(0, len(request.encode()), 7):
        core.connection().sendall(request.encode()[at : at + 7])
    assert wic.receive("MESSAGE").body == b"slowly"


# TLS


class Authority:
    """Who signs certificates of cores."""

    def __init__(self, directory, name="core-ca"):
        self.directory, self.certificate, self.key = directory, directory / f"{name}.crt", directory / f"{name}.key"
        self.call("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-subj", f"/CN={name}", "-out", self.certificate, "-keyout", self.key)  # fmt: skip

    @staticmethod
    def call(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def issue(self, name):
        """(certificate, key) for |name|."""
        base = self.directory / name
        certificate, key = base.with_suffix(".crt"), base.with_suffix(".key")
        self.call("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                  "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-CA", self.certificate,
                  "-CAkey", self.key, "-addext", "basicConstraints=critical,CA:FALSE",
                  "-out", certificate, "-keyout", key)  # fmt: skip
        return certificate, key


class TlsCore(Core):
    """A core whose connections are TLS: those that come in; its answers go back on them."""

    def __init__(self, port, edge_port, certificate):
        super().__init__(port, edge_port, "tls")
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(*certificate)
        self.failures = []

    def adopt(self, connection):
        connection.settimeout(5)
        try:
            connection = self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as failure:
            self.failures.append(failure)
            connection.close()
            return None
        return super().adopt(connection)


@pytest.fixture
def tls_edge(start_edge, dns, tmp_path):
    made = []

    def make(name, authority=None, believed=None):
        authority = authority or Authority(tmp_path)
        core = TlsCore(free_port(), free_port(), authority.issue(name))
        made.append(core)
        dns.service(f"_sips._tcp.{DOMAIN}", f"sbc.{DOMAIN}", core.port)
        dns.host(f"sbc.{DOMAIN}", "127.0.0.1")
        listen = [f"tls://127.0.0.1:{core.edge_port}"]
        ca = {"core-ca": str((believed or authority).certificate)}
        return start_edge(f"sip:{DOMAIN};transport=tls", core=core, dns=[dns.address], listen=listen, **ca)

    yield make
    for core in made:
        core.close()


def test_core_by_tls(tls_edge):
    edge = tls_edge(DOMAIN)
    seen, _ = edge.wic().registered(edge.core)
    assert seen.values("Via")[0].startswith("SIP/2.0/TLS ")
    assert parameter(seen.get("P-Charging-Vector"), "icid-value")


def test_certificate_has_to_be_good_for_the_domain_and_not_for_where_srv_leads(tls_edge):
    edge = tls_edge(f"sbc.{DOMAIN}")
    refuses(edge)


def test_certificate_of_an_unknown_authority_is_not_believed(tls_edge, tmp_path):
    edge = tls_edge(DOMAIN, believed=Authority(tmp_path, "other"))
    refuses(edge)


def refuses(edge):
    wic = edge.wic()
    request = wic.send(wic.registering())
    with pytest.raises(TimeoutError):
        edge.core.receive("REGISTER", within=1)
    assert edge.core.failures
    assert wic.final(request, within=10).status in (408, 503)


