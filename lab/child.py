# SPDX-License-Identifier: BSD-3-Clause
"""Children that have labs of their own to take down: they are asked to end, and waited for."""

import signal
import subprocess
import sys


def output_of(argv, timeout_s=None):
    """Returns what |argv| wrote and its status. Whatever ends the wait early, a timeout or the
    caller's own end, is raised only after the child's end."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        output, _ = process.communicate(timeout=timeout_s)
        return output, process.returncode
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        process.stdout.close()


def leave_gently():
    """Makes SIGTERM unwind this process as SIGINT does, so that output_of() gets its turn."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
