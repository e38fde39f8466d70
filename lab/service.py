# SPDX-License-Identifier: BSD-3-Clause
"""A program that a lab runs on one of its hosts: started, waited for, watched by its log."""

import subprocess
import time
from dataclasses import dataclass

START_PATIENCE_S = 10


class ServiceError(Exception):
    """A service did not start; the text ends with what it said last."""


@dataclass(frozen=True)
class Service:
    name: str
    host: str
    argv: list
    ports: list[str]  # "tcp:443": it is ready when it listens on all of them


def start(network, service):
    """Returns its process once |service| listens. It ends with the network; its output goes to NAME.log."""
    log = network.folder / f"{service.name}.log"
    argv = network.inside(service.host, [str(argument) for argument in service.argv])
    with open(log, "w") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    deadline = time.monotonic() + START_PATIENCE_S
    while not listens(network, service):
        if process.poll() is not None:
            raise ServiceError(f"{service.name} ended at once, status {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServiceError(f"{service.name} does not listen on {', '.join(service.ports)}:\n{tail(log)}")
        time.sleep(0.05)
    return process


def listens(network, service):
    sockets = network.inside(service.host, ["ss", "-Hnltu"])
    rows = subprocess.run(sockets, capture_output=True, text=True, check=True).stdout.splitlines()
    # A row: Netid State Recv-Q Send-Q Local:Port Peer:Port
    columns = [row.split() for row in rows]
    open_ports = {f"{column[0]}:{column[4].rpartition(':')[2]}" for column in columns}
    return open_ports.issuperset(service.ports)


def tail(log, lines=15):
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
