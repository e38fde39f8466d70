# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures: every test that takes a server runs with one worker and with three."""

import json
import time

import pytest

import peers
import sip
from server import POSTERND, Posternd, free_port, make_certificate
from stun import Attr, Message, Method

WAYS = ("udp", "tcp", "tls", "ws", "wss", "udp6", "tcp6", "tls6", "wss6")


@pytest.fixture(scope="session", params=(1, 3), ids=("one_worker", "three_workers"))
def workers(request):
    return request.param


@pytest.fixture(scope="session")
def posternd():
    """The path of the program under test."""
    if not POSTERND.exists():
        pytest.exit(f"{POSTERND} is not built; POSTERND=… names another", returncode=2)
    return POSTERND


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    return make_certificate(directory, "turn.example.org", "IP:127.0.0.1", "IP:::1")


class Fleet:
    """fleet(**changes): the server with these settings, started once and kept for all tests."""

    def __init__(self, make):
        self.make = make
        self.servers = {}

    def __call__(self, **changes):
        name = json.dumps(changes, sort_keys=True)
        if name not in self.servers:
            self.servers[name] = self.make(**changes).start()
        return self.servers[name]

    def forget(self, server):
        server.kill()
        self.servers = {name: one for name, one in self.servers.items() if one is not server}


@pytest.fixture(scope="session")
def fleet(posternd, workers, certificate, tmp_path_factory):
    def make(**changes):
        return Posternd(tmp_path_factory.mktemp("shared"), certificate, workers, **changes)

    fleet = Fleet(make)
    yield fleet
    stop_all(fleet.servers.values())


def stop_all(servers):
    try:
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()


@pytest.fixture
def shared(fleet):
    """Like fleet(), but every server that the test used has to survive it."""
    used = []

    def find(**changes):
        used.append(fleet(**changes))
        return used[-1]

    yield find
    for server in used:
        try:
            server.check()
        except AssertionError:
            fleet.forget(server)  # the next test gets a fresh one
            raise


@pytest.fixture
def server(shared):
    """A server with ordinary settings."""
    return shared()


@pytest.fixture
def start(posternd, workers, certificate, tmp_path_factory):
    """start(**changes): a server of the test's own, whose settings differ from the ordinary."""
    servers = []

    def start_server(**changes):
        server = Posternd(tmp_path_factory.mktemp("own"), certificate, workers, **changes)
        servers.append(server)
        return server.start()

    yield start_server
    stop_all(servers)


@pytest.fixture
def connect():
    """connect(server, way, …): a client that gives its allocation back when the test ends."""
    clients = []

    def connect_client(server, way="udp", **options):
        client = server.client(way, **options)
        clients.append(client)
        return client

    yield connect_client
    for client in clients:
        release(client)
        client.close()


def release(client):
    """On UDP an allocation would stay for ten minutes, and with it its port."""
    if client.nonce is None or client.flow.reliable or client.credentials is None:
        return
    message = Message(Method.REFRESH, attributes=[(Attr.LIFETIME, bytes(4))])
    client.sign(message)
    try:
        client.flow.send(message.raw)
    except OSError:
        pass  # the server is gone already


@pytest.fixture
def peer():
    """peer(ip): an UDP socket somewhere else on loopback."""
    made = []

    def make(ip="127.0.0.1", port=0):
        made.append(peers.UdpPeer(ip, port))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def tcp_peer():
    made = []

    def make(ip="127.0.0.1"):
        made.append(peers.TcpPeer(ip))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def eventually():
    """eventually(check): waits until |check| holds, for what a process does in its own time."""

    def wait(check, within=5.0):
        deadline = time.monotonic() + within
        while not check():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.01)

    return wait


def edge_settings(edge_port, *cores, **changes):
    """Settings of an edge whose core is at the SIP URIs |cores|."""
    listen = [f"udp://127.0.0.1:{edge_port}", f"tcp://127.0.0.1:{edge_port}"]
    return {"domain": sip.DOMAIN, "core": list(cores), "listen": listen, **changes}


class Edge:
    """An edge before its core, and the WICs of one test."""

    def __init__(self, server, core):
        self.server, self.core, self.wics = server, core, []

    def wic(self, user="alice", **options):
        """A WebSocket that has not registered yet."""
        self.wics.append(sip.Wic(self.server.flow("tls"), user, **options))
        return self.wics[-1]

    def registered(self, user="alice", fields=(), **options):
        wic = self.wic(user, **options)
        wic.registered(self.core, fields)
        return wic

    def close(self):
        for wic in self.wics:
            wic.close()


@pytest.fixture(scope="session")
def cores():
    """The cores of the servers that tests share: they live as long as those."""
    made = {}
    yield made
    for core in made.values():
        core.close()


@pytest.fixture
def find_edge(shared, workers, cores):
    """find_edge(transport, …): a server that tests share, before its core; |settings| are those beside the edge's."""
    made = []

    def find(transport="udp", settings=None, **changes):
        name = json.dumps([transport, workers, settings, changes], sort_keys=True)
        if name not in cores:
            cores[name] = sip.Core(free_port(), free_port(), transport)
        core = cores[name]
        server = shared(edge=edge_settings(core.edge_port, core.uri, **changes), **(settings or {}))
        core.begin_anew()
        made.append(Edge(server, core))
        return made[-1]

    yield find
    for one in made:
        one.close()


@pytest.fixture
def edge(find_edge):
    """An edge whose core is reached by UDP."""
    return find_edge()


@pytest.fixture(params=("udp", "tcp"))
def either_edge(request, find_edge):
    """The same by UDP and by TCP."""
    return find_edge(request.param)


@pytest.fixture
def start_edge(start):
    """start_edge(core, …): a server of the test's own before the core, or cores, that it names."""
    made, cores = [], []

    def start_one(*uris, core=None, settings=None, **changes):
        if core is None:
            core = sip.Core(free_port(), free_port())
            cores.append(core)
        server = start(edge=edge_settings(core.edge_port, *(uris or [core.uri]), **changes), **(settings or {}))
        made.append(Edge(server, core))
        return made[-1]

    yield start_one
    for one in made:
        one.close()
    for core in cores:
        core.close()
