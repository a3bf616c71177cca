"""The delete-one jackknife of figures made of sums."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from retest.stats.classification import Classified, classification_figures, sample_sums
from retest.stats.intervals import mean_interval
from retest.stats.jackknife import case_sums, estimates, paired_estimates, unit_sums

Rows = NDArray[np.float64]


def mean(sums: Rows) -> Rows:
    with np.errstate(invalid="ignore"):  # of nothing
        return sums[:, :1] / sums[:, 1:]


def as_rows(values: Rows) -> Rows:
    return np.stack([values, np.ones_like(values)], axis=1)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_a_mean_has_exactly_the_interval_of_a_mean(n: int) -> None:
    """Where the figure is the mean over cases, value and interval are those of `mean_interval`."""
    values = np.random.default_rng(n).random(n)
    (found,) = estimates(as_rows(values), mean, [(0.0, 1.0)])
    wanted = mean_interval(values)
    assert (found.value, found.low, found.high) == pytest.approx((wanted.mean, wanted.low, wanted.high), abs=1e-12)


def test_the_standard_error_is_the_textbook_formula() -> None:
    """sqrt((G - 1)/G sum (theta_i - mean)^2), by a loop, for the ratio of two sums."""
    rows = np.random.default_rng(1).random((12, 2)) + 0.5
    without = [np.delete(rows, i, axis=0).sum(axis=0) for i in range(12)]
    left = np.array([part / whole for part, whole in without])
    error = np.sqrt(11 / 12 * np.square(left - left.mean()).sum())
    (found,) = estimates(rows, mean, [(None, None)])
    assert found.low is not None
    assert found.high is not None
    assert (found.high - found.low) / 2 == pytest.approx(2.200985160 * error, rel=1e-8)  # t of 11 degrees, 97.5%


def test_perfect_cases_are_not_certain_to_stay_perfect() -> None:
    """The guard: the fewer cases, the lower the bound below a figure of 1."""
    bounds = [estimates(as_rows(np.ones(n)), mean, [(0.0, 1.0)])[0].low or 0.0 for n in (3, 20, 100)]
    assert bounds == sorted(bounds)
    assert bounds[0] < 0.5 < bounds[1] < 1.0


def test_one_case_says_nothing_beyond_the_scale() -> None:
    """The interval of one unit is the whole scale."""
    (found,) = estimates(as_rows(np.array([0.4])), mean, [(0.0, 1.0)])
    assert (found.value, found.low, found.high) == (0.4, 0.0, 1.0)


def test_no_case_has_no_figure() -> None:
    """Nothing was tested, so nothing is claimed."""
    (found,) = estimates(np.zeros((0, 2)), mean, [(0.0, 1.0)])
    assert (found.value, found.low, found.high) == (None, None, None)


def test_a_figure_that_one_case_alone_defines_has_no_interval() -> None:
    """Without that case there is nothing to compute it from."""
    rows = np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    (found,) = estimates(rows, mean, [(0.0, 1.0)])
    assert (found.value, found.low, found.high) == (1.0, None, None)


def test_cases_weigh_alike_however_many_samples_they_have() -> None:
    """One case of four samples counts no more than one of two."""
    rows = as_rows(np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0]))
    sums = case_sums(rows, np.array([0, 0, 0, 0, 1, 1]), 2)
    assert mean(sums.sum(axis=0, keepdims=True))[0, 0] == pytest.approx(0.5)


def test_equal_numbers_of_samples_are_plain_sums() -> None:
    """Where every case has as many samples, nothing is weighted: counts stay whole numbers."""
    rows = np.arange(12.0).reshape(6, 2)
    assert case_sums(rows, np.array([0, 0, 0, 1, 1, 1]), 2).tolist() == [[6.0, 9.0], [24.0, 27.0]]


def test_clusters_are_the_units() -> None:
    """Cases of one cluster are left out together: five equal copies of a case say no more than one."""
    values = np.random.default_rng(3).random(8)
    copies = np.repeat(values, 5)
    labels = [f"ticket {i // 5}" for i in range(40)]
    (clustered,) = estimates(unit_sums(as_rows(copies), labels), mean, [(0.0, 1.0)])
    (single,) = estimates(as_rows(values), mean, [(0.0, 1.0)])
    assert (clustered.low, clustered.high) == pytest.approx((single.low, single.high))


def test_a_change_is_paired_by_case() -> None:
    """The same shift in every case has next to no spread, however far the cases lie apart."""
    before = np.random.default_rng(4).random(30) / 2
    (found,) = paired_estimates(as_rows(before), as_rows(before + 0.25), mean, [(None, None)])
    assert found.value == pytest.approx(0.25)
    assert found.low == pytest.approx(0.25)


def test_swapping_the_sides_turns_the_sign() -> None:
    """The interval of a change backwards is the interval forwards, mirrored."""
    rng = np.random.default_rng(5)
    before, after = as_rows(rng.random(20)), as_rows(rng.random(20))
    (one,) = paired_estimates(before, after, mean, [(0.0, 1.0)])
    (other,) = paired_estimates(after, before, mean, [(0.0, 1.0)])
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))  # type: ignore[operator] # all are known here


def test_sides_with_other_units_are_refused() -> None:
    """A pair without a partner would be paired with another case."""
    with pytest.raises(ValueError, match="differ in their units"):
        paired_estimates(as_rows(np.ones(3)), as_rows(np.ones(4)), mean, [(0.0, 1.0)])


def coverage(draw: Callable[[np.random.Generator], Rows], truth: float, figure: int, times: int = 300) -> float:
    held = 0
    rng = np.random.default_rng(7)
    for _ in range(times):
        found = estimates(draw(rng), lambda sums: classification_figures(sums, 3)[:, [figure]], [(0.0, 1.0)])[0]
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    return held / times


def drawn(rng: np.random.Generator, n: int) -> Rows:
    """Return sums of n cases of three labels, one in ten of the third, 70% right, errors even."""
    expected = rng.choice(3, n, p=[0.5, 0.4, 0.1])
    predicted = np.where(rng.random(n) < 0.7, expected, (expected + rng.integers(1, 3, n)) % 3)
    return sample_sums(Classified(expected=expected, predicted=predicted, confidence=np.full(n, np.nan), n_labels=3))


def test_the_interval_of_macro_f1_covers_its_true_value() -> None:
    """In at least 91% of 300 runs of 60 cases with a rare label; the level is 95%."""
    truth = float(classification_figures(drawn(np.random.default_rng(0), 400_000).sum(axis=0, keepdims=True), 3)[0, 2])
    assert coverage(lambda rng: drawn(rng, 60), truth, figure=2) >= 0.91
