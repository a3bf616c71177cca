from __future__ import annotations

import math

import numpy as np
import pytest

from retest.stats.compare import compare

Run = dict[str, list[float | None]]


def _random_run(seed: int, n_cases: int = 30, k: int = 4) -> Run:
    rng = np.random.default_rng(seed)
    return {f"case-{number}": rng.normal(size=k).round(2).tolist() for number in range(n_cases)}


def _binary_run(seed: int, chance: float, n_cases: int = 30, k: int = 5) -> Run:
    rng = np.random.default_rng(seed)
    return {f"ケース{number}": (rng.random(k) < chance).astype(float).tolist() for number in range(n_cases)}


@pytest.mark.parametrize(
    ("baseline", "candidate", "width", "clusters"),
    [
        (_random_run(1), _random_run(2), None, None),
        (_random_run(1, k=10), _random_run(2, k=3), None, None),
        (_random_run(1, k=12), _random_run(2, k=12), None, None),
        (_binary_run(1, 0.8), _binary_run(2, 0.7), 1.0, None),
        (_binary_run(1, 0.8, k=10), _binary_run(2, 0.7, k=9), 1.0, None),
        (_random_run(1), _random_run(2), None, {f"case-{number}": number // 3 for number in range(30)}),
    ],
)
def test_swapping_the_runs_exchanges_the_tails(
    baseline: Run, candidate: Run, width: float | None, clusters: dict[str, int] | None
) -> None:
    """p_worse and p_better change places exactly, whatever the numbers of samples."""
    there = compare(baseline, candidate, width=width, clusters=clusters, seed=7)
    back = compare(candidate, baseline, width=width, clusters=clusters, seed=7)
    assert (there.p_worse, there.p_better) == (back.p_better, back.p_worse)
    assert there.delta == -(back.delta or 0.0)


def test_the_order_of_cases_has_no_effect() -> None:
    """Reversing the cases changes nothing, not even the last bit."""
    baseline, candidate = _random_run(3), _random_run(4)
    turned = compare(dict(reversed(baseline.items())), dict(reversed(candidate.items())), width=None)
    assert turned == compare(baseline, candidate, width=None)


def test_the_order_of_samples_has_no_effect() -> None:
    """Samples of a case are a set."""
    baseline, candidate = _random_run(3), _random_run(4)
    turned = {case: scores[::-1] for case, scores in candidate.items()}
    assert compare(baseline, turned, width=None) == compare(baseline, candidate, width=None)


def test_the_order_of_cases_has_no_effect_with_clusters() -> None:
    """The same with clusters declared."""
    baseline, candidate = _random_run(3), _random_run(4)
    clusters = {f"case-{number}": number % 7 for number in range(30)}
    turned = compare(dict(reversed(baseline.items())), candidate, width=None, clusters=clusters)
    assert turned == compare(baseline, candidate, width=None, clusters=clusters)


def test_the_same_seed_gives_the_same_result() -> None:
    """Two calls agree in everything."""
    baseline, candidate = _binary_run(1, 0.8), _binary_run(2, 0.7)
    assert compare(baseline, candidate, seed=3) == compare(baseline, candidate, seed=3)


def test_another_seed_draws_anew() -> None:
    """The seed reaches the draws."""
    baseline, candidate = _random_run(1), _random_run(2)
    assert (
        compare(baseline, candidate, width=None, seed=1).p_worse
        != compare(baseline, candidate, width=None, seed=2).p_worse
    )


def test_units_do_not_matter() -> None:
    """Scores in other units give the same p-values."""
    baseline, candidate = _binary_run(1, 0.8), _binary_run(2, 0.6)
    scaled = [
        {case: [1000 * (score or 0) + 5 for score in scores] for case, scores in run.items()}
        for run in (baseline, candidate)
    ]
    assert compare(*scaled, width=1000.0).p_worse == pytest.approx(compare(baseline, candidate).p_worse, abs=0.02)


def test_nothing_in_common_is_not_comparable() -> None:
    """Without a pair there is a reason for each case instead of a verdict."""
    result = compare({"a": [1.0], "c": []}, {"b": [1.0], "c": [1.0]})
    assert (result.verdict, result.delta, result.n_cases) == ("not_comparable", None, 0)
    assert result.unpaired == {
        "a": "not in the candidate",
        "b": "not in the baseline",
        "c": "no sample in the baseline",
    }


def test_missing_samples_are_left_out_and_counted() -> None:
    """A failed call is a missing sample, not a zero."""
    result = compare({"a": [1.0, None, 1.0]}, {"a": [None, 1.0]})
    assert result.delta == 0.0
    assert (result.missing_baseline, result.missing_candidate) == ({"a": 1}, {"a": 1})


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e101])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    """NaN, infinity and what overflows are refused, naming run, case and sample."""
    with pytest.raises(ValueError, match=r"candidate: case 'ケース', sample 1"):
        compare({"ケース": [1.0, 1.0]}, {"ケース": [1.0, bad]})


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.0},
        {"alpha": 5.0},
        {"margin": -0.1},
        {"margin": math.nan},
        {"width": 0.0},
        {"width": math.inf},
        {"case_share": 1.0},
        {"case_share": -0.1},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    """An option that means nothing is an error, not a guess."""
    with pytest.raises(ValueError, match="must"):
        compare({"a": [1.0]}, {"a": [1.0]}, **options)  # type: ignore[arg-type] # the point of the test


def test_constant_data_say_nothing() -> None:
    """Where no sample ever differs no p-value is small and nothing is infinite."""
    runs = {str(number): [0.3, 0.3, 0.3] for number in range(8)}
    result = compare(runs, runs)
    assert (result.p, result.p_worse, result.p_better, result.p_cases) == (1.0, 1.0, 1.0, 1.0)
    assert (result.verdict, result.cached_baseline, result.cached_candidate) == ("inconclusive", True, True)


def test_one_dead_case_among_twenty_is_found() -> None:
    """The single-case channel sees what the mean hides."""
    baseline: Run = {str(number): [1.0] * 5 for number in range(20)}
    candidate: Run = {**baseline, "7": [0.0] * 5}
    result = compare(baseline, candidate)
    assert result.p_worse > 0.4
    assert result.p_cases == pytest.approx(1 / 252)
    assert (result.verdict, result.uses_cases) == ("regressed", True)
    assert min(result.case_p, key=result.case_p.__getitem__) == "7"


def test_a_dead_case_is_no_matter_of_margin() -> None:
    """A margin excuses a small change of the mean, never a dead case."""
    baseline: Run = {str(number): [1.0] * 5 for number in range(200)}
    assert compare(baseline, {**baseline, "7": [0.0] * 5}, margin=0.1).verdict == "regressed"


def test_few_samples_leave_all_of_alpha_to_the_suite() -> None:
    """With 3 + 3 samples no case can reach its level, so p is the suite's own."""
    result = compare(_binary_run(1, 0.9, k=3), _binary_run(2, 0.6, k=3))
    assert not result.uses_cases
    assert result.p == result.p_worse


def test_enough_samples_share_alpha() -> None:
    """With 5 + 5 samples p is the smaller of both channels, each at its share."""
    result = compare(_binary_run(1, 0.9), _binary_run(2, 0.7))
    assert result.uses_cases
    assert result.p == min(1.0, result.p_worse / 0.8, result.p_cases / 0.2)


def test_no_share_no_single_cases() -> None:
    """case_share=0 leaves the suite's test alone."""
    result = compare(_binary_run(1, 0.9), _binary_run(2, 0.7), case_share=0)
    assert (result.uses_cases, result.p) == (False, result.p_worse)


def test_clusters_rule_out_single_cases() -> None:
    """Declared clusters give the suite's test all of alpha."""
    clusters = {f"ケース{number}": number // 5 for number in range(30)}
    result = compare(_binary_run(1, 0.9), _binary_run(2, 0.7), clusters=clusters)
    assert (result.uses_cases, result.p_cases, result.p, result.n_units) == (False, 1.0, result.p_worse, 6)


def test_clusters_of_one_are_no_clusters() -> None:
    """One label a case leaves the case as the unit."""
    baseline, candidate = _binary_run(1, 0.9), _binary_run(2, 0.7)
    assert compare(baseline, candidate, clusters={case: case for case in baseline}) == compare(baseline, candidate)


def test_one_cluster_judges_nothing() -> None:
    """One cluster is one unit: the sign of one total is a coin."""
    result = compare(_binary_run(1, 0.9), _binary_run(2, 0.2), clusters=dict.fromkeys(_binary_run(1, 0.9), "one"))
    assert result.p_worse == pytest.approx(0.5, abs=0.05)
    assert (result.lower, result.upper, result.mde) == (None, None, None)


def test_one_case_is_tested() -> None:
    """Tests run from one unit on; bounds do not."""
    result = compare({"a": [1.0] * 5}, {"a": [0.0] * 5})
    assert result.p_worse == pytest.approx(1 / 252, abs=0.003)
    assert (result.verdict, result.lower, result.upper) == ("regressed", None, None)


def test_four_cases_have_no_bounds() -> None:
    """Below 5 units no margin can be claimed, however wide."""
    runs: Run = {str(number): [1.0, 1.0] for number in range(4)}
    result = compare(runs, runs, margin=0.99)
    assert (result.verdict, result.lower, result.upper) == ("inconclusive", None, None)


def test_a_wide_scale_is_noticed() -> None:
    """Scores that span more than the width given widen it, so that no bound is too tight."""
    runs: Run = {str(number): [1.0, 5.0] for number in range(10)}
    assert compare(runs, runs).width == 4.0


def test_bounds_scale_with_the_width() -> None:
    """The guard stands at the end of the metric's own scale."""
    runs: Run = {str(number): [3.0] * 3 for number in range(20)}
    assert compare(runs, runs, width=4.0).upper == pytest.approx(4 * 0.12975, abs=1e-4)


def test_an_unbounded_scale_has_no_guard() -> None:
    """Plain t bounds where the scale has no ends."""
    baseline = {str(number): [0.0] for number in range(10)}
    candidate = {str(number): [float(number)] for number in range(10)}
    values = np.arange(10.0)
    expected = values.mean() - 1.8331129 * values.std(ddof=1) / math.sqrt(10)
    assert compare(baseline, candidate, width=None).lower == pytest.approx(expected)


def test_any_improvement_is_named() -> None:
    """The other direction has its own verdict."""
    assert compare(_binary_run(1, 0.3), _binary_run(2, 0.9)).verdict == "improved"


def test_unequal_numbers_of_samples_are_one_test() -> None:
    """Cases with different numbers of samples are dealt each in its own way."""
    rng = np.random.default_rng(0)
    baseline = {str(case): [1.0] * int(rng.integers(1, 12)) for case in range(40)}
    candidate = {str(case): [0.0] * int(rng.integers(1, 12)) for case in range(40)}
    result = compare(baseline, candidate)
    assert (result.verdict, result.delta) == ("regressed", -1.0)


def test_tiny_scores_are_judged_like_large_ones() -> None:
    """Rounding in tiny numbers is not taken for spread, nor spread for rounding."""
    baseline = {case: [1e-9 * (score or 0) for score in scores] for case, scores in _random_run(1).items()}
    candidate = {case: [1e-9 * ((score or 0) - 3) for score in scores] for case, scores in _random_run(2).items()}
    assert compare(baseline, candidate, width=None).p_worse == 0.0001


def test_equal_runs_have_equal_tails() -> None:
    """Where both runs hold the same scores nothing tells worse from better."""
    run = _binary_run(1, 0.5, n_cases=3)
    result = compare(run, run)
    assert result.p_worse == result.p_better


def test_case_ids_may_be_anything() -> None:
    """Numbers, tuples, U+2028 and lone surrogates name cases as well as plain text."""
    run = {1: [1.0], "1": [0.0], ("a", 2): [1.0], "行\u2028\ud800": [1.0]}
    assert compare(run, run).n_cases == 4


def test_text_is_no_score() -> None:
    """A score that is text is refused."""
    with pytest.raises(ValueError, match="case 'a', sample 0 is 'good'"):
        compare({"a": ["good"]}, {"a": ["bad"]})  # type: ignore[list-item] # the point of the test


def test_equal_runs_on_an_open_scale_promise_no_visible_drop() -> None:
    """Where no case changed, the spread of the changes is not known, and 0 would be a promise."""
    same = {f"c{i}": [1.0 + i, 2.0 + i] for i in range(20)}
    assert compare(same, same, width=None).mde is None
