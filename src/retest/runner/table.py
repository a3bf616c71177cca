"""Scores of a whole run in a few flat arrays: 8 bytes a sample and metric, however long the answers were."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.run import SampleRecord
from retest.domain.sample import CallOutcome, Response, Score, ScoreOutcome
from retest.runner.figure_facts import FIGURE_METRICS, FigureFacts

_NAN = math.nan
# A metric that has nothing to say on a case has not failed.
NOT_APPLICABLE = frozenset({"not_applicable", "no_expected"})


@dataclass(slots=True)
class MetricCells:
    """One metric on one arm: values at ``case_index * samples + sample_index``, NaN where there is none.

    `votes` are of samples that were judged more than once, under the same places. `facts` are of metrics that have
    figures of the whole arm.
    """

    values: array[float] = field(default_factory=lambda: array("d"))
    failures: int = 0
    first_failure: str = ""
    not_applicable: int = 0
    votes: dict[int, array[float]] = field(default_factory=dict)
    facts: FigureFacts | None = None

    def put(self, place: int, outcome: ScoreOutcome) -> None:
        """Store one score, or count why there is none."""
        if isinstance(outcome, Score):
            _put(self.values, place, outcome.value)
            self._put_votes(place, outcome)
            if self.facts is not None:
                self.facts.put(place, outcome)
        elif outcome.kind in NOT_APPLICABLE:
            self.not_applicable += 1
        else:
            self.failures += 1
            self.first_failure = self.first_failure or f"{outcome.kind}: {outcome.message}"

    def _put_votes(self, place: int, score: Score) -> None:
        votes = score.details.get("votes") if score.details is not None else None
        if not isinstance(votes, list | tuple) or len(votes) < 2:  # noqa: PLR2004 - one vote cannot waver
            return
        values = [vote.get("value") if isinstance(vote, Mapping) else None for vote in votes]
        known = [float(value) for value in values if isinstance(value, int | float)]
        if len(known) == len(votes):
            self.votes[place] = array("d", known)


class RepeatWatch:
    """Notices when an arm's repeats never differ; forgets everything at the first difference.

    Args:
        repeats: whether there are any; else nothing is kept.
    """

    def __init__(self, *, repeats: bool = True) -> None:
        self._first: dict[int, int] = {}
        self._varied = not repeats
        self._repeated = False

    def add(self, case_index: int, response: Response) -> None:
        """Compare an answer with the first one of its case."""
        if self._varied:
            return
        mark = hash((response.output, str(response.tool_calls) if response.tool_calls else ""))
        first = self._first.get(case_index)
        if first is None:
            self._first[case_index] = mark
            return
        self._repeated = True
        if first != mark:
            self._varied = True
            self._first.clear()

    @property
    def all_identical(self) -> bool:
        """Return whether at least one case was repeated and nothing ever varied."""
        return self._repeated and not self._varied


@dataclass(slots=True)
class ArmCells:
    """One arm's calls: latencies, tokens, cost, errors and the first of each kind, whether repeats ever differ."""

    metrics: dict[str, MetricCells]
    latencies_ms: array[float] = field(default_factory=lambda: array("d"))
    samples: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    first_errors: dict[str, str] = field(default_factory=dict)
    input_tokens: int = 0
    output_tokens: int = 0
    counted_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    models: set[str] = field(default_factory=set)
    seen_cases: bytearray = field(default_factory=bytearray)
    repeats: RepeatWatch = field(default_factory=RepeatWatch)

    def add_outcome(self, case_index: int, outcome: CallOutcome) -> None:
        """Count one sample."""
        self.samples += 1
        if not isinstance(outcome, Response):
            self.errors[outcome.kind] += 1
            self.first_errors.setdefault(outcome.kind, outcome.message)
            return
        _mark(self.seen_cases, case_index)
        self.repeats.add(case_index, outcome)
        if outcome.latency_ms is not None:
            self.latencies_ms.append(outcome.latency_ms)
        if outcome.usage.input_tokens is not None:
            self.counted_tokens += 1
        self.input_tokens += outcome.usage.input_tokens or 0
        self.output_tokens += outcome.usage.output_tokens or 0
        self.unpriced += outcome.cost_usd is None
        self.cost_usd += outcome.cost_usd or 0.0
        if outcome.model is not None:
            self.models.add(outcome.model)


class RunTable:
    """What a run's aggregates are computed from; filled while it runs, or from the store.

    `kinds` is metric name -> registered name, for the metrics of which more than the value is wanted.
    """

    def __init__(
        self, *, arms: int, metrics: Iterable[str], samples: int, kinds: Mapping[str, str] | None = None
    ) -> None:
        names = tuple(metrics)
        self.samples = samples
        self.arms = [
            ArmCells(
                {name: _cells((kinds or {}).get(name)) for name in names}, repeats=RepeatWatch(repeats=samples > 1)
            )
            for _ in range(arms)
        ]
        self.case_ids: list[str] = []
        self.clusters: list[str | None] = []
        self.tags: list[tuple[str, ...]] = []
        self.remarks: tuple[str, ...] = ()  # on how the run went
        self._seen_cases = bytearray()

    @property
    def cases(self) -> int:
        """Return how many cases have a sample, answered or not."""
        return sum(self._seen_cases)

    def add_cases(self, cases: Sequence[tuple[int, Case]]) -> None:
        """Note the cases, in the order of their index; known ones are passed over."""
        for index, case in cases:
            if index == len(self.case_ids):
                self.case_ids.append(case.case_id)
                self.clusters.append(case.cluster)
                self.tags.append(case.tags)

    def add(self, records: Iterable[SampleRecord]) -> None:
        """Add stored samples."""
        for record in records:
            self.add_sample((record.arm_index, record.case_index, record.sample_index), record.outcome, record.scores)

    def add_sample(self, where: tuple[int, int, int], outcome: CallOutcome, scores: Mapping[str, ScoreOutcome]) -> None:
        """Add one sample at (arm, case, sample); scores of metrics that the table does not have are passed over."""
        arm_index, case_index, sample_index = where
        arm = self.arms[arm_index]
        arm.add_outcome(case_index, outcome)
        _mark(self._seen_cases, case_index)
        place = case_index * self.samples + sample_index
        for name, score in scores.items():
            if name in arm.metrics:
                arm.metrics[name].put(place, score)


def _cells(kind: str | None) -> MetricCells:
    return MetricCells(facts=FigureFacts(kind) if kind in FIGURE_METRICS and kind is not None else None)


def _put(values: array[float], place: int, value: float) -> None:
    if place >= len(values):
        values.extend([_NAN] * (place + 1024 - len(values)))
    values[place] = value


def _mark(seen: bytearray, index: int) -> None:
    if index >= len(seen):
        seen.extend(bytes(index + 1024 - len(seen)))
    seen[index] = 1
