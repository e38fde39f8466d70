# SPDX-License-Identifier: BSD-3-Clause
"""The servers that are compared: how each is set up so that it is at its best on one core, started and stopped."""

import contextlib
import pathlib
import secrets
import socket
import subprocess
import time

ADDRESS = "127.0.0.1"
USER = "load"
START_S = 10
STOP_S = 10


class CannotStart(Exception):
    """One line for the person who started the comparison."""


def make_certificate(directory):
    """A P-256 pair, the same for both servers; returns (certificate, key)."""
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        + ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", f"subjectAltName=IP:{ADDRESS}"]
        + ["-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return certificate, key


class Server:
    """A TURN server as a process on one core. Subclasses say how it is started."""

    name = ""

    def __init__(self, directory, core, plain_port, tls_port, relay_ports):
        self.directory = directory / self.name
        self.directory.mkdir(exist_ok=True)
        self.core = core
        self.plain_port, self.tls_port = plain_port, tls_port
        self.relay_ports = relay_ports
        self.password = secrets.token_urlsafe(18)
        self.process = None

    def command(self, certificate, key):
        """The command line that serves in the foreground."""
        raise NotImplementedError

    def port(self, transport):
        return self.tls_port if transport == "tls" else self.plain_port

    @contextlib.contextmanager
    def running(self, certificate, key):
        log_path = self.directory / "log"
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(self.core)] + self.command(certificate, key),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
            )
        try:
            self._await_listeners(log_path)
            yield self
        finally:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _await_listeners(self, log_path):
        deadline = time.monotonic() + START_S
        for port in (self.plain_port, self.tls_port):
            while True:
                with contextlib.suppress(OSError), socket.create_connection((ADDRESS, port), 1):
                    break
                if self.process.poll() is not None or time.monotonic() > deadline:
                    last = log_path.read_text(errors="replace").strip().splitlines()[-3:]
                    raise CannotStart(f"{self.name} does not serve on port {port}: " + " / ".join(last))
                time.sleep(0.05)


class Coturn(Server):
    """Debian's coturn. One relay thread beside the listener's did better on one core than none or two; logging, DTLS
    and the command line interface are off. It has no limits unless asked for."""

    name = "coturn"

    def command(self, certificate, key):
        first, last = self.relay_ports
        return [
            "turnserver", "-c", "/dev/null", "-n", "--no-cli", "--no-dtls",
            "--no-stdout-log", "--log-file", "/dev/null", "--pidfile", str(self.directory / "pid"),
            "--lt-cred-mech", "--user", f"{USER}:{self.password}", "--realm", "bench",
            "--listening-ip", ADDRESS, "--relay-ip", ADDRESS, "--allow-loopback-peers",
            "--listening-port", str(self.plain_port), "--tls-listening-port", str(self.tls_port),
            "--min-port", str(first), "--max-port", str(last),
            "--relay-threads", "1", "--cert", str(certificate), "--pkey", str(key),
        ]  # fmt: skip


class Posternd(Server):
    """One worker, and the limits that keep strangers in check lifted, as all clients come from one address."""

    name = "posternd"
    program = None

    SETTINGS = """\
realm: bench
listen: ['udp://{address}:{plain}', 'tcp://{address}:{plain}', 'tls://{address}:{tls}']
tls: {{certificate: '{certificate}', key: '{key}'}}
relay: {{addresses: ['{address}'], ports: {first}-{last}, allow-peers: ['{address}', 127.0.0.0/8]}}
users: {{{user}: '{password}'}}
limits:
  allocations: 0
  allocations-per-user: 0
  allocations-per-source: 0
  half-open: 0
  half-open-per-source: 0
  answers-per-network: 0
workers: 1
state-directory: '{state}'
"""

    def command(self, certificate, key):
        first, last = self.relay_ports
        settings = self.directory / "posternd.yaml"
        settings.write_text(
            self.SETTINGS.format(
                address=ADDRESS,
                plain=self.plain_port,
                tls=self.tls_port,
                certificate=certificate,
                key=key,
                first=first,
                last=last,
                user=USER,
                password=self.password,
                state=self.directory,
            )
        )
        return [str(pathlib.Path(self.program).resolve()), "--config", str(settings)]
