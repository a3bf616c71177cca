from __future__ import annotations

import pytest

from retest.stats.missing_samples import DeltaBounds, delta_bounds


def test_nothing_missing_leaves_no_doubt() -> None:
    """Both bounds are the delta itself."""
    bounds = delta_bounds({"a": [1.0, 0.0]}, {"a": [1.0, 1.0]})
    assert bounds == DeltaBounds(worst=0.5, best=0.5)


def test_a_missing_sample_is_counted_as_worst_and_best() -> None:
    """A missing sample of the candidate may be 0 or 1, one of the baseline as well."""
    bounds = delta_bounds({"a": [1.0, None]}, {"a": [None, None]})
    assert bounds == DeltaBounds(worst=-1.0, best=0.5)


def test_cases_that_lost_all_samples_count() -> None:
    """A hard case whose calls all failed is not forgotten."""
    bounds = delta_bounds({"a": [1.0], "b": [0.5]}, {"a": [1.0], "b": [None]})
    assert bounds == DeltaBounds(worst=-0.25, best=0.25)


def test_the_scale_gives_the_ends() -> None:
    """On a scale of 1 to 5 a missing sample is 1 or 5."""
    assert delta_bounds({"a": [3.0]}, {"a": [None]}, low=1.0, high=5.0) == DeltaBounds(worst=-2.0, best=2.0)


def test_nothing_shared_has_no_bounds() -> None:
    """Without a case in common there is nothing to bound."""
    assert delta_bounds({"a": [1.0]}, {"b": [1.0], "a": []}) is None


def test_a_scale_has_a_direction() -> None:
    """A scale that ends before it starts is refused."""
    with pytest.raises(ValueError, match="scale"):
        delta_bounds({}, {}, low=1.0, high=0.0)
