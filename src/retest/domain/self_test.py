"""A suite compared with itself: what its gate does where nothing changed, and what it would need to see more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FEWEST_RUNS = 3
"""Two runs give one difference and no spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredDrift:
    """How far a metric's mean moves from run to run of one version, beyond what its samples explain.

    Attributes:
        signature: of the metric; with another one the measure says nothing.
        tau2: variance of the run's own level on the scale of the test (logarithms for ratios); 0 where sampling
            explains all.
        n_runs: the runs it stands on.
    """

    arm: str
    metric: str
    signature: str
    tau2: float
    n_runs: int
    measured_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRate:
    """How often the suite's gate found a regression where there was none.

    Attributes:
        alarms: comparisons that it would have failed for a regression, of `trials`.
        unproven: further ones that it would not have passed, for it asks for proof.
        low, high: 95% interval of the rate of alarms; None where the comparisons share their runs.
        samples: per case, of the baseline's side and of the candidate's.
    """

    alarms: int
    unproven: int
    trials: int
    samples: tuple[int, int]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDrift:
    """One metric of one arm over the runs.

    Attributes:
        means: of each run, over the cases that all runs have, in the metric's own units.
        tau: standard deviation of the run's own level, in the metric's own units (a share for ratios); None where it
            cannot be told.
        p: that sampling alone moves the means so far.
        note: why `tau` cannot be told.
    """

    arm: str
    metric: str
    means: tuple[float, ...]
    tau: float | None = None
    p: float | None = None
    note: str | None = None
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    is_ratio: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricNeed:
    """What one metric of one arm sees, and what it would need.

    Attributes:
        repeat_sd: standard deviation of repeats within a case.
        seen: smallest drop, spread over the suite, that is found in 80 of 100 runs of this size; None where none is.
        drop: the drop to be seen: the margin, else a twentieth of the scale.
        is_margin: whether `drop` is the gate's margin.
        samples: per case on both sides that see the drop with these cases; None where no number up to 50 does.
        cases: that see it with as many samples as now; None where no number does.
        cases_to_prove: without so many cases (or clusters) no run proves the margin; None without one.
    """

    arm: str
    metric: str
    repeat_sd: float
    seen: float | None
    drop: float
    is_margin: bool
    samples: int | None
    cases: int | None
    cases_to_prove: int | None = None
    range_low: float | None = 0.0
    range_high: float | None = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTest:
    """All that comparing a suite with itself says.

    Attributes:
        runs: their ids, in order.
        pairs: every run judged against every other, both ways; None with fewer than two.
        splits: the pooled samples dealt at random into two sides, again and again; None without repeats.
        flaky: case ids that pass in some samples and fail in others, by arm.
    """

    suite: str
    path: str
    runs: tuple[str, ...]
    samples: int
    cases: int
    alpha: float
    pairs: AlarmRate | None = None
    splits: AlarmRate | None = None
    drifts: tuple[MetricDrift, ...] = ()
    needs: tuple[MetricNeed, ...] = ()
    flaky: tuple[tuple[str, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def says_anything(self) -> bool:
        """Return whether there was anything to compare."""
        return self.pairs is not None or self.splits is not None
