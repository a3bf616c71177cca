from __future__ import annotations

import math

import numpy as np
import pytest

from retest.stats.variance_split import split_jury, split_variance


def _simulated(seed: int, *, case: float, sample: float, judge: float) -> list[list[list[float]]]:
    """Return 200 cases with 1 to 5 samples of 1 to 4 judgments each."""
    rng = np.random.default_rng(seed)
    return [
        [
            (level + target + rng.normal(0, judge, rng.integers(1, 5))).tolist()
            for target in rng.normal(0, sample, rng.integers(1, 6))
        ]
        for level in rng.normal(5, case, 200)
    ]


def test_balanced_parts_are_those_of_the_analysis_of_variance() -> None:
    """Two cases x two samples x two judgments: mean squares by hand."""
    split = split_variance([[[1, 3], [5, 5]], [[8, 8], [10, 12]]])
    judge = (2 + 0 + 0 + 2) / 4  # squares within samples over 8 - 4
    sample_ms = (2 * (1.5**2 + 1.5**2) + 2 * (1.5**2 + 1.5**2)) / 2  # means 2, 5 and 8, 11
    case_ms = 4 * (3.0**2 + 3.0**2)  # means 3.5 and 9.5
    assert split.judge == pytest.approx(judge)
    assert split.sample == pytest.approx((sample_ms - judge) / 2)
    assert split.case == pytest.approx((case_ms - sample_ms) / 4)


def test_parts_are_found_again() -> None:
    """Unequal numbers of samples and judgments: the simulated parts come out within their intervals."""
    split = split_variance(_simulated(3, case=1.5, sample=1.0, judge=0.5))
    for estimate, true in ((split.judge_sd, 0.5), (split.sample_sd, 1.0), (split.case_sd, 1.5)):
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= true <= estimate.high


def test_estimates_are_not_biased() -> None:
    """Over 60 simulations the parts average the true ones within 4%."""
    parts = [split_variance(_simulated(seed, case=1.5, sample=1.0, judge=0.5)) for seed in range(60)]
    for name, true in (("judge", 0.25), ("sample", 1.0), ("case", 2.25)):
        assert np.mean([getattr(one, name) for one in parts]) == pytest.approx(true, rel=0.04)


def test_one_judgment_each_leaves_the_judge_unknown() -> None:
    """Without repeated judging the judge's noise cannot be told from the target's."""
    split = split_variance([[[1], [2]], [[4], [6]], [[0], [1]]])
    assert split.judge is None
    assert split.sample == pytest.approx((0.5 + 2 + 0.5) / 3)


def test_one_sample_each_leaves_the_sample_unknown() -> None:
    """Without repeats of the target only judge and case are told apart."""
    split = split_variance([[[1, 2]], [[4, 6]], [[0, 1]]])
    assert split.sample is None
    assert split.judge == pytest.approx((0.5 + 2 + 0.5) / 3)
    assert split.case is not None


def test_a_steady_judge_has_no_noise() -> None:
    """Equal judgments: 0, and not unknown."""
    split = split_variance([[[1, 1], [2, 2]], [[3, 3], [3, 3]]])
    assert split.judge == 0


def test_missing_judgments_are_left_out() -> None:
    """A sample without a judgment is not there, nor a case without a sample."""
    assert split_variance([[[1, 2], []], [[]], [[3, 5]]]).n_samples == 2


def test_nothing_judged() -> None:
    """No judgment at all: all is unknown."""
    split = split_variance([])
    assert (split.judge, split.sample, split.case, split.mean) == (None, None, None, None)


def test_noise_of_a_mean_falls_with_votes_and_samples() -> None:
    """More votes lower the judge's part only, more samples both."""
    split = split_variance(_simulated(3, case=1.5, sample=1.0, judge=0.5))
    assert split.judge is not None
    assert split.sample is not None
    assert split.variance_of_mean(samples=2, votes=3) == pytest.approx(split.sample / 2 + split.judge / 6)


def test_share_of_the_judge() -> None:
    """The judge's part of one judgment's variance."""
    split = split_variance([[[1, 3], [5, 5]], [[8, 8], [10, 12]]])
    assert split.judge_share == pytest.approx(1 / (1 + (split.sample or 0) + (split.case or 0)))


def test_a_harsh_judge_is_no_noise() -> None:
    """A jury whose members differ by a constant is steady; the constant is said."""
    truth = {(case, 0): float(case) for case in range(6)}
    split = split_jury({"mild": truth, "harsh": {item: value - 1 for item, value in truth.items()}})
    assert split.judge == pytest.approx(0)
    assert split.levels == {"mild": pytest.approx(0.5), "harsh": pytest.approx(-0.5)}


def test_same_seed_same_intervals() -> None:
    """Intervals are seeded."""
    data = _simulated(1, case=1, sample=1, judge=1)[:20]
    assert split_variance(data, seed=4) == split_variance(data, seed=4)


def test_nan_is_refused() -> None:
    """A judgment that is no number says where it is."""
    with pytest.raises(ValueError, match="case 0, sample 0"):
        split_variance([[[math.nan]]])
