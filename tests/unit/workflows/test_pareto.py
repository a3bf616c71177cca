"""Which arms are worth choosing."""

from __future__ import annotations

import pytest

from retest.domain.summary import ArmSummary, MetricSummary
from retest.workflows.summarise import mark_pareto


def arm(name: str, mean: float, latency_ms: float | None, cost_usd: float | None) -> ArmSummary:
    metric = MetricSummary(name="m", metric="m", mean=mean)
    return ArmSummary(name=name, metrics=(metric,), samples=1, latency_p50_ms=latency_ms, cost_usd=cost_usd)


@pytest.mark.parametrize(
    ("arms", "chosen"),
    [
        ([arm("a", 0.9, 10, 0.1), arm("b", 0.8, 20, 0.2)], ["a"]),
        ([arm("a", 0.9, 10, 0.2), arm("b", 0.8, 10, 0.1)], ["a", "b"]),  # better against cheaper
        ([arm("a", 0.9, 10, None), arm("b", 0.9, 10, 0.1)], ["a", "b"]),  # an unknown price is not nothing
        ([arm("a", 1.0, None, None), arm("b", 1.0, 5, None)], ["a", "b"]),  # an unknown latency is not none
        ([arm("a", 0.9, None, None), arm("b", 0.8, 5, None)], ["a"]),
    ],
)
def test_an_arm_is_worth_choosing_unless_another_beats_it(arms: list[ArmSummary], chosen: list[str]) -> None:
    """In quality, latency and cost together; what one of the two does not know decides nothing."""
    assert [each.name for each in mark_pareto(arms) if each.pareto] == chosen
