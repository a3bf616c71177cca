from __future__ import annotations

import numpy as np
import pytest

from retest.stats.bounds import guarded_bounds, steady_bound, units_to_prove
from retest.stats.intervals import unit_totals


def test_the_best_case_agrees_with_the_bounds() -> None:
    """The closed form for a suite without change is the guarded bound."""
    lower = guarded_bounds(unit_totals(np.zeros(30))).lower
    assert lower == pytest.approx(-steady_bound(30))


@pytest.mark.parametrize("margin", [0.001, 0.02, 0.07, 0.3, 0.9, 5.0])
def test_fewest_units_are_fewest(margin: float) -> None:
    """One unit fewer would not do, except below five."""
    n_units = units_to_prove(margin)
    assert steady_bound(n_units) < margin
    assert n_units == 5 or steady_bound(n_units - 1) >= margin


def test_width_and_margin_scale_together() -> None:
    """A margin of .4 on a scale of 1 to 5 is one of .1 on 0 to 1."""
    assert units_to_prove(0.4, width=4.0) == units_to_prove(0.1)


@pytest.mark.parametrize("margin", [0.0, -0.1, float("nan")])
def test_a_margin_of_nothing_cannot_be_proved(margin: float) -> None:
    """No number of cases proves a margin of 0."""
    with pytest.raises(ValueError, match="cannot be proved"):
        units_to_prove(margin)


def test_four_units_have_no_bounds() -> None:
    """Below five units there is no bound."""
    bounds = guarded_bounds(unit_totals(np.zeros(4)))
    assert (bounds.lower, bounds.upper) == (None, None)


def test_an_imaginary_cluster_has_the_average_size() -> None:
    """Clusters of two are guarded by a cluster of two: the same bounds as their means alone."""
    deltas = np.array([0.1, 0.1, -0.2, -0.2, 0.3, 0.3, 0.0, 0.0, 0.2, 0.2])
    clustered = guarded_bounds(unit_totals(deltas, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]))
    assert clustered.lower == pytest.approx(guarded_bounds(unit_totals(deltas[::2])).lower)
