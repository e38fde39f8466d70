# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: one cell a row of the report."""

import dataclasses

IDLE_CLIENTS = 1000


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    group: str
    transport: str
    options: tuple  # of `postern load`
    figure: str  # of its JSON report
    goal: float | None  # the ratio to coturn that is to be reached; None where the two do not do the same work
    fresh: bool = False  # wants a server that has just been started
    less_is_better: bool = False

    def reached(self, ratio):
        if self.goal is None:
            return True
        return ratio <= self.goal if self.less_is_better else ratio >= self.goal


def _relay_cells():
    presentations = [
        ("8 in bursts", ("--in-flight", "8", "--bursts"), 3.0),
        ("8 singly", ("--in-flight", "8"), 1.0),
        ("1", ("--in-flight", "1"), 1.0),
    ]
    for size in (1000, 160):
        for presentation, options, goal in presentations:
            for transport in ("udp", "tcp", "tls"):
                yield Cell(
                    name=f"{transport.upper()}, {presentation}, {size} bytes",
                    group="packets relayed per second of CPU time",
                    transport=transport,
                    options=("--clients", "20", "--size", str(size)) + options,
                    figure="relayed_per_cpu_second",
                    goal=goal,
                )


def _allocation_cells():
    kinds = [
        ("UDP", "udp", (), 1.0),
        ("TLS 1.2", "tls", ("--tls12",), 1.0),
        ("TLS 1.2, resumed", "tls", ("--tls12", "--resume"), 1.0),
        # Debian's coturn does not speak TLS 1.3, which agrees on a new key even when it resumes: posternd does more
        # here, so that no ratio is asked for.
        ("newest TLS of each", "tls", (), None),
        ("newest TLS, resumed", "tls", ("--resume",), None),
    ]
    for label, transport, options, goal in kinds:
        yield Cell(
            name=label,
            group="allocations made and released per second of CPU time",
            transport=transport,
            options=("--allocate-only", "--clients", "8") + options,
            figure="allocations_per_cpu_second",
            goal=goal,
        )


def _memory_cells():
    for transport in ("udp", "tls"):
        yield Cell(
            name=transport.upper(),
            group=f"bytes of resident memory per allocation ({IDLE_CLIENTS:,} idle ones)",
            transport=transport,
            options=("--idle", "--clients", str(IDLE_CLIENTS)),
            figure="server_bytes_per_allocation",
            goal=1.0,
            fresh=True,
            less_is_better=True,
        )


CELLS = [*_relay_cells(), *_allocation_cells(), *_memory_cells()]
