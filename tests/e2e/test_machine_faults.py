"""What the machine does wrong: what is lost, what is paid twice, and what the exit code says."""

from __future__ import annotations

import json
import random
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from support.openai_server import OpenAIServer, Received, Reply, hang, ok
from support.project import Project, Result
from support.waiting import wait_until

CONCURRENCY = 4


def slow(request: Received) -> Reply:
    return ok(request.last_user, delay_s=0.03)


class HeldServer(OpenAIServer):
    """Answers at once up to `hold` requests, the later ones slowly: nothing is over before it can be stopped."""

    def __init__(self, hold: int) -> None:
        self.hold: int | None = hold
        super().__init__(self._held)

    def _held(self, request: Received) -> Reply:
        is_held = self.hold is not None and request.index >= self.hold
        return ok(request.last_user, delay_s=2.0 if is_held else 0.0)


def limited(project: Project, limit: Callable[[], None], *args: str) -> Result:
    """Run a command that meets a limit of the system."""
    done = subprocess.run(
        project.command(*args),
        cwd=project.root,
        env=project.env(),
        capture_output=True,
        timeout=120,
        check=False,
        preexec_fn=limit,
    )
    return Result(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


def stop(project: Project, server: OpenAIServer, *signals: signal.Signals) -> tuple[int, str]:
    """Start a run, send signals once calls are under way, and return the exit code and stderr."""
    process = project.start("run", "--concurrency", str(CONCURRENCY))
    wait_until(lambda: server.count >= CONCURRENCY, 60)
    for number in signals:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    return process.returncode, err.decode()


def test_sigterm_stops_in_order(project: Project) -> None:
    """As Ctrl-C does: exit 130, what was in flight is kept, nothing is paid twice."""
    project.write("retest.toml", "attempts = 2\ngrace_s = 60.0\n")
    project.write_cases(40)
    with HeldServer(CONCURRENCY) as server:
        project.write_suite(server.base_url)
        code, err = stop(project, server, signal.SIGTERM)
        assert (code, "run-interrupted" in err) == (130, True)
        server.hold = None
        done = project.run("run", "--json", "--concurrency", str(CONCURRENCY))
        assert server.count == 40
    assert (done.code, done.json["calls"], done.json["errors"]) == (0, 40, 0)


def test_two_signals_give_up_what_is_in_flight(project: Project) -> None:
    """An endpoint that hangs keeps nobody: exit 130 at the second signal, whatever the grace period."""
    project.write("retest.toml", "attempts = 1\ngrace_s = 600.0\n")
    project.write_cases(8)
    with OpenAIServer(lambda _: hang()) as server:
        project.write_suite(server.base_url)
        code, err = stop(project, server, signal.SIGINT, signal.SIGTERM)
    assert (code, "Traceback" in err) == (130, False)


def test_a_disk_that_fills_up_loses_nothing_that_was_kept(project: Project) -> None:
    """The run ends with exit 4 and the reason; with space again, the last batch at most is paid again."""
    project.write_cases(60)
    with OpenAIServer(lambda request: ok(request.last_user + "x" * 20_000)) as server:
        project.write_suite(server.base_url, metrics=[{"metric": "length"}])
        size = 600_000
        full = limited(
            project,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
            *("run", "--concurrency", str(CONCURRENCY), "--json"),
        )
        assert full.code == 4, full.err
        assert "store-full" in full.err or "store-io-error" in full.err
        assert "Traceback" not in full.err
        paid = server.count
        assert 0 < paid < 60
        done = project.run("run", "--json", "--concurrency", str(CONCURRENCY))
        assert server.count <= 60 + CONCURRENCY
    assert (done.code, done.json["samples"]) == (0, 60)
    assert project.run("verify").code == 0


def test_a_store_that_cannot_be_written_costs_nothing(project: Project) -> None:
    """No file can be made there: exit 2 before any call."""
    project.write_cases(3)
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--store", "/proc/retest.db")
        assert server.count == 0
    assert done.code == 2
    assert "Traceback" not in done.err


def test_a_lock_of_another_process_is_waited_for(project: Project) -> None:
    """Somebody else writes when the run begins: it waits, and every call is made once."""
    project.write_cases(4)
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url)
        assert project.run("run", "--limit", "1").code == 0
        with closing(sqlite3.connect(project.root / ".retest" / "retest.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            process = project.start("run", "--json")
            time.sleep(1)  # nothing depends on how far it has come by now
            other.execute("ROLLBACK")
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        assert server.count == 4
    assert json.loads(out)["samples"] == 4


def test_a_damaged_store_costs_nothing(project: Project) -> None:
    """Its first pages overwritten: exit 2 with what to do, no call, and the file is left as it is."""
    project.write_cases(3)
    path = project.write(".retest/retest.db", "")
    path.write_bytes(b"SQLite format 3\x00" + b"\xa5" * 8176)
    before = path.read_bytes()
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url)
        done = project.run("run")
        assert server.count == 0
    assert (done.code, "Traceback" in done.err, path.read_bytes() == before) == (2, False, True)


def test_too_few_file_descriptors_are_said_as_that(project: Project) -> None:
    """A limit of 48 open files and 64 calls at once: no traceback, no lost answer, nothing that counts as a pass."""
    project.write("retest.toml", "attempts = 1\n")
    project.write_cases(64)
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.2)) as server:
        project.write_suite(server.base_url)
        done = limited(
            project,
            lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)),
            *("run", "--json", "--concurrency", "64"),
        )
        assert "Traceback" not in done.err
        answered = server.count
        if done.code == 0:  # whoever needs fewer is fine
            assert done.json["errors"] == 0
            return
        assert done.code == 4, done.err
        again = project.run("run", "--json")
        assert (again.code, server.count) == (0, 64), answered


def test_a_truncated_recording_is_found_before_anything_runs(project: Project) -> None:
    """A file that breaks off in the midst of a line: exit 2 with file and line."""
    project.write_cases(2)
    project.write("rec/a.jsonl", '{"case_id": "c0", "output": "q0"}\n{"case_id": "c1", "outp')
    target = {"name": "old", "provider": "replay", "path": "../rec/a.jsonl"}
    project.write_suite(targets=[target])
    done = project.run("run")
    assert done.code == 2
    assert "a.jsonl:2" in done.err


@pytest.mark.parametrize("isolate", [False, True], ids=["in process", "isolated"])
def test_a_metric_that_leaves_or_forks_is_a_failure_of_that_metric(project: Project, *, isolate: bool) -> None:
    """`sys.exit`, a child that comes back, an endless loop: failures as data; answers and other metrics stay."""
    project.write_cases(3)
    project.write(
        "evals/bad.py",
        "import os, sys, time\n\n"
        "def leave(output):\n    sys.exit(3)\n\n"
        "def vanish(output):\n    os._exit(0)\n\n"
        "def generator(output):\n    raise GeneratorExit\n\n"
        "def fork(output):\n    pid = os.fork()\n    if pid:\n        os.waitpid(pid, 0)\n    return 1.0\n\n"
        "def loop(output):\n    while True:\n        time.sleep(0.01)\n",
    )
    names = ["leave", "vanish", "generator", "fork", *(["loop"] if isolate else [])]
    own = [
        {"metric": "python", "name": name, "path": f"bad.py:{name}"}
        | ({"isolate": True, "timeout_s": 0.5} if isolate else {})
        for name in names
    ]
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url, metrics=["exact_match", *own])
        done = project.run("run", "--json", timeout_s=60)
        assert server.count == 3
    assert done.code == 4, done.err
    metrics = done.json["metrics"]
    assert metrics["exact_match"]["mean"] == 1
    assert [metrics[name]["metric_failures"] for name in ("leave", "vanish", "generator")] == [3, 3, 3]
    assert metrics["fork"]["mean"] == 1
    if isolate:
        assert metrics["loop"]["metric_failures"] == 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_random_ends(project: Project) -> None:
    """Killed, stopped and interrupted 100 times at random: N calls and those in flight at each kill, no sample lost."""
    rng = random.Random(20261123)  # noqa: S311 - when to strike, no secret
    cases = 400
    project.write_cases(cases)
    in_flight_lost = strikes = 0
    with OpenAIServer(slow) as server:
        project.write_suite(server.base_url)
        for _ in range(100):
            process = project.start("run", "--concurrency", str(CONCURRENCY))
            before = server.count
            wait_until(lambda: server.count > before or process.poll() is not None, 120)  # noqa: B023 - awaited at once
            time.sleep(rng.uniform(0, 0.15))
            number = rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
            if process.poll() is None:
                process.send_signal(number)
                strikes += 1
                in_flight_lost += CONCURRENCY * (number is signal.SIGKILL)
            process.communicate()
        done = project.run("run", "--json")
        assert server.count <= cases + in_flight_lost
    assert strikes > 10
    assert (done.code, done.json["samples"], done.json["errors"]) == (0, cases, 0)
    assert done.json["calls"] <= server.count
    assert project.run("verify").code == 0
