from __future__ import annotations

import pytest

from retest.stats.result import Verdict
from retest.stats.verdict import Evidence, decide, join_channels

MARGIN = 0.05


@pytest.mark.parametrize(
    ("p", "p_single", "p_better", "lower", "upper", "margin", "verdict"),
    [
        (0.01, 0.01, 1.0, -0.01, 0.01, MARGIN, "regressed"),  # a dead case, whatever the margin says
        (0.01, 1.0, 1.0, -0.04, 0.04, MARGIN, "unchanged"),  # significant, and too small to matter
        (1.0, 1.0, 0.01, -0.04, 0.04, MARGIN, "unchanged"),
        (0.01, 1.0, 1.0, -0.20, -0.06, MARGIN, "regressed"),
        (0.05, 1.0, 1.0, -0.20, 0.01, MARGIN, "regressed"),  # alpha itself rejects
        (0.051, 1.0, 1.0, -0.20, 0.01, MARGIN, "inconclusive"),
        (0.01, 1.0, 1.0, -0.05, 0.06, MARGIN, "regressed"),  # a bound at the margin is not above it
        (0.01, 1.0, 1.0, -0.04, 0.06, MARGIN, "not_worse"),  # significant, yet surely not below -margin
        (1.0, 1.0, 0.01, -0.04, 0.20, MARGIN, "improved"),
        (1.0, 1.0, 0.50, -0.04, 0.20, MARGIN, "not_worse"),
        (1.0, 1.0, 0.50, -0.20, 0.20, MARGIN, "inconclusive"),
        (0.01, 1.0, 1.0, -0.01, 0.01, None, "regressed"),  # without a margin every change matters
        (1.0, 1.0, 0.01, 0.01, 0.02, None, "improved"),
        (0.50, 1.0, 0.50, -0.01, 0.01, None, "inconclusive"),
        (0.01, 1.0, 1.0, None, None, MARGIN, "regressed"),  # fewer than 5 units: tests, no bounds
        (1.0, 1.0, 0.01, None, None, MARGIN, "improved"),
        (1.0, 1.0, 1.0, None, None, MARGIN, "inconclusive"),
        (0.5, 1.0, 0.5, 0.001, 0.02, 0.0, "not_worse"),  # a margin of 0 asks for a lower bound above 0
    ],
)
def test_the_first_rule_that_holds_decides(  # noqa: PLR0913, PLR0917 - a table's columns
    p: float,
    p_single: float,
    p_better: float,
    lower: float | None,
    upper: float | None,
    margin: float | None,
    verdict: Verdict,
) -> None:
    """The table of verdicts, in its order."""
    evidence = Evidence(p=p, p_single=p_single, p_better=p_better, lower=lower, upper=upper)
    assert decide(evidence, margin=margin, alpha=0.05) == verdict


@pytest.mark.parametrize(
    ("p_worse", "p_cases", "share", "joined", "single"),
    [
        (0.04, 1.0, 0.2, 0.05, 1.0),
        (0.5, 0.01, 0.2, 0.05, 0.05),
        (0.9, 0.9, 0.2, 1.0, 1.0),
        (0.04, 0.0001, 0.0, 0.04, 1.0),  # no share: the suite's test alone
    ],
)
def test_the_channels_share_alpha(p_worse: float, p_cases: float, share: float, joined: float, single: float) -> None:
    """P is the smaller of both channels, each over its share."""
    assert join_channels(p_worse, p_cases, share) == pytest.approx((joined, single))
