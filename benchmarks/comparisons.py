"""How long `retest diff` of two stored runs takes, the whole command, also where every metric regressed."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import processes
from benchmarks.table import Row
from retest import compare
from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunArm, RunMetric, SampleRecord
from retest.domain.sample import Response, Score, Usage
from retest.store.base import LedgerEntry
from retest.store.database import Store, open_store

_START = datetime(2026, 11, 20, tzinfo=UTC)
_BATCH = 500
_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Two runs to store: their size, whether scores are 0 or 1, and the drop of the second."""

    cases: int
    metrics: int
    binary: bool
    drop: float
    samples: int = 5

    @property
    def title(self) -> str:
        """Return the design in words."""
        kind = "passes" if self.binary else "graded scores"
        news = "all regressed" if self.drop else "nothing changed"
        metrics = "1 metric" if self.metrics == 1 else f"{self.metrics} metrics"
        return f"`retest diff`, {self.cases:,} cases x {self.samples} x {metrics}, {kind}, {news}"


def measure(folder: Path, fewer: int) -> Iterator[Row]:
    """Yield the rows; `fewer` divides the cases."""
    for drop in (0.0, 0.02, 0.1):
        yield _verdict_row(1_000 // fewer, drop)
    small = [
        Design(cases=1_000 // fewer, metrics=5, binary=binary, drop=drop)
        for binary in (True, False)
        for drop in (0, 0.1)
    ]
    large = [Design(cases=20_000 // fewer, metrics=1, binary=binary, drop=0.1) for binary in (True, False)]
    for number, design in enumerate([*small, *large]):
        path = folder / f"{number}.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_store(str(path)) as store:
            for side in (0, 1):
                asyncio.run(_store_side(store, design, side))
        goal = "2 s" if design in small else "10 s"
        used = _median_use(path)
        yield Row(what=design.title, measured=f"{used.cpu_s:.2f} s CPU, {used.wall_s:.2f} s", goal=goal)


def _verdict_row(cases: int, drop: float) -> Row:
    """Return how long the verdict on one metric of passes takes, libraries loaded."""
    rng, easy = random.Random(1), random.Random(7)  # noqa: S311 - made-up scores
    chances = [easy.betavariate(0.5, 0.3) for _ in range(cases)]
    sides = [
        {case: [float(rng.random() < chance - lower) for _ in range(5)] for case, chance in enumerate(chances)}
        for lower in (0.0, drop)
    ]
    compare(*sides)
    taken = []
    for _ in range(2 * _ROUNDS + 1):
        start = time.perf_counter()
        found = compare(*sides)
        taken.append(time.perf_counter() - start)
    what = f"`retest.compare`, {cases:,} cases x 5, passes, drop {drop:g}: {found.verdict}"
    return Row(what=what, measured=f"{statistics.median(taken):.3f} s", goal="0.5 s")


def _median_use(path: Path) -> processes.Used:
    command = [sys.executable, "-m", "retest", "diff", "--store", str(path)]
    return processes.median([processes.run(command, path.parent) for _ in range(_ROUNDS)])


async def _store_side(store: Store, design: Design, side: int) -> None:
    rng = random.Random(side)  # noqa: S311 - made-up scores
    run = _run(design, side)
    ledger, writer = store.ledger(), store.start_run(run)
    easy = random.Random(7)  # noqa: S311 - the same cases are easy on both sides
    chances = [max(0.0, easy.betavariate(0.5, 0.3) - design.drop * side) for _ in range(design.cases)]
    for start in range(0, design.cases, _BATCH):
        indexes = range(start, min(design.cases, start + _BATCH))
        await writer.add_cases([(index, _case(index)) for index in indexes])
        records = [
            _record(run, (index, sample), [_score(rng, chances[index], design) for _ in run.metrics])
            for index in indexes
            for sample in range(design.samples)
        ]
        answers = [record.outcome for record in records if isinstance(record.outcome, Response)]
        entries = [LedgerEntry(key=r.key, response=answer) for r, answer in zip(records, answers, strict=True)]
        await ledger.record(entries)
        await writer.append(records)
    store.update_run(run.run_id, status="complete")


def _score(rng: random.Random, chance: float, design: Design) -> float:
    if design.binary:
        return float(rng.random() < chance)
    return min(1.0, max(0.0, rng.gauss(chance, 0.2)))


def _run(design: Design, side: int) -> Run:
    arm = RunArm(
        name="ask/model",
        prompt_name="ask",
        prompt_path="prompts/ask.md",
        prompt_hash=f"version-{side}",
        prompt_source=f"Version {side}. {{{{ question }}}}\n",
        target_name="model",
        provider="openai",
        model="model",
        identity={"base_url": "http://127.0.0.1/v1"},
        params={"temperature": 0.7},
    )
    names = [f"metric_{number}" for number in range(design.metrics)]
    return Run(
        run_id=f"run-{side}",
        suite="bench",
        suite_path="evals/bench.yaml",
        suite_source="name: bench\n",
        fingerprint=f"suite-{side}",
        config_hash="bench",
        status="running",
        draw=0,
        samples_per_case=design.samples,
        planned=design.cases * design.samples,
        started_at=_START + timedelta(days=side),
        arms=(arm,),
        metrics=tuple(RunMetric(name=name, metric="python", signature=name, binary=design.binary) for name in names),
        dataset_fingerprint="dataset",
    )


def _case(index: int) -> Case:
    variables = {"question": f"question {index} " * 8}
    return Case(
        case_id=f"case-{index:05d}",
        vars=variables,
        content_hash=content_hash(variables),
        expected=f"answer {index}",
        tags=("even",) if index % 2 == 0 else ("odd",),
    )


def _record(run: Run, place: tuple[int, int], values: list[float]) -> SampleRecord:
    index, sample = place
    answer = Response(
        output=f"{run.run_id} answers question {index} for the {sample}. time. " * 5,
        model="model-2026",
        usage=Usage(input_tokens=100, output_tokens=50),
        latency_ms=500.0 + sample,
        cost_usd=0.001,
    )
    return SampleRecord(
        arm_index=0,
        case_index=index,
        sample_index=sample,
        key=f"{run.run_id}-{index}-{sample}",
        messages_hash=f"messages-{index}",
        outcome=answer,
        scores={metric.name: Score(value=value) for metric, value in zip(run.metrics, values, strict=True)},
    )
