"""The end of a worker process whose parent is gone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from support.processes import alive
from support.waiting import wait_until

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing ends code that holds the GIL")

# It holds the GIL for longer than any test runs.
WORKER = """
import re
from retest.metrics.worker_pipes import Parent

parent = Parent()
parent.send(b"ready")
re.match("^(a+)+$", "a" * 60 + "b")
"""
KILLED = """
import os, signal, subprocess, sys

worker = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=-1, stdout=-1, start_new_session=True)
worker.stdout.read(len(b"ready") + 8)
print(worker.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@LINUX
def test_a_worker_that_holds_the_gil_ends_with_its_parent() -> None:
    """No thread of the worker comes to see that the pipe has ended."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, WORKER], stdout=subprocess.PIPE, text=True, timeout=120, check=False
    )
    pid = int(done.stdout)
    try:
        wait_until(lambda: not alive(pid), timeout_s=30)
    finally:
        if alive(pid):
            os.kill(pid, 9)


@LINUX
def test_a_worker_whose_parent_has_gone_before_it_was_ready_ends() -> None:
    """No signal would come any more; the request that the parent had sent is not looked at."""
    read, write = os.pipe()
    os.write(write, bytes(7) + b"\x01x")
    os.close(write)
    script = "from retest.metrics.worker_pipes import Parent; Parent(); print('went on', flush=True); 1 / 0"
    try:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=read, capture_output=True, text=True, timeout=120, check=False
        )
    finally:
        os.close(read)
    assert (done.returncode, done.stderr) == (0, "")
