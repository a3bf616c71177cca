from __future__ import annotations

import numpy as np
import pytest

from retest.stats.sequential import SequentialGate


def _gate(**options: object) -> SequentialGate:
    return SequentialGate(20, 10, 3, ["a", "b"], 0.2, alpha=0.05, seed=4, **options)  # type: ignore[arg-type] # options of the test


def _scores(value: float, k: int) -> list[list[float | None]]:
    return [[value] * k for _ in range(20)]


def test_the_schedule_is_breadth_first() -> None:
    """Every case has its first sample before any has its second, and the last look is the full design."""
    gate = _gate()
    assert all(max(counts) - min(counts) <= 1 for counts in gate.schedule)
    assert [sum(counts) for counts in gate.schedule] == [10, 20, 30, 40, 50, 60]
    assert gate.schedule[-1] == (3,) * 20


def test_no_sample_is_taken_back() -> None:
    """Counts only rise from look to look."""
    gate = SequentialGate(7, 5, 3, looks=10, seed=1)
    assert (np.diff(np.array(gate.schedule), axis=0) >= 0).all()


def test_the_seed_orders_the_cases() -> None:
    """The same seed gives the same order, another one another."""
    assert _gate().case_order == _gate().case_order
    assert SequentialGate(20, 10, 3, seed=1).case_order != SequentialGate(20, 10, 3, seed=2).case_order


def test_a_collapse_fails_at_the_first_look() -> None:
    """All right to all wrong is decided with a sixth of the calls."""
    decision = _gate().step(0, {"a": _scores(1, 10), "b": _scores(1, 10)}, {"a": _scores(0, 1), "b": _scores(1, 1)})
    assert (decision.outcome, decision.stops, decision.calls) == ("fail", True, 10)
    assert decision.metrics["a"].verdict == "regressed"


def test_a_pass_needs_all_metrics() -> None:
    """One metric that may still be worse keeps the run going."""
    rng = np.random.default_rng(0)
    noisy_a, noisy_b = (rng.integers(0, 2, (20, k)).astype(float) for k in (10, 3))
    steady_a, steady_b = _scores(1, 10), _scores(1, 3)
    gate = _gate()
    assert gate.step(4, {"a": steady_a, "b": steady_a}, {"a": steady_b, "b": steady_b}).outcome == "pass"
    assert gate.step(4, {"a": steady_a, "b": noisy_a}, {"a": steady_b, "b": noisy_b}).outcome == "continue"


def test_without_a_margin_nothing_passes_early() -> None:
    """The last look without a regression is inconclusive."""
    gate = SequentialGate(20, 10, 3, ["a"], None)
    outcomes = [gate.step(look, [_scores(1, 10)], [_scores(1, 3)]).outcome for look in range(6)]
    assert outcomes == ["continue"] * 5 + ["inconclusive"]


def test_a_dead_case_fails_at_the_stop() -> None:
    """What the mean lets pass, the single-case channel still finds."""
    baseline, candidate = _scores(1, 10), _scores(1, 3)
    candidate[7] = [0.0, 0.0, 0.0]
    gate = SequentialGate(20, 10, 3, ["a"], 0.5)
    decision = gate.step(5, [baseline], [candidate])
    assert decision.outcome == "fail"
    assert decision.metrics["a"].p_cases == pytest.approx(1 / 286)


def test_samples_beyond_the_schedule_are_not_looked_at() -> None:
    """A ledger that holds more than the look may see changes nothing."""
    gate = SequentialGate(20, 10, 3, ["a"], 0.2)
    cut = [[1.0] * planned for planned in gate.schedule[1]]
    more = [[1.0] * planned + [0.0] * (3 - planned) for planned in gate.schedule[1]]
    assert gate.step(1, [_scores(1, 10)], [cut]) == gate.step(1, [_scores(1, 10)], [more])


def test_missing_samples_are_left_out() -> None:
    """A failed call is None, and a case of nothing else drops out."""
    candidate: list[list[float | None]] = [[None, 1.0, 1.0] for _ in range(20)]
    candidate[3] = [None, None, None]
    decision = SequentialGate(20, 10, 3, ["a"], 0.2).step(5, [_scores(1, 10)], [candidate])
    assert decision.n_cases == 19


def test_few_samples_leave_all_of_alpha_to_the_suite() -> None:
    """Where single cases cannot fire, the looks spend the whole of alpha."""
    few, many = SequentialGate(20, 3, 3, alpha=0.05), SequentialGate(20, 10, 3, alpha=0.05)
    assert few.levels[-1] > many.levels[-1]


@pytest.mark.parametrize(
    ("look", "baselines", "candidates", "message"),
    [
        (6, {"a": _scores(1, 1), "b": _scores(1, 1)}, {"a": _scores(1, 1), "b": _scores(1, 1)}, "look 6"),
        (-1, {"a": _scores(1, 1), "b": _scores(1, 1)}, {"a": _scores(1, 1), "b": _scores(1, 1)}, "look -1"),
        (0, {"a": _scores(1, 1)}, {"a": _scores(1, 1), "b": _scores(1, 1)}, "no scores for b"),
        (0, [_scores(1, 1)], [_scores(1, 1)], "scores of 1 metrics"),
        (0, [[[1.0]]] * 2, [[[1.0]]] * 2, "20 cases"),
        (0, [_scores(1, 0)] * 2, [_scores(1, 1)] * 2, "no case has a sample"),
    ],
)
def test_data_that_do_not_fit_are_refused(look: int, baselines: object, candidates: object, message: str) -> None:
    """Look, metrics and cases must be those of the design."""
    with pytest.raises(ValueError, match=message):
        _gate().step(look, baselines, candidates)  # type: ignore[arg-type] # the point of the test


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_designs_need_cases_and_samples(numbers: tuple[int, int, int]) -> None:
    """Nothing to sample is no design."""
    with pytest.raises(ValueError, match="at least one"):
        SequentialGate(*numbers)


@pytest.mark.parametrize("metrics", [[], ["a", "a"], 0])
def test_designs_need_metrics(metrics: list[str] | int) -> None:
    """Metrics have different names."""
    with pytest.raises(ValueError, match="metrics"):
        SequentialGate(5, 1, 1, metrics)


def test_a_growing_baseline_is_cut_to_the_schedule() -> None:
    """Where both sides are sampled in step, later samples of either are not looked at."""
    gate = SequentialGate(20, 3, 3, ["a"], 0.2, growing_baseline=True)
    cut = [[1.0] * planned for planned in gate.schedule[1]]
    more = [[1.0] * planned + [0.0] * (3 - planned) for planned in gate.schedule[1]]
    assert gate.step(1, [cut], [cut]) == gate.step(1, [more], [more])


def test_a_case_that_the_baseline_lacks_is_sampled_and_not_judged() -> None:
    """It is in the schedule, and its scores change nothing."""
    gate = SequentialGate(20, [10] * 19 + [0], 3, ["a"], 0.2)
    baseline = [*_scores(1, 10)[:19], []]
    judged = gate.step(5, [baseline], [[*_scores(1, 3)[:19], [0.0] * 3]])
    assert gate.schedule[-1][19] == 3
    assert (judged.n_cases, judged.metrics["a"].delta) == (19, 0)


def test_clusters_are_the_units() -> None:
    """Twenty cases of two clusters are two units: too few for a bound, and no single case is judged."""
    gate = SequentialGate(20, 10, 3, ["a"], 0.2, clusters=["x", "y"] * 10)
    decision = gate.step(5, [_scores(1, 10)], [_scores(1, 3)])
    assert (decision.outcome, decision.metrics["a"].lower, decision.metrics["a"].p_cases) == (
        "inconclusive",
        None,
        None,
    )


def test_tiny_designs_have_looks_before_the_first_sample() -> None:
    """One case and one sample: the level of an empty look is 0."""
    gate = SequentialGate(1, 5, 1)
    assert gate.levels[0] == 0
    assert max(gate.levels) == pytest.approx(0.05)


@pytest.mark.parametrize("look", [0, 2, 5])
def test_the_overall_p_of_a_boundary_is_alpha(look: int) -> None:
    """A p-value at the look's level is alpha of the whole design; a smaller one is less."""
    gate = SequentialGate(20, 10, 3, alpha=0.05)
    assert gate.overall_p(look, gate.levels[look]) == pytest.approx(0.05, abs=1e-6)
    assert gate.overall_p(look, gate.levels[look] / 2) < 0.05


def test_several_comparisons_share_alpha_and_not_the_margin() -> None:
    """Any of them may fail the whole; all of them must be shown not worse."""
    one, two = SequentialGate(20, 3, 3), SequentialGate(20, 3, 3, n_comparisons=2)
    assert two.levels[-1] < one.levels[-1]
    assert two.pass_levels == one.pass_levels


def test_a_metric_without_a_case_yet_counts_in_the_correction() -> None:
    """It rejects nothing and passes nothing, and the other metric's p is corrected for it."""
    alone = SequentialGate(20, 10, 3, ["a"], 0.2).step(5, [_scores(1, 10)], [_scores(0, 3)])
    both = SequentialGate(20, 10, 3, ["a", "b"], 0.2).step(5, [_scores(1, 10)] * 2, [_scores(0, 3), _scores(0, 0)])
    assert list(both.metrics) == ["a"]
    assert both.metrics["a"].p_adjusted == pytest.approx(2 * alone.metrics["a"].p_adjusted)


@pytest.mark.parametrize("aggregate", ["any", "all", "majority", "min", "max", "pass@2", "pass^2"])
def test_every_aggregate_is_judged(aggregate: str) -> None:
    """All right to all wrong fails whatever the samples of a case come to."""
    gate = SequentialGate(20, 10, 3, ["a"], 0.2, aggregate=aggregate)
    assert gate.step(5, [_scores(1, 10)], [_scores(0, 3)]).outcome == "fail"
    assert gate.step(5, [_scores(1, 10)], [_scores(1, 3)]).outcome == "pass"


def test_at_k_waits_for_k_samples() -> None:
    """A case with one sample has no `pass@2` yet."""
    gate = SequentialGate(20, 10, 3, ["a"], 0.2, aggregate="pass@2")
    with pytest.raises(ValueError, match="no case has a sample"):
        gate.step(0, [_scores(1, 10)], [_scores(1, 3)])


def test_a_metric_that_does_not_decide_is_judged_all_the_same() -> None:
    """It has a verdict, and no say."""
    gate = SequentialGate(20, 10, 3, ["a", "b"], 0.2, deciding=["b"])
    found = gate.step(5, [_scores(1, 10)] * 2, [_scores(0, 3), _scores(1, 3)])
    assert (found.outcome, found.metrics["a"].verdict) == ("pass", "regressed")


def test_suspects_that_get_more_samples_give_single_cases_a_share() -> None:
    """Three and three samples are too few for one case to be named, three and eleven are not."""
    few, more = SequentialGate(20, 3, 3), SequentialGate(20, 3, 3, k_suspect=11)
    assert (few.case_share, more.case_share) == (0, 0.2)


def test_scores_past_the_scale_widen_it() -> None:
    """A guard of width 1 would be none for scores from 0 to 10."""
    gate = SequentialGate(20, 10, 3, ["a"], 0.2)
    wide: list[list[float | None]] = [*_scores(10, 3)[:1], *_scores(1, 3)[1:]]
    decision = gate.step(5, [_scores(1, 10)], [wide])
    narrow = gate.step(5, [_scores(1, 10)], [_scores(1, 3)])
    lower, other = decision.metrics["a"].lower, narrow.metrics["a"].lower
    assert lower is not None
    assert other is not None
    assert lower < other


def test_single_cases_are_judged_when_asked_for() -> None:
    """Of several gates that stop together none spends its share before the stop."""
    baseline, candidate = _scores(1, 10), _scores(1, 3)
    candidate[7] = [0.0, 0.0, 0.0]
    gate = SequentialGate(20, 10, 3, ["a"], 0.5)
    assert gate.step(5, [baseline], [candidate], single_cases=False).metrics["a"].p_cases is None
    assert gate.step(0, [baseline], [candidate], single_cases=True).metrics["a"].p_cases is not None
