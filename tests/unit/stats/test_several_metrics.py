from __future__ import annotations

import numpy as np
import pytest

from retest.stats.several_metrics import benjamini_hochberg, holm, holm_factors


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),  # in the order given
        ([0.6, 0.7], [1.0, 1.0]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm_steps_down(p_values: list[float], adjusted: list[float]) -> None:
    """Adjusted p-values keep the order of the metrics."""
    assert holm(p_values).tolist() == pytest.approx(adjusted)


def test_holm_factors_make_the_p_values() -> None:
    """Each factor is the number of p-values that are not smaller."""
    assert holm_factors([0.04, 0.01, 0.03]).tolist() == [1.0, 3.0, 2.0]


@pytest.mark.parametrize("bad", [[-0.1], [1.1], [float("nan")]])
def test_what_is_no_probability_is_refused(bad: list[float]) -> None:
    """p-values lie between 0 and 1."""
    with pytest.raises(ValueError, match=r"p.values"):
        holm(bad)


def test_alpha_is_checked() -> None:
    """A level of 5 is a mistake."""
    with pytest.raises(ValueError, match="alpha"):
        holm([0.1], alpha=5)


def test_benjamini_hochberg_agrees_with_its_definition() -> None:
    """The adjusted value is the smallest level at which the list would hold the case."""
    p_values = np.array([0.01, 0.02, 0.03, 0.5])
    assert benjamini_hochberg(p_values).tolist() == pytest.approx([0.04, 0.04, 0.04, 0.5])


def test_benjamini_hochberg_of_nothing() -> None:
    """No case, no list."""
    assert benjamini_hochberg([]).tolist() == []
