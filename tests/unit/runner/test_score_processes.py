"""Scoring in processes of its own: equal numbers, nothing lost, nothing left behind; and when it pays."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.sample import CallError, MetricFailure, Response, Score, ScoreOutcome
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.registry import build_metric, metric_classes
from retest.runner.score import Scorer
from retest.runner.score_pool import ScorePool
from retest.runner.score_processes import ProcessOptions, Spent, may_move, usable_cores
from support.processes import alive
from support.waiting import wait_until

TEXTS = ("The refund was made on Monday.", "返品は月曜日に行われました。", "", "a\0b \ud800 \u2028", "返金 refund 😀")


def metric(name: str, **options: Any) -> Metric[Any]:
    """Return a metric of the registry."""
    return build_metric(MetricSpec(name=name, metric=name, options=options))


def samples(count: int) -> list[tuple[Case, Response | CallError]]:
    """Return cases with answers, some alike, some odd, some an error."""
    found: list[tuple[Case, Response | CallError]] = []
    for number in range(count):
        case = Case(case_id=str(number), vars={"q": number}, content_hash="", expected=TEXTS[number % len(TEXTS)])
        answer = TEXTS[number // 2 % len(TEXTS)] + " refund" * (number % 3)
        error = number % 17 == 16
        found.append((case, CallError(kind="timeout", message="slow") if error else Response(output=answer)))
    return found


def scored(scorer: Scorer, batches: Sequence[Sequence[tuple[Case, Any]]]) -> list[dict[str, ScoreOutcome]]:
    """Return the rows of all batches, and end the scorer's processes."""

    async def score() -> list[dict[str, ScoreOutcome]]:
        return [row for batch in batches for row in await scorer.score_batch(batch)]

    try:
        return asyncio.run(score())
    finally:
        scorer.close()


METRICS: dict[str, dict[str, Any]] = {"rouge": {}, "exact_match": {}, "json_valid": {}, "length": {}}


def test_processes_score_as_this_one_does() -> None:
    """Every number, reason and failure is the same, in the same order, over several batches, with errors between."""
    batch = samples(120)
    built = {name: metric(name, **options) for name, options in METRICS.items()}
    here = scored(Scorer(built), [batch[:70], batch[70:]])
    elsewhere = scored(Scorer(built, processes=ProcessOptions(limit=2)), [batch[:70], batch[70:]])
    assert elsewhere == here
    assert [list(row) for row in elsewhere] == [list(row) for row in here]
    assert any(row and isinstance(row["rouge"], Score) for row in here)


class Own(Metric[MetricOptions]):
    """A metric that nobody but this test could build."""

    info: ClassVar[MetricInfo] = MetricInfo(name="exact_match", summary="", options=lambda: MetricOptions)

    def score(self, case: Case, response: Response) -> ScoreOutcome | Awaitable[ScoreOutcome]:
        """Return which process scored."""
        del case, response
        return Score(value=os.getpid())


def test_what_cannot_move_is_scored_here_beside_what_can() -> None:
    """A class that is not retest's own stays; the order of the metrics is kept."""
    own = Own(MetricOptions(), MetricContext(name="own"))
    scorer = Scorer({"own": own, "rouge": metric("rouge")}, processes=ProcessOptions(limit=2))
    rows = scored(scorer, [samples(5)])
    assert [list(row) for row in rows] == [["own", "rouge"]] * 5
    assert {row["own"] for row in rows} == {Score(value=os.getpid())}


def test_what_asks_a_model_or_runs_the_users_code_does_not_move() -> None:
    """All other metrics of the registry score the same in any process."""
    staying = {name for name, cls in metric_classes().items() if cls.info.needs_model or cls.info.runs_code}
    assert {"python", "judge", "embedding_similarity"} <= staying
    assert not any(may_move(cls.__new__(cls)) for name, cls in metric_classes().items() if name in staying)
    assert may_move(metric("exact_match"))


def test_a_killed_worker_loses_nothing() -> None:
    """Its batch is scored here, the others go on, and it is said once."""
    told: list[str] = []
    batch = samples(200)
    scorer = Scorer({"rouge": metric("rouge")}, processes=ProcessOptions(limit=2, tell=told.append))

    async def score() -> list[dict[str, ScoreOutcome]]:
        rows = await scorer.score_batch(batch[:50])
        pool = scorer.pool
        assert pool is not None
        os.kill(pool.pids[0], signal.SIGKILL)
        rows += await scorer.score_batch(batch[50:120])
        os.kill(pool.pids[1], signal.SIGKILL)
        return rows + await scorer.score_batch(batch[120:])

    try:
        assert asyncio.run(score()) == scored(Scorer({"rouge": metric("rouge")}), [batch])
    finally:
        scorer.close()
    assert len(told) == 1
    assert "exit code -9" in told[0]


def test_processes_that_cannot_start_are_done_without(tmp_path: Path) -> None:
    """A file that a metric reads has changed since: nothing is scored by two definitions."""
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}', "utf-8")
    built = metric("json_schema", schema=str(schema))
    schema.write_text('{"type": "array"}', "utf-8")
    told: list[str] = []
    batch = [(Case(case_id="a", vars={}, content_hash=""), Response(output="{}"))] * 3
    rows = scored(Scorer({"s": built}, processes=ProcessOptions(limit=2, tell=told.append)), [batch])
    assert rows == [{"s": Score(value=1.0)}] * 3
    assert "metric 's' has changed" in told[0]


def test_a_sample_that_cannot_be_sent_is_scored_here() -> None:
    """What a program hands in need not be JSON."""
    odd = Case(case_id="a", vars={"f": lambda: None}, content_hash="", expected="x")  # type: ignore[dict-item]
    rows = scored(
        Scorer({"m": metric("exact_match")}, processes=ProcessOptions(limit=2)), [[(odd, Response(output="x"))]]
    )
    assert rows == [{"m": Score(value=1.0)}]


def test_closing_ends_workers_in_the_middle_of_their_work() -> None:
    """Nothing waits for them, and none is left."""
    long = [(Case(case_id="a", vars={}, content_hash="", expected="x y " * 120), Response(output="y z " * 120))] * 100
    pool = ScorePool({"ter": metric("ter")}, 2)
    pool.wait_until_ready()

    async def begin() -> list[Any]:
        task = asyncio.create_task(pool.score(long))
        await asyncio.sleep(0)
        await asyncio.to_thread(pool.close)
        return list(await task)

    assert asyncio.run(begin()) == [None] * 100
    wait_until(lambda: not any(map(alive, pool.pids)), timeout_s=60)
    assert asyncio.run(pool.score(long[:1])) == [None]


SCRIPT = """
    import asyncio, os, signal, sys
    from retest.domain.case import Case
    from retest.domain.sample import Response
    from retest.domain.suite import MetricSpec
    from retest.metrics.registry import build_metric
    from retest.runner.score import Scorer
    from retest.runner.score_processes import ProcessOptions
    {before}
    metric = build_metric(MetricSpec(name="m", metric="exact_match"))
    scorer = Scorer({{"m": metric}}, processes=ProcessOptions(limit=2))
    case = Case(case_id="a", vars={{}}, content_hash="", expected="x")
    rows = asyncio.run(scorer.score_batch([(case, Response(output="x"))] * 4))
    pids = scorer.pool.pids
    print(len(rows), sum(map(bool, pids)), *pids, flush=True)
    {after}
"""


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("", "", 0),
        ("", "os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", "scorer.close()", 0),
    ],
    ids=["never closed", "killed", "the folder is gone"],
)
def test_a_program_without_a_guard_leaves_no_process(tmp_path: Path, before: str, after: str, code: int) -> None:
    """The program itself is never imported again, and its workers end with it, however it ends."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(SCRIPT).format(before=before, after=after), "utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stderr
    rows, started, *pids = map(int, done.stdout.split())
    assert (rows, started) == (4, 2)
    wait_until(lambda: not any(map(alive, pids)), timeout_s=60)


def spent(*batches: tuple[int, float, float]) -> Spent:
    """Return what batches took: samples, seconds of processor time, half of those on the clock, and until the next."""
    found, now = Spent(), 0.0
    for count, cpu_s, until_next_s in batches:
        found.add(count, cpu_s, began=now, ended=now + 2 * cpu_s)
        now += until_next_s
    return found


FIRST = (400, 3.0, 6.0)  # it loads libraries


@pytest.mark.parametrize(
    ("found", "left", "worth"),
    [
        (spent(), 10**6, False),  # nothing is known yet
        (spent(FIRST), 10**6, False),  # the first batch says nothing
        (spent(FIRST, (199, 0.2, 0.4)), 10**6, False),  # too few to tell
        (spent(FIRST, (400, 0.4, 0.8)), 4000, True),  # 1 ms each: 4 s are left
        (spent(FIRST, (400, 0.4, 0.8)), 3999, False),  # over before they have loaded
        (spent(FIRST, *[(100, 0.1, 0.6)] * 20), 10**6, True),  # a third of the time goes into scoring
        (spent(FIRST, *[(100, 0.1, 1.0)] * 20), 10**6, False),  # a fifth: the calls decide how long it takes
        (spent(FIRST, (100, 0.1, 0.2), (100, 0.3, 0.6)), 2000, True),  # 2 ms on average
    ],
)
def test_processes_are_started_where_they_pay(found: Spent, left: int, worth: bool) -> None:  # noqa: FBT001 - a table
    """Enough samples are measured, enough time is left, and scoring is what takes it."""
    assert found.is_worth(left) is worth


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "100000 100000\n"}, 1),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "garbage"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
    ids=["no limit", "max", "one", "a half", "garbage", "version 1", "version 1 without"],
)
def test_the_limit_of_a_container_counts(tmp_path: Path, files: dict[str, str], cores: int | None) -> None:
    """Without one, as many cores as the process may run on."""
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, "ascii")
    assert usable_cores(tmp_path) == (cores or len(os.sched_getaffinity(0)))


def test_a_limit_of_one_starts_nothing() -> None:
    """The default of a scorer, and what the setting 1 means."""
    for options in (None, ProcessOptions(limit=1)):
        scorer = Scorer({"m": metric("exact_match")}, processes=options)
        scored(scorer, [samples(3)])
        assert scorer.pool is None


def test_little_to_score_starts_nothing() -> None:
    """By itself a run of a few hundred samples stays in one process."""
    scorer = Scorer({"m": metric("exact_match")}, processes=ProcessOptions(samples=600))
    rows = scored(scorer, [samples(300), samples(300)])
    assert scorer.pool is None
    assert isinstance(rows[0]["m"], Score | MetricFailure)
