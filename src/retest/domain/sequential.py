"""What a run that was sampled until decided came to: kept with the run, for it must never be tested again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from retest.domain.comparison import Verdict

RECHECK_SAMPLES = 8
"""Most samples that a suspected case gets beyond those of its run."""

LookOutcome = Literal["fail", "pass", "decided", "inconclusive", "undecided"]
StopRule = Literal["gate", "every_verdict", "search"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UntilDecided:
    """How a run is to be sampled until decided.

    Attributes:
        baseline: what it is judged against where it runs alone; None for the suite's own.
        waived: metrics whose regression blocks nothing.
        rule: ``gate`` stops at the first regression, or when everything is shown not worse; ``every_verdict`` when
            every metric of every pair of arms has a verdict; ``search`` when `metric` regressed from any side to the
            next, or has its verdicts on the first two.
        metric: that a search is about.
        recheck: cases that seem to have got worse are sampled again with what an early stop saved.
    """

    baseline: str | None = None
    waived: frozenset[str] = frozenset()
    rule: StopRule = "gate"
    metric: str | None = None
    recheck: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricStand:
    """One metric as the last look left it; its p-values are those of the whole design, to be compared with alpha.

    Attributes:
        signature: of the metric that was judged.
        p, p_adjusted: both channels joined, before and after Holm's correction.
        p_worse, p_better: the suite's test.
        p_cases: the single-case channel alone, as tested at the stop; 1 where it took no part.
        level: nominal p at which the suite's test could reject at that look.
        mde, mde_concentrated: smallest drops found there in 80 of 100 runs, in the metric's own units.
    """

    metric: str
    signature: str
    verdict: Verdict
    p: float
    p_adjusted: float
    p_worse: float
    p_better: float
    p_cases: float
    level: float
    mde: float | None = None
    mde_concentrated: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmStand:
    """Two arms as the last look left them."""

    baseline: str
    candidate: str
    metrics: tuple[MetricStand, ...] = ()

    def metric(self, name: str) -> MetricStand | None:
        """Return a metric by name, None where the looks did not judge it."""
        return next((metric for metric in self.metrics if metric.metric == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialDecision:
    """How far a run was sampled, against what, and what the looks came to.

    Attributes:
        outcome: ``fail``, ``pass`` and ``decided`` (every verdict is known) stopped it; ``inconclusive`` took every
            sample; ``undecided``: it was cut short, or there was nothing to look at.
        looks: taken, of `looks_planned`.
        samples: taken, of `samples_planned`, over all arms. Calls saved are the samples not taken that the ledger
            lacked: nobody has paid for them.
        samples_per_case: of the full design.
        against: what it was judged against, empty where that was nothing; `digest` is of those scores.
        notes: why it could not stop earlier.
        rechecked: cases that were sampled again after the stop, with `rechecked_samples` over all arms, which are not
            among `samples`.
    """

    outcome: LookOutcome
    looks: int
    looks_planned: int
    samples: int
    samples_planned: int
    samples_per_case: int
    calls_saved: int = 0
    against: str = ""
    digest: str = ""
    arms: tuple[ArmStand, ...] = ()
    notes: tuple[str, ...] = ()
    rechecked: int = 0
    rechecked_samples: int = 0

    @property
    def stopped_early(self) -> bool:
        """Return whether a decision, not a limit or an interrupt, left samples untaken."""
        return self.outcome in {"fail", "pass", "decided"} and self.looks < self.looks_planned

    @property
    def most_samples(self) -> int:
        """Return how many samples a case may have."""
        return self.samples_per_case + (RECHECK_SAMPLES if self.rechecked else 0)

    def arm(self, baseline: str, candidate: str) -> ArmStand | None:
        """Return two arms by name, None where the looks did not compare them."""
        return next((arm for arm in self.arms if (arm.baseline, arm.candidate) == (baseline, candidate)), None)


def decision_document(decision: SequentialDecision) -> dict[str, Any]:
    """Return a decision as JSON."""
    return asdict(decision)


def read_decision(summary: Mapping[str, Any]) -> SequentialDecision | None:
    """Return the decision in a stored run's summary, None where it was sampled in one go."""
    found = summary.get("sequential")
    if not isinstance(found, Mapping):
        return None
    arms = tuple(
        ArmStand(
            baseline=arm["baseline"],
            candidate=arm["candidate"],
            metrics=tuple(MetricStand(**metric) for metric in arm["metrics"]),
        )
        for arm in found["arms"]
    )
    return SequentialDecision(**{**found, "arms": arms, "notes": tuple(found["notes"])})
