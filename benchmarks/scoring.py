"""What scoring gains from several cores, with equal numbers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from benchmarks.table import Row
from retest.domain.case import Case
from retest.domain.sample import Response, ScoreOutcome
from retest.metrics.base import Metric
from retest.runner.score import Scorer
from retest.runner.score_processes import ProcessOptions, usable_cores

_BATCH = 400  # as runs have it

Samples = Sequence[tuple[Case, Response]]
Rows = list[dict[str, ScoreOutcome]]


def measure(metrics: Mapping[str, Metric[Any]], samples: Samples) -> Iterator[Row]:
    """Yield what the samples take in one process, in as many as there are cores, and where that is decided on the way.

    Raises:
        AssertionError: a score differs.
    """
    cores = max(2, usable_cores())
    alone_s, rows = _scored(metrics, samples, ProcessOptions(limit=1))
    for name, limit in ((f"{cores} processes", cores), ("auto, which starts them on the way", None)):
        taken_s, others = _scored(metrics, samples, ProcessOptions(limit=limit, samples=len(samples)))
        assert others == rows
        yield Row(
            what=f"{len(samples):,} samples by {', '.join(metrics)}, {name}, equal scores",
            measured=f"{taken_s:.1f} s, the start of the processes included",
            against=f"one process: {alone_s:.1f} s",
            ratio=taken_s / alone_s,
            goal=f"{1 / usable_cores():.2f} would be all of {usable_cores()} cores",
        )


def _scored(metrics: Mapping[str, Metric[Any]], samples: Samples, options: ProcessOptions) -> tuple[float, Rows]:
    """Return seconds on the clock, and the scores."""
    with closing(Scorer(metrics, processes=options)) as scorer:
        start = time.perf_counter()
        rows = asyncio.run(_in_batches(scorer, samples))
        return time.perf_counter() - start, rows


async def _in_batches(scorer: Scorer, samples: Samples) -> Rows:
    rows: Rows = []
    for start in range(0, len(samples), _BATCH):
        rows += await scorer.score_batch(samples[start : start + _BATCH])
    return rows
