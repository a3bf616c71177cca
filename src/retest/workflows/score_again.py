"""Scores stored outputs anew where a metric's definition or a case's expected answer changed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retest.domain.case import Case
from retest.domain.run import Run, RunMetric
from retest.domain.sample import CallError, CallOutcome, Response, Score, ScoreOutcome
from retest.domain.scores import CaseScores
from retest.domain.suite import MetricSpec
from retest.errors import RetestError
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric, metric_classes
from retest.runner.score import Scorer
from retest.runner.score_processes import ProcessOptions
from retest.runner.table import NOT_APPLICABLE

if TYPE_CHECKING:
    from retest.store.database import Store
    from retest.store.records import StoredSample

_BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbuildable:
    """Why a stored metric cannot be built again."""

    reason: str


def rebuild_metric(stored: RunMetric, base_dir: Path, *, run_code: bool = True) -> Metric[Any] | Unbuildable:
    """Return a metric as its run defined it, or why that is impossible now.

    Args:
        stored: with its options as they were.
        base_dir: where relative paths in them start: the folder of the suite.
        run_code: false where the files there are a stranger's.
    """
    cls = metric_classes().get(stored.metric)
    if cls is None:
        return Unbuildable(reason=f"this version has no metric '{stored.metric}'")
    if cls.info.runs_code and not run_code:
        return Unbuildable(reason="it runs code of the checkout, which is not trusted")
    if cls.info.needs_model:
        return Unbuildable(reason="a judge's scores cannot be made anew without calls")
    spec = MetricSpec(name=stored.name, metric=stored.metric, options=stored.options, base_dir=base_dir)
    try:
        return build_metric(spec)
    except RetestError as error:
        return Unbuildable(reason=error.problems[0].message)
    except ValueError as error:  # options that this version reads differently
        return Unbuildable(reason=f"its stored options do not fit this version: {str(error).splitlines()[0]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Which stored outputs to score: of one arm of a run, on some of its cases."""

    store: Store
    run: Run
    arm: str
    case_ids: Collection[str]

    def read(self) -> Iterator[StoredSample]:
        """Yield the samples in a stream."""
        from retest.store.records import SampleFilter

        samples = self.store.iter_samples(self.run.run_id, SampleFilter(arm=self.arm))
        return (sample for sample in samples if sample.case_id in self.case_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOutput:
    """An answer without a stored sample: its text, and nothing of how it came."""

    case_id: str
    outcome: CallOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenOutputs:
    """Answers that came with a baseline file: of one arm, on some of its cases; None is an error."""

    texts: Mapping[tuple[str, str], Sequence[str | None]]
    arm: str
    case_ids: Collection[str]

    def read(self) -> Iterator[GivenOutput]:
        """Yield the answers, in the order of their scores."""
        for (arm, case_id), texts in self.texts.items():
            if arm == self.arm and case_id in self.case_ids:
                for text in texts:
                    outcome = CallError(kind="unknown", message="no answer") if text is None else Response(output=text)
                    yield GivenOutput(case_id=case_id, outcome=outcome)


def score_outputs(
    outputs: Outputs | GivenOutputs,
    metrics: Mapping[str, Metric[Any]],
    cases: Mapping[str, Case],
    processes: ProcessOptions | None = None,
) -> dict[str, CaseScores]:
    """Return metric -> case id -> scores of stored outputs, judged against the cases given.

    Without `processes` all is scored in this one.
    """
    found: dict[str, dict[str, list[float | None]]] = {name: {} for name in metrics}
    with closing(Scorer(metrics, processes=processes)) as scorer:
        for batch in _batches(outputs.read()):
            rows = asyncio.run(scorer.score_batch([(cases[sample.case_id], sample.outcome) for sample in batch]))
            for sample, row in zip(batch, rows, strict=True):
                for name, scores in found.items():
                    put_score(scores, sample.case_id, row.get(name))
    return dict(found)


def put_score(scores: dict[str, list[float | None]], case_id: str, outcome: ScoreOutcome | None) -> None:
    """Add one sample's score to its case: None where it has none, nothing where the metric has nothing to say."""
    if isinstance(outcome, Score):
        scores.setdefault(case_id, []).append(outcome.value)
    elif outcome is None or outcome.kind not in NOT_APPLICABLE:
        scores.setdefault(case_id, []).append(None)


def _batches(samples: Iterable[StoredSample | GivenOutput]) -> Iterator[Sequence[StoredSample | GivenOutput]]:
    iterator = iter(samples)
    while batch := list(islice(iterator, _BATCH)):
        yield batch
