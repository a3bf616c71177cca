from __future__ import annotations

import math

import pytest

from retest.stats.spread import looks_cached, pooled_sd, pooled_variance, quantiles


def test_within_variance_is_pooled_by_degrees_of_freedom() -> None:
    """A case with more repeats weighs more; one without repeats says nothing of spread."""
    assert pooled_variance([[0.0, 2.0], [1.0, 1.0, 4.0], [9.0]]) == pytest.approx((2 + 6) / 3)


def test_no_repeats_no_spread() -> None:
    """Without a repeat the within-case spread is unknown, not 0."""
    assert pooled_sd([[1.0], [0.0]]) is None


@pytest.mark.parametrize(
    ("cases", "cached"),
    [
        ([[1, 1, 1], [0, 0, 0]], True),
        ([[1, 1, 1], [0, 1, 0]], False),
        ([[1], [0]], False),  # nothing is repeated, so nothing is copied
        ([[0.1 + 0.2, 0.1 + 0.2]], True),
        ([], False),
    ],
)
def test_copies_are_noticed(cases: list[list[float]], cached: bool) -> None:  # noqa: FBT001 - a table's column
    """Repeats that never differ look like copies."""
    assert looks_cached(cases) is cached


def test_quantiles_interpolate() -> None:
    """The median of an even number lies between the middle two."""
    assert quantiles([1, 2, 3, 10], (0.0, 0.5, 1.0)) == (1.0, 2.5, 10.0)


def test_nothing_has_no_quantiles() -> None:
    """No value gives no quantile."""
    with pytest.raises(ValueError, match="no quantiles"):
        quantiles([])


def test_missing_values_are_refused() -> None:
    """NaN in a case is refused, with the case's number."""
    with pytest.raises(ValueError, match="case 1"):
        pooled_variance([[1.0, 2.0], [math.nan, 1.0]])
