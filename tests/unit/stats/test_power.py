from __future__ import annotations

import math

import pytest

from retest.stats.power import Setting, cheapest_design, mde


def test_a_concentrated_drop_is_harder_to_see() -> None:
    """A drop in few cases needs to be larger than one spread over the suite."""
    assert mde(100, 3, 3, spread=False) > mde(100, 3, 3)


def test_clusters_make_drops_harder_to_see() -> None:
    """A design effect of 2 is half of the cases."""
    assert mde(100, 3, 3, design_effect=2) == mde(50, 3, 3)


def test_single_samples_pay_one_case() -> None:
    """One sample on both sides moves in steps of whole cases."""
    assert mde(100, 1, 1) - mde(100, 1, 1.0001) == pytest.approx(0.01, abs=1e-4)


@pytest.mark.parametrize(("n_cases", "effect"), [(1, 1.0), (10, 10.0)])
def test_one_unit_sees_nothing(n_cases: int, effect: float) -> None:
    """One unit has no spread, so no drop can be seen."""
    assert mde(n_cases, 5, 5, design_effect=effect) == math.inf


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((0, 3, 3), {}),
        ((10, 0, 3), {}),
        ((10, 3, 3, -0.1), {}),
        ((10, 3, 3, math.nan), {}),
        ((10, 3, 3), {"power": 1.0}),
        ((10, 3, 3), {"alpha": 0.0}),
        ((10, 3, 3), {"design_effect": 0.0}),
    ],
)
def test_impossible_designs_are_refused(arguments: tuple[float, ...], options: dict[str, float]) -> None:
    """What no design has is an error."""
    with pytest.raises(ValueError, match=r"design|variance|power|alpha"):
        mde(*arguments, **options)  # type: ignore[arg-type] # the point of the test


def test_the_cheapest_design_sees_the_drop() -> None:
    """What is proposed sees the drop, and one case fewer does not."""
    setting = Setting(max_cases=1000, k_stored=10)
    design = cheapest_design(0.05, setting)
    assert design is not None
    assert design.mde <= 0.05 < setting.design(design.n_cases - 1, design.k_candidate).mde
    assert design.calls == design.n_cases * design.k_candidate


def test_no_design_is_cheaper() -> None:
    """Against a search through all designs of a small suite."""
    setting = Setting(max_cases=60)
    every = [setting.design(n_cases, k) for n_cases in range(2, 61) for k in range(1, 51)]
    found = cheapest_design(0.12, setting)
    assert found is not None
    assert found.calls == min(design.calls for design in every if design.mde <= 0.12)


def test_a_drop_too_small_has_no_design() -> None:
    """Ten cases never see half a point."""
    assert cheapest_design(0.005, Setting(max_cases=10)) is None


def test_a_drop_must_be_one() -> None:
    """A drop of 0 is seen by nothing."""
    with pytest.raises(ValueError, match="positive"):
        cheapest_design(0.0, Setting(max_cases=10))
