# SPDX-License-Identifier: BSD-3-Clause
"""`postern load` measures what it says it measures, and says in one line what stands in its way."""

import json
import signal
import socket
import subprocess
import time

import pytest

from server import ALICE, POSTERND

POSTERN = POSTERND.parent / "postern"
SECRET = "a secret that nobody else knows"
LIMIT_S = 60


def load(*arguments, credentials=("--user", ALICE.user, "--password", ALICE.password)):
    assert POSTERN.exists(), f"{POSTERN} is not built"
    command = [POSTERN, "load", "--duration", "1", *credentials, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def report(*arguments, **options):
    done = load("--json", *arguments, **options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def way(server, transport):
    """Options and the address for |transport|."""
    port = server.tls_port if transport == "tls" else server.port
    return "--transport", transport, "--ca", server.certificate, f"127.0.0.1:{port}"


@pytest.mark.parametrize("bursts", [False, True], ids=["singly", "bursts"])
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_every_packet_comes_back_on_every_transport(server, transport, bursts):
    options = ["--bursts"] if bursts else []
    found = report("--clients", 3, "--in-flight", 5, "--size", 333, *options, *way(server, transport))
    assert found["sent"] > 100
    assert found["answered"] == found["sent"]
    # Both ways, within the measured time: what is under way at its ends is the difference.
    assert abs(found["relayed"] - 2 * found["answered"]) <= 4 * 3 * 5
    assert 0 < found["latency_us"]["p50"] <= found["latency_us"]["p99"] <= found["latency_us"]["max"]


def test_packets_come_back_over_ipv6(server):
    assert report("--clients", 2, f"[::1]:{server.port}")["answered"] > 100
    options = "--transport", "tls", "--ca", server.certificate
    assert report("--clients", 2, *options, f"[::1]:{server.tls_port}")["answered"] > 100


def test_an_open_loop_sends_what_was_asked_for_whatever_comes_back(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        done = load("--rate", 500, "--peer", f"127.0.0.1:{deaf.getsockname()[1]}", *way(server, "udp"))
    assert done.returncode == 1
    assert "not one packet came back" in done.stderr
    found = report("--rate", 500, *way(server, "udp"))
    assert found["sent"] == pytest.approx(500, rel=0.1)
    assert found["lost_percent"] == 0


def test_a_peer_of_somebody_elses_may_echo(server):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mirror:
        mirror.bind(("127.0.0.1", 0))
        mirror.settimeout(0.1)
        command = [POSTERN, "load", "--json", "--duration", "1", "--user", ALICE.user, "--password", ALICE.password]
        command += ["--clients", "2", "--in-flight", "1", "--peer", f"127.0.0.1:{mirror.getsockname()[1]}"]
        with subprocess.Popen([*command, f"127.0.0.1:{server.port}"], stdout=subprocess.PIPE) as run:
            deadline = time.monotonic() + LIMIT_S
            while run.poll() is None and time.monotonic() < deadline:
                try:
                    datagram, sender = mirror.recvfrom(2048)
                    mirror.sendto(datagram, sender)
                except TimeoutError:
                    pass
            found = json.loads(run.stdout.read())
    assert found["answered"] == found["sent"] > 0


@pytest.mark.parametrize(
    ("transport", "options"),
    [("udp", []), ("tls", ["--resume"]), ("tls", ["--resume", "--tls12"])],
    ids=["udp", "tls1.3", "tls1.2"],
)
def test_allocations_are_made_and_released(server, transport, options):
    found = report(
        "--allocate-only", "--clients", 2, "--server-pid", server.process.pid, *options, *way(server, transport)
    )
    assert found["allocations"] > 10
    assert found["server_cpu_seconds"] > 0
    # The first of each client cannot be, and a hand-shake may be too early for the ticket of the one before.
    assert found["resumed"] > found["allocations"] / 2 if transport == "tls" else found["resumed"] == 0


def test_idle_allocations_are_there_and_given_back(server):
    for _ in range(2):  # more than there are relay ports, if they were not
        found = report("--idle", "--clients", 60, "--server-pid", server.process.pid, *way(server, "udp"))
        assert found["allocations"] == 60


def test_time_limited_credentials_are_made_from_the_secret(shared):
    server = shared(**{"credentials": {"shared-secrets": [SECRET]}})
    found = report("--clients", 1, *way(server, "udp"), credentials=("--secret", SECRET))
    assert found["answered"] > 0


def test_an_interrupted_run_gives_its_allocations_back(server):
    for _ in range(2):  # more than there are relay ports, if it did not
        command = [POSTERN, "load", "--idle", "--clients", "60", "--duration", "30"]
        command += ["--user", ALICE.user, "--password", ALICE.password, f"127.0.0.1:{server.port}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
            time.sleep(1)
            run.send_signal(signal.SIGINT)
            _, complaint = run.communicate(timeout=LIMIT_S)
        assert run.returncode == 1
        assert complaint == "postern load: interrupted\n"


def refusals(server):
    """(arguments, what the one line says)"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{probe.getsockname()[1]}"
    here = f"127.0.0.1:{server.port}"
    return [
        (["--password", "wrong", here], "401"),
        (["--transport", "tcp", nobody], "refused"),
        ([nobody], "refused"),
        (["--transport", "tls", f"127.0.0.1:{server.tls_port}"], "--insecure"),
        (["--transport", "tls", "--ca", "/nonexistent", f"127.0.0.1:{server.tls_port}"], "/nonexistent"),
        (["--peer", "10.0.0.1:7", here], "403"),
        (["--server-pid", "4194305", here], "no such process"),
        (["--clients", "0", here], "from 1 to"),
        (["--size", "1", here], "from 40 to"),
        (["--transport", "pigeon", here], "udp, tcp or tls"),
        (["--peer", "here", here], "address with a port"),
        (["--threads", "9", "--clients", "3", here], "--threads"),
        (["--nonsense", here], "--nonsense"),
        (["--clients"], "argument"),
        ([], "exactly one server"),
        (["127.0.0.1:port"], "number"),
    ]


def test_what_stands_in_the_way_is_told_in_one_line(server):
    for arguments, says in refusals(server):
        done = load(*arguments)
        assert done.returncode == 1, arguments
        assert done.stdout == "", arguments
        assert done.stderr.startswith("postern load: ") and done.stderr.count("\n") == 1, done.stderr
        assert says in done.stderr, done.stderr


def test_help_and_version_are_no_errors(posternd):
    for arguments in (["--help"], ["help"], ["--version"], ["load", "--help"]):
        done = subprocess.run([POSTERN, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 0
        assert done.stdout and not done.stderr
    for arguments in ([], ["no-such-command"]):
        done = subprocess.run([POSTERN, *arguments], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        assert done.returncode == 1
        assert done.stderr and not done.stdout
