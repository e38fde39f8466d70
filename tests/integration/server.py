# SPDX-License-Identifier: BSD-3-Clause
"""posternd as a process: its settings, its start, its end, and what it must not have printed."""

import itertools
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

import yaml

from flows import StreamFlow, UdpFlow, family_of
from stun import Malformed, Message, Method
from turn import Client, Credentials
from websocket import TurnFlow

ROOT = pathlib.Path(__file__).resolve().parents[2]
POSTERND = pathlib.Path(os.environ.get("POSTERND", ROOT / "build" / "posternd"))
START_S = 20
STOP_S = 20
REALM = "example.org"
ALICE = Credentials("alice", "wonderland")
BOB = Credentials("bob", "builder")

# All sockets of a run lie in this range; each server takes a slice of listeners and relay ports.
FIRST_PORT, LAST_PORT = map(int, os.environ.get("POSTERN_TEST_PORTS", "42000-43999").split("-"))
RELAY_SLICE = 100
_listeners = itertools.cycle(range(FIRST_PORT, FIRST_PORT + 500, 2))
_relays = itertools.cycle(
    range(FIRST_PORT + 500, LAST_PORT + 1 - RELAY_SLICE + 1, RELAY_SLICE)
)

# What is freed stays in quarantine, which must not look like a leak in the tests of memory.
ASAN_OPTIONS = "handle_abort=1:quarantine_size_mb=2:thread_local_quarantine_size_kb=64"
SANITIZER = re.compile(r"(Sanitizer|runtime error:|Assertion .* failed)")


def make_certificate(directory, name, *alternatives):
    """A self-signed pair for |name|; returns (certificate, key) paths."""
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    names = ",".join([f"DNS:{name}", *alternatives])
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"]
        + ["-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return certificate, key


def merge(base, changes):
    """|base| with |changes| laid over it; a None takes a key away."""
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def free_port():
    """A listener port (and its successor) nobody serves on."""
    while True:
        port = next(_listeners)
        try:
            for ip, number, kind in itertools.product(
                ("127.0.0.1", "::1"), (port, port + 1), (socket.SOCK_DGRAM, socket.SOCK_STREAM)
            ):
                with socket.socket(family_of(ip), kind) as probe:
                    if kind == socket.SOCK_STREAM:  # on UDP that would share the port with who has it
                        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((ip, number))
            return port
        except OSError:
            continue


class Posternd:
    """|changes| are laid over the default settings; `listen` may say {port} and {tls_port}."""

    def __init__(self, directory, certificate, workers=1, **changes):
        self.directory = directory
        self.certificate, self.key = certificate
        self.port = free_port()
        self.tls_port = self.port + 1
        first = next(_relays)
        self.relay_ports = range(first, first + RELAY_SLICE)
        self.settings = merge(self.default_settings(workers), changes)
        self.settings["listen"] = [
            where.format(port=self.port, tls_port=self.tls_port)
            for where in self.settings["listen"]
        ]
        if "relay" in changes and "ports" in (changes["relay"] or {}):
            low, high = map(int, str(self.settings["relay"]["ports"]).split("-"))
            self.relay_ports = range(low, high + 1)
        self.settings_file = directory / "postern.yaml"
        self.output_file = directory / "output"
        self.process = None

    def default_settings(self, workers):
        port, tls_port = self.port, self.tls_port
        return {
            "realm": REALM,
            "listen": [
                f"udp://127.0.0.1:{port}",
                f"udp://[::1]:{port}",
                f"tcp://127.0.0.1:{port}",
                f"tcp://[::1]:{port}",
                f"tls://127.0.0.1:{tls_port}",
                f"tls://[::1]:{tls_port}",
            ],
            "tls": {"certificate": str(self.certificate), "key": str(self.key)},
            "relay": {
                "addresses": ["127.0.0.1", "::1"],
                "ports": f"{self.relay_ports[0]}-{self.relay_ports[-1]}",
                "allow-peers": ["127.0.0.1", "::1"],
            },
            "users": {ALICE.user: ALICE.password, BOB.user: BOB.password},
            "limits": {
                "allocations-per-user": 1000,
                "allocations-per-source": 1000,
                "answers-per-network": 0,  # all of a test run comes from one network
            },
            "workers": workers,
            "state-directory": str(self.directory / "state"),
        }

    # The process

    def start(self):
        self.settings_file.write_text(yaml.safe_dump(self.settings, sort_keys=False))
        (self.directory / "state").mkdir(exist_ok=True)
        with open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(
                [POSTERND, "--config", self.settings_file],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"ASAN_OPTIONS": ASAN_OPTIONS, **os.environ},
            )
        deadline = time.monotonic() + START_S
        while not self._serves():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"posternd does not serve:\n{self.output()}")
        return self

    def _serves(self):
        kind, _, where = self.settings["listen"][0].partition("://")
        ip, port = where.rsplit(":", 1)
        ip = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(ip, ip.strip("[]"))
        address = ip, int(port)
        try:
            if kind == "udp":
                flow = UdpFlow(address)
                try:
                    flow.send(Message(Method.BINDING).encode())
                    Message.decode(flow.receive(time.monotonic() + 0.05))
                finally:
                    flow.close()
            else:
                socket.create_connection(address, timeout=1).close()
            return True
        except (TimeoutError, OSError, Malformed):
            time.sleep(0.01)
            return False

    def output(self):
        return self.output_file.read_text(errors="replace")

    def check(self):
        """Fails unless the process is alive and no sanitizer has spoken."""
        assert not SANITIZER.search(self.output()), self.output()
        assert self.process.poll() is None, f"posternd died:\n{self.output()}"

    def stop(self):
        """Ends it as systemd does; a leak or a fault turns into a failure here."""
        self.check()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"posternd does not end:\n{self.output()}") from None
        assert not SANITIZER.search(self.output()), self.output()
        assert status == 0, f"exit status {status}:\n{self.output()}"

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def processor_s(self):
        """Processor time that it has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Ways to it

    def tls(self, alpn=None, certificate=None, newest=None, oldest=None):
        context = ssl.create_default_context(cafile=certificate or self.certificate)
        if alpn:
            context.set_alpn_protocols(alpn)
        if newest:
            context.maximum_version = newest
        if oldest:
            context.minimum_version = oldest
        return context

    def flow(self, way="udp", source=None, **options):
        """|way| is udp, tcp or tls, or ws or wss for TURN over WebSocket, with a 6 behind it for IPv6."""
        transport, ip = way.rstrip("6"), "::1" if way.endswith("6") else "127.0.0.1"
        if transport == "udp":
            return UdpFlow((ip, self.port), source, **options)
        if transport == "tcp":
            return StreamFlow((ip, self.port), source, **options)
        if transport == "ws":
            return TurnFlow((ip, self.port), source, **options)
        options.setdefault("tls", self.tls())
        kind = TurnFlow if transport == "wss" else StreamFlow
        return kind((ip, self.tls_port), source, **options)

    def client(self, way="udp", credentials=ALICE, **options):
        return Client(self.flow(way, **options), credentials)
