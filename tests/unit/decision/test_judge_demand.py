"""Whether a judge may gate: every way in which it may not, with its own words."""

from __future__ import annotations

import pytest

from retest.decision.judge_demand import unmet_demand
from retest.domain.calibration import Calibration, Figure, JudgeDemand


def calibration(figure: Figure, items: int = 100) -> Calibration:
    return Calibration(
        definition="grade",
        version="1",
        definition_hash="abc",
        judge="openai/m",
        against="human",
        data="labelled.jsonl",
        data_hash="def",
        items=items,
        unlabelled=0,
        failed=0,
        coefficient="kappa",
        figures={"kappa": figure, "exact": Figure(value=0.9, low=0.8, high=1.0)},
    )


@pytest.mark.parametrize(
    ("figure", "items", "demand", "said"),
    [
        (Figure(value=0.7, low=0.6, high=0.8), 100, JudgeDemand(min_agreement=0.6), None),  # the lower end reaches it
        (Figure(value=0.7, low=0.59, high=0.8), 100, JudgeDemand(min_agreement=0.6), "not shown to reach .60"),
        (Figure(value=0.5, low=0.4, high=0.6), 100, JudgeDemand(min_agreement=0.6), "below the .60"),
        (Figure(value=0.9, low=0.8, high=1.0), 19, JudgeDemand(min_agreement=0.6), "19 cases, and 20"),
        (Figure(value=0.9, low=0.8, high=1.0), 19, JudgeDemand(min_agreement=0.6, min_items=19), None),
        (Figure(value=None), 100, JudgeDemand(min_agreement=0.6), "has no kappa"),
        (Figure(value=0.9), 100, JudgeDemand(min_agreement=0.6), "not shown"),  # no interval shows nothing
        (Figure(value=0.1, low=0.0, high=0.2), 100, JudgeDemand(min_agreement=0.7, coefficient="exact"), None),
        (
            Figure(value=0.9, low=0.8, high=1.0),
            100,
            JudgeDemand(min_agreement=0, coefficient="spearman"),
            "no spearman",
        ),
        (Figure(value=-0.1, low=-0.3, high=0.1), 100, JudgeDemand(min_agreement=-0.5), None),
    ],
)
def test_what_is_demanded(figure: Figure, items: int, demand: JudgeDemand, said: str | None) -> None:
    """The lower end of the interval decides; too few cases or no such figure never pass."""
    found = unmet_demand(calibration(figure, items), demand)
    if said is None:
        assert found is None
    else:
        assert found is not None
        assert said in found
