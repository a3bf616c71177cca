"""The system clock is set while a run is under way: nothing is lost or paid twice, and times stay in order."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project
from support.waiting import wait_until

SOURCE = Path(__file__).parents[1] / "support" / "clock_shift.c"
YEAR, DAY = 365 * 86_400, 86_400
CASES, CONCURRENCY = 12, 2
RUN = ("run", "--json", "--concurrency", str(CONCURRENCY))


class SetClock:
    """The clock of the processes that are given its environment."""

    def __init__(self, library: Path, place: Path) -> None:
        self._place = place
        self.env: Mapping[str, str] = {"LD_PRELOAD": os.fspath(library), "CLOCK_SHIFT": os.fspath(place)}
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set the clock ahead of the real one by so many seconds, from now on."""
        partial = self._place.with_suffix(".new")
        partial.write_text(str(seconds), "ascii")
        partial.replace(self._place)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what shifts the clock of a process that preloads it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("setting the clock of one process takes Linux and a C compiler")
    made = tmp_path_factory.mktemp("clock") / "clock_shift.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE], check=True)
    return made


@pytest.fixture
def make_clock(library: Path, tmp_path: Path) -> Callable[[str], SetClock]:
    """Return what makes a clock by a name."""
    return lambda name: SetClock(library, tmp_path / name)


@pytest.mark.parametrize("jump", [pytest.param(YEAR, marks=pytest.mark.slow), -DAY], ids=["ahead", "back"])
def test_a_run_goes_on_when_the_clock_is_set(
    project: Project, make_clock: Callable[[str], SetClock], jump: int
) -> None:
    """Every call once, exit 0, nothing is over before it began; then the right clock's next run is the latest."""
    clock = make_clock("clock")
    project.write_cases(CASES)

    def answer(request: Received) -> Reply:
        if request.index == CASES // 2:
            clock.set(jump)
        return ok(request.last_user)

    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url)
        done = project.run(*RUN, **clock.env)  # type: ignore[arg-type]  # none of them is called timeout_s
        assert (done.code, done.json["errors"], server.count) == (0, 0, CASES), done.err
        began, ended = (datetime.fromisoformat(done.json[name]) for name in ("started_at", "finished_at"))
        assert began <= ended
        assert abs(began - datetime.now(UTC)) < timedelta(hours=1), "it began before the clock was set"
        again = project.run("run", "--json")
        assert (again.code, again.json["calls"], server.count) == (0, 0, CASES)
        assert project.run("verify").code == 0
        assert json.loads(project.run("show", "latest", "--json").out)["run"] == again.json["run"]


def test_two_processes_whose_clocks_differ_by_a_year_do_not_both_pay(
    project: Project, make_clock: Callable[[str], SetClock]
) -> None:
    """One that begins while the other's calls are out waits for them, although every lease is over by its clock."""
    ahead = make_clock("ahead")
    ahead.set(YEAR)
    project.write_cases(CASES)
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.3)) as server:
        project.write_suite(server.base_url)
        one = project.start(*RUN)
        wait_until(lambda: server.count >= CONCURRENCY, 60)
        other = project.start(*RUN, **ahead.env)
        outs = [process.communicate(timeout=120)[0] for process in (one, other)]
        assert [process.returncode for process in (one, other)] == [0, 0]
        assert server.count == CASES
    assert [json.loads(out)["samples"] for out in outs] == [CASES, CASES]
