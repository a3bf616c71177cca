"""The verdict of one metric: a pure function of p-values and bounds, judged in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass

from retest.stats.result import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict stands on; the p-values carry their share of alpha and every correction already.

    Attributes:
        p: both channels joined.
        p_single: the single-case channel alone; 1 where it takes no part.
        p_better: the suite's test in the other direction.
        lower, upper: guarded one-sided bounds of the mean change; None where there are too few units.
    """

    p: float
    p_single: float
    p_better: float
    lower: float | None
    upper: float | None

    def above(self, margin: float) -> bool:
        """Return whether the change is not worse than -margin, for sure."""
        return self.lower is not None and self.lower > -margin

    def below(self, margin: float) -> bool:
        """Return whether the change is not better than +margin, for sure."""
        return self.upper is not None and self.upper < margin


def decide(evidence: Evidence, *, margin: float | None, alpha: float = 0.05) -> Verdict:
    """Return the verdict of one metric; the first rule that holds decides.

    A significant change inside the margin is no regression; a dead case is one whatever the margin says.

    Args:
        evidence: p-values and bounds.
        margin: the largest change that does not matter, in the metric's units; None where every change does.
        alpha: one-sided error rate.
    """
    lower_inside = margin is not None and evidence.above(margin)
    upper_inside = margin is not None and evidence.below(margin)
    rules: tuple[tuple[bool, Verdict], ...] = (
        (evidence.p_single <= alpha, "regressed"),
        (lower_inside and upper_inside, "unchanged"),
        (evidence.p <= alpha and not lower_inside, "regressed"),
        (evidence.p_better <= alpha and not upper_inside, "improved"),
        (lower_inside, "not_worse"),
    )
    return next((verdict for holds, verdict in rules if holds), "inconclusive")


def join_channels(p_worse: float, p_cases: float, case_share: float) -> tuple[float, float]:
    """Return p of both channels joined, and of the single-case channel alone, each as compared with the whole alpha.

    The channels share alpha: the single cases get `case_share` of it, the suite's test the rest (Bonferroni).
    """
    if case_share == 0:
        return p_worse, 1.0
    p_single = min(1.0, p_cases / case_share)
    p_suite = p_worse / (1 - case_share) if case_share < 1 else 1.0
    return min(1.0, p_suite, p_single), p_single
