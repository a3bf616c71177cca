"""What a suite would cost and what it could see, known before any call is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

VarianceSource = Literal["measured", "bound", "assumed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDrop:
    """The smallest drops that so many cases and samples find, in the metric's own units.

    Attributes:
        spread: a drop that hits all cases a little; None where no drop can be seen.
        concentrated: the same mean drop, made up by few cases.
    """

    cases: int
    samples: int
    spread: float | None
    concentrated: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapestDesign:
    """The design with the fewest calls that sees a drop; `cases` is None where no design of any size does.

    Attributes:
        drop: in the metric's own units.
        shape: whether the drop hits all cases or few.
        calls: of one arm; the candidate's, and the baseline's too where there is none yet.
        enough_cases: whether the suite has so many cases.
    """

    drop: float
    shape: Literal["spread", "concentrated"]
    cases: int | None = None
    samples: int | None = None
    calls: int | None = None
    enough_cases: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginNeed:
    """A margin of the gate, and the units (cases, or clusters) without which nothing proves it."""

    margin: float
    units_needed: int
    provable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDesign:
    """One metric of one arm.

    Attributes:
        width: of its scale; None where unbounded or of ratios: then no drop can be foretold.
        variance: of repeats within a case, in the metric's own units squared.
        aggregate: what a case's samples come to; only of means can a drop be foretold.
        source: measured on repeats; a bound that the mean sets; or assumed, for want of any run.
        grid: how the visible drop changes with more cases and with more samples.
    """

    arm: str
    metric: str
    low: float | None
    high: float | None
    width: float | None
    variance: float | None = None
    source: VarianceSource = "assumed"
    seen: SeenDrop | None = None
    grid: tuple[SeenDrop, ...] = ()
    cheapest: tuple[CheapestDesign, ...] = ()
    margin: MarginNeed | None = None
    aggregate: str = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Calls, and about how many tokens and US dollars they take; an unknown price is None."""

    calls: int
    tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteDesign:
    """A suite before it is run.

    Attributes:
        cases: planned; `existing_cases` are in the dataset.
        compared: cases that count in a comparison: those that the baseline has too, where there is one.
        units: what these are in the statistics: cases, or clusters of cases.
        now: what is not in the ledger yet.
        anew: what one whole run takes whose prompt, model or parameters have changed.
        reference: the run or file that the variances are from, None where there is none.
        baseline_samples: samples a case of the baseline; None where there is no baseline yet.
        judging: calls of judges on all samples planned, if none of them is in the ledger; None where nothing is judged.
    """

    suite: str
    path: str
    cases: int
    existing_cases: int
    compared: int
    units: float
    samples: int
    arms: tuple[str, ...]
    planned: int
    in_ledger: int
    now: Price
    anew: Price
    reference: str | None
    baseline_samples: float | None
    alpha: float
    power: float
    metrics: tuple[MetricDesign, ...]
    notes: tuple[str, ...] = ()
    judging: Price | None = None
