"""How far a judge agrees with people: measured on labelled cases, kept beside the judge's definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

Coefficient = Literal[
    "exact",
    "kappa",
    "kappa_linear",
    "kappa_quadratic",
    "alpha_nominal",
    "alpha_ordinal",
    "alpha_interval",
    "spearman",
]

COEFFICIENTS: tuple[Coefficient, ...] = get_args(Coefficient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number with its two-sided 95% interval; None is what the data cannot say."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """One judge with one definition against one set of labels.

    Attributes:
        definition, version, definition_hash: what was asked; another hash is another definition.
        judge: model and parameters, as in signatures; who recorded the judgments where they were not asked for.
        against: the field that holds people's labels, or ``reviews``.
        data: where the cases come from; `data_hash` is over cases and labels.
        items: cases that both judged. `unlabelled` have no label, `failed` no judgment; `failures` says why, once each.
        coefficient: the one that stands for the whole: weighted kappa for grades, kappa for choices, else alpha.
        figures: every coefficient; those that do not fit the scale are left out.
        labels, confusion: ratings, and how often each of the judge's (row) meets each of people's (column).
        bias: position (pairs only) and length; empty where nothing can be said.
        position_p: that flips favour neither place.
        notes: what a reader must know before believing the figures.
    """

    definition: str
    version: str
    definition_hash: str
    judge: str
    against: str
    data: str
    data_hash: str
    items: int
    unlabelled: int
    failed: int
    coefficient: Coefficient
    figures: Mapping[str, Figure]
    labels: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    bias: Mapping[str, Figure] = field(default_factory=dict)
    position_p: float | None = None
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    calibrated_on: date | None = None

    @property
    def headline(self) -> Figure:
        """Return the figure that stands for the whole."""
        return self.figures.get(self.coefficient, Figure(value=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDemand:
    """What a suite demands of a judge before it may gate: the interval of `coefficient` lies above `min_agreement`.

    Attributes:
        coefficient: None for the calibration's own.
        min_items: labelled cases that it must stand on.
    """

    min_agreement: float
    coefficient: Coefficient | None = None
    min_items: int = 20
