"""kill -9 at every step of a batch: the next process goes on with it, and nothing is paid for twice."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from retest.errors import ExitCode
from support.batch_project import KEY, BatchProject
from support.batch_server import BatchServer, Fate
from support.openai_server import Received, Reply, error, ok, rate_limited


class Killer:
    """Kills a process when the server comes to a step, before or after its work is done."""

    def __init__(self, step: str, time: int = 1) -> None:
        self._step = step
        self._time = time
        self._seen: Counter[str] = Counter()
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, step: str) -> Reply | None:
        """Kill at the step, and return only when the process is dead."""
        self._seen[step] += 1
        if self.process is not None and step == self._step and self._seen[step] == self._time:
            self.process.kill()
            self.process.wait(30)
        return None


def script(request: Received) -> Reply:
    """Answer with the question; one call is refused, so that there is a file of errors."""
    return error(400, "no") if request.last_user == "q0" else ok(request.last_user)


STEPS = {
    "before-upload": ("before", "upload", 1),
    "between-upload-and-create": ("before", "create", 1),
    "between-create-and-remembering": ("after", "create", 1),
    "while-polling": ("before", "state", 2),
    "while-recording": ("before", "content", 2),
}


@pytest.mark.parametrize(("when", "step", "time"), STEPS.values(), ids=STEPS.keys())
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, when: str, step: str, time: int) -> None:
    """One batch is carried out, each call is made once, and the run is as if nothing had happened."""
    killer = Killer(step, time)
    with BatchServer(script, fates=[Fate(states=("validating", "in_progress", "completed"))]) as server:
        setattr(server, when, killer)
        project = BatchProject(tmp_path, server, gate={"max_error_rate": 0.5})
        killer.process = project.files.start("run", "--batch", OPENAI_API_KEY=KEY)
        killer.process.communicate(timeout=120)
        assert killer.process.returncode == -9
        outcome = project.run()
        assert outcome.run is not None
        assert outcome.exit_code is ExitCode.PASSED
        assert (outcome.run.counts.samples, outcome.run.counts.errors) == (10, 1)
        assert outcome.run.counts.calls == 10
        assert outcome.run.counts.cost_usd == pytest.approx(9 * 0.00055)
        assert set(server.paid.values()) == {1}
        assert (len(server.paid), server.count) == (9, 0)
        assert [len(batch.lines) for batch in server.batches] == [10]
        with project.store() as store:
            assert store.batches.list() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_random_kills_lose_nothing(tmp_path: Path, seed: int) -> None:
    """Killed at any moment, with calls that fail for a while and batches that expire: each call is paid for once."""
    rng = random.Random(seed)  # noqa: S311 - the same one each time

    def answer(request: Received) -> Reply:
        return rate_limited() if rng.random() < 0.1 else ok(request.last_user)

    def fate(size: int) -> Fate:
        end = rng.choice(["completed", "expired"])
        done = None if end == "completed" else 2 * size // 3
        return Fate(states=("validating", *["in_progress"] * rng.randint(1, 4), end), done=done)

    with BatchServer(answer) as server:
        server.fate_of = fate
        project = BatchProject(tmp_path, server, cases=300)
        project.files.write("retest.toml", "attempts = 2\nbatch_poll_s = 0.05\nbatch_attempts = 20\n")
        for _ in range(6):
            process = project.files.start("run", "--batch", OPENAI_API_KEY=KEY)
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=rng.uniform(0.5, 4))
            process.kill()
            process.communicate()
        outcome = project.run()
        assert outcome.exit_code is ExitCode.PASSED
        assert set(server.paid.values()) == {1}
        assert (len(server.paid), server.count) == (300, 0)
