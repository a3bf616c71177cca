from __future__ import annotations

import numpy as np
import pytest

from retest.stats.case_labels import label_cases


def test_clear_changes_are_named() -> None:
    """Dead, healed, flaky and steady cases each get their name."""
    passes_a = [5, 0, 5, 5] + [5] * 20 + [0] * 6 + [5] * 3
    passes_b = [0, 5, 5, 5] + [5] * 20 + [0] * 6 + [5] * 3
    labels = label_cases(passes_a, [5] * 33, passes_b, [5] * 33).labels
    assert labels[:4] == ["newly_failing", "newly_passing", "stable", "stable"]


def test_a_case_in_between_is_flaky() -> None:
    """Half passes on both sides is no change, and no steady case either."""
    labels = label_cases([5] * 20 + [10], [10] * 20 + [20], [5] * 20 + [10], [10] * 20 + [20]).labels
    assert set(labels) == {"flaky"}


def test_posteriors_are_probabilities() -> None:
    """Worse and better never add up to more than 1."""
    rng = np.random.default_rng(0)
    worse, better, labels = label_cases(rng.integers(0, 6, 50), [5] * 50, rng.integers(0, 4, 50), [3] * 50)
    assert ((worse >= 0) & (better >= 0) & (worse + better <= 1 + 1e-9)).all()
    assert len(labels) == 50


def test_swapping_the_runs_swaps_the_posteriors() -> None:
    """The model treats both sides alike."""
    a, b = [5, 4, 0, 2, 5], [0, 5, 0, 3, 5]
    there, back = label_cases(a, [5] * 5, b, [5] * 5), label_cases(b, [5] * 5, a, [5] * 5)
    assert there.worse == pytest.approx(back.better)


def test_no_samples_say_nothing() -> None:
    """A case without samples on a side is not called changed."""
    result = label_cases([5, 0] + [5] * 10, [5, 0] + [5] * 10, [5, 0] + [5] * 10, [5, 5] + [5] * 10)
    assert not result.labels[1].startswith("newly")


def test_no_case_no_label() -> None:
    """Nothing in, nothing out."""
    assert label_cases([], [], [], []).labels == []


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (([6], [5], [1], [5]), "between 0"),
        (([-1], [5], [1], [5]), "between 0"),
        (([1], [5], [1, 1], [5, 5]), "same cases"),
        (([1, 1], [5], [1], [5]), "one number per case"),
    ],
)
def test_impossible_counts_are_refused(numbers: tuple[list[int], ...], message: str) -> None:
    """More passes than samples cannot be."""
    with pytest.raises(ValueError, match=message):
        label_cases(*numbers)
