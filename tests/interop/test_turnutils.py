# SPDX-License-Identifier: BSD-3-Clause
"""coturn's client programs against posternd.

turnutils_uclient ends with status 0 even when half of its packets were lost, so the tests read its
counters: as many bytes have to come back from the echoing peer as were sent.
"""

import concurrent.futures
import dataclasses
import re
import shutil
import subprocess
import time

import pytest

from server import ALICE, free_port

pytestmark = pytest.mark.skipif(
    shutil.which("turnutils_uclient") is None, reason="Debian's package coturn is not installed"
)

SECRET = "north-of-nowhere"
PASSWORD = "through the looking-glass"
CLIENT_S = 60
AT_ONCE = 28

WAYS = {
    "udp": [],
    "tcp": ["-t"],
    "tls": ["-t", "-S"],
    "dtls": ["-S"],
}


@dataclasses.dataclass
class Run:
    """One run of turnutils_uclient: the way to the server, further options, the addresses."""

    way: str
    options: tuple
    host: str = "127.0.0.1"
    peer: str = "127.0.0.1"
    account: tuple = ()


def planned():
    """All quick runs by name. A run mostly waits for its own timers, so they run side by side."""
    runs = {}
    for way in WAYS:
        runs[f"{way}-channels"] = Run(way, ("-X", "-g"))
        runs[f"{way}-send"] = Run(way, ("-X", "-g", "-s"))
        runs[f"{way}-ipv6-peer"] = Run(way, ("-x",), peer="::1")
        runs[f"{way}-ipv6-server"] = Run(way, ("-X",), host="::1")
        runs[f"{way}-time-limited"] = Run(way, ("-X",), account=("-u", way, "-W", SECRET))
        runs[f"{way}-dual"] = Run(way, ("-Z",))
    for way in ("tcp", "tls"):
        runs[f"{way}-rfc6062"] = Run(way, ("-T",))
    for way in ("udp", "tcp"):
        runs[f"{way}-each-other"] = Run(way, ("-y", "-c", "-m", "2"))
    for name, run in runs.items():
        run.account = run.account or ("-u", name, "-w", PASSWORD)
    return runs


PLANNED = planned()


@pytest.fixture(scope="session")
def echo():
    """The port of a turnutils_peer that echoes UDP and TCP on both families of loopback."""
    port = free_port()
    process = subprocess.Popen(
        ["turnutils_peer", "-L", "127.0.0.1", "-L", "::1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.2)  # it says nothing when it is ready
    assert process.poll() is None
    yield port
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def turn_server(fleet):
    """A user for each run: they all reserve ports, and a user may hold only so many."""
    return fleet(
        users={name: PASSWORD for name in PLANNED},
        relay={"tcp": True, "ports": "43000-43499"},
        credentials={"shared-secrets": [SECRET]},
    )


def uclient(server, echo, run, count=20):
    """Runs turnutils_uclient to its end and returns what it counted.

    Each client draws two channel numbers out of 16,384 and does not look whether they differ: where
    they do not, the second ChannelBind is rightly answered 400, and the draw is repeated.
    """
    for _ in range(3):
        values = uclient_once(server, echo, run, count)
        if "channel bind: error 400" not in values["output"]:
            break
    return values


def uclient_once(server, echo, run, count):
    port = server.tls_port if run.way == "tls" else server.port
    command = ["turnutils_uclient", "-e", run.peer, "-r", str(echo), "-p", str(port)]
    command += [*run.account, *WAYS[run.way], "-n", str(count), "-z", "5", *run.options, run.host]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=CLIENT_S, stdin=subprocess.DEVNULL
    )
    return counters(result)


@pytest.fixture(scope="session")
def runs(turn_server, echo, request):
    """The planned runs that this session asks for, all under way: {name: future of counters}."""
    wanted = {
        item.callspec.params["name"]
        for item in request.session.items
        if item.module.__name__ == __name__ and "name" in item.callspec.params
    }
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            name: pool.submit(uclient, turn_server, echo, run)
            for name, run in PLANNED.items()
            if name in wanted
        }


def counters(result):
    """The last value of each counter that it printed: {name: number}."""
    found = re.findall(r"(tot_\w+)\s*[=~]\s*(\d+)", result.stdout)
    values = {name: int(number) for name, number in found}
    values["output"] = result.stdout + result.stderr
    return values


def assert_all_came_back(values, at_least=1000):
    assert values.get("tot_send_bytes", 0) >= at_least, values["output"]
    assert values["tot_send_bytes"] == values["tot_recv_bytes"], values["output"]
    assert "total send dropped 0 " in values["output"], values["output"]


@pytest.mark.parametrize("name", PLANNED)
def test_uclient_gets_all_its_bytes_back(runs, turn_server, name):
    assert_all_came_back(runs[name].result())
    turn_server.check()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_uclient_under_load_gets_all_its_bytes_back(turn_server, echo, way):
    account = ("-u", ALICE.user, "-w", ALICE.password)
    run = Run(way, ("-X", "-c", "-m", "50", "-l", "170"), account=account)
    assert_all_came_back(uclient(turn_server, echo, run, count=100), at_least=850_000)
    turn_server.check()


def test_uclient_with_a_wrong_password_relays_nothing(turn_server, echo):
    run = Run("udp", ("-X",), account=("-u", ALICE.user, "-w", "wrong"))
    values = uclient(turn_server, echo, run)
    assert values.get("tot_send_bytes", 0) == 0
    assert "Cannot complete Allocation" in values["output"]


def test_stunclient_learns_its_address(turn_server):
    result = subprocess.run(
        ["turnutils_stunclient", "-p", str(turn_server.port), "127.0.0.1"],
        capture_output=True,
        text=True,
        timeout=CLIENT_S,
    )
    assert re.search(r"UDP reflexive addr: 127\.0\.0\.1:\d+", result.stdout), result
