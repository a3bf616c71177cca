"""Which cases are named as changed, in which order, and which only as suspects."""

from __future__ import annotations

from retest.decision.changed_cases import ChangedCases, find_changed_cases
from retest.decision.decide import MetricScores, Policy, judge_metrics
from retest.domain.run import RunMetric
from retest.domain.suite import PassIf

CASES = [f"c{i:02d}" for i in range(40)]
ONES = {case: [1.0] * 5 for case in CASES}


def metric(**changes: object) -> RunMetric:
    return RunMetric(name="m", metric="m", signature="m", **changes)  # type: ignore[arg-type] # fields by name


def changed(scores: MetricScores, definition: RunMetric) -> ChangedCases:
    (judged,) = judge_metrics([scores], Policy())
    return find_changed_cases([(judged, definition)])


def test_broken_cases_are_named_the_worst_first() -> None:
    """Five of five lost stands before four of five."""
    after = ONES | {"c07": [0.0] * 5, "c09": [0.0] * 5, "c11": [0.0] * 5, "c03": [0.0, 0.0, 0.0, 0.0, 1.0]}
    found = changed(MetricScores(metric="m", baseline=ONES, candidate=after), metric(binary=True))
    assert [case.case_id for case in found.cases] == ["c07", "c09", "c11", "c03"]
    assert [case.changes[0].label for case in found.cases] == ["newly_failing"] * 4
    assert found.cases[0].changes[0].passed_after == 0


def test_unchanged_runs_name_no_case() -> None:
    """Two equal runs have neither changed nor suspect cases."""
    found = changed(MetricScores(metric="m", baseline=ONES, candidate=ONES), metric(binary=True))
    assert found.cases == ()


def test_what_got_better_stands_last() -> None:
    """A reader looks for what broke."""
    before = ONES | {"c00": [0.0] * 5}
    after = ONES | {"c39": [0.0] * 5}
    found = changed(MetricScores(metric="m", baseline=before, candidate=after), metric(binary=True))
    assert [(case.case_id, case.changes[0].label) for case in found.cases] == [
        ("c39", "newly_failing"),
        ("c00", "newly_passing"),
    ]


def test_where_lower_is_better_passing_is_zero() -> None:
    """A binary metric of a fault passes at 0."""
    zeros = {case: [0.0] * 5 for case in CASES}
    after = zeros | {"c05": [1.0] * 5}
    scores = MetricScores(metric="m", baseline=zeros, candidate=after, direction="lower")
    found = changed(scores, metric(binary=True, direction="lower"))
    assert [(case.case_id, case.changes[0].label) for case in found.cases] == [("c05", "newly_failing")]


def test_a_threshold_turns_values_into_passes() -> None:
    """With `pass_if` a graded metric names cases by their passes."""
    before = {case: [0.9] * 5 for case in CASES}
    after = before | {"c11": [0.5] * 5}
    scores = MetricScores(metric="m", baseline=before, candidate=after)
    found = changed(scores, metric(pass_if=PassIf(min=0.8)))
    assert [case.changes[0].label for case in found.cases] == ["newly_failing"]


def test_graded_values_are_judged_by_their_own_samples() -> None:
    """Without a threshold a case is named where relabelling its samples hardly ever does as much."""
    before = {case: [0.5 + 0.001 * (7 * i % 13) for i in range(10)] for case in CASES[:5]}
    after = before | {"c02": [0.1 + 0.001 * i for i in range(10)], "c04": [0.9 + 0.001 * i for i in range(10)]}
    scores = MetricScores(metric="m", baseline=before, candidate=after)
    found = changed(scores, metric())
    assert [(case.case_id, case.changes[0].label) for case in found.cases] == [("c02", "worse"), ("c04", "better")]
    assert found.cases[0].changes[0].passed_before is None


def test_a_drop_without_a_culprit_lists_suspects() -> None:
    """One sample a case names nobody, but the cases that fell are where to look; no more than five."""
    before = {case: [0.6 + 0.001 * i] for i, case in enumerate(CASES)}
    after = {case: [0.5 - 0.001 * i] for i, case in enumerate(CASES)}
    found = changed(MetricScores(metric="m", baseline=before, candidate=after), metric())
    assert [case.case_id for case in found.cases] == ["c39", "c38", "c37", "c36", "c35"]
    assert {case.changes[0].label for case in found.cases} == {"suspect"}
    assert found.count("worse", "newly_failing") == 0


def test_flaky_are_cases_whose_own_repeats_disagree() -> None:
    """A case that flips between single samples of two runs is not seen to flicker."""
    flicker = [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    steady = {case: [1.0] * 10 for case in CASES}
    mixed = steady | {"c01": flicker, "c02": flicker}
    found = changed(MetricScores(metric="m", baseline=mixed, candidate=mixed), metric(binary=True))
    assert found.flaky == ("c01", "c02")
    once = {case: [float(i % 2)] for i, case in enumerate(CASES)}
    other = {case: [float(i % 3 == 0)] for i, case in enumerate(CASES)}
    assert changed(MetricScores(metric="m", baseline=once, candidate=other), metric(binary=True)).flaky == ()


def test_a_case_that_changed_on_two_metrics_is_listed_once() -> None:
    """Its changes stand together."""
    after = ONES | {"c07": [0.0] * 5}
    scores = [MetricScores(metric=name, baseline=ONES, candidate=after) for name in ("m", "n")]
    judged = judge_metrics(scores, Policy())
    found = find_changed_cases([(one, metric(binary=True)) for one in judged])
    assert len(found.cases) == 1
    assert [change.metric for change in found.cases[0].changes] == ["m", "n"]


def test_a_ratio_names_no_case_beside_a_quality() -> None:
    """A longer prompt changes the tokens of every case, which is no news about any."""
    tokens = {case: [100.0 + i for i in range(10)] for case in CASES}
    more = {case: [200.0 + i for i in range(10)] for case in CASES}
    ratio = MetricScores(metric="tokens", baseline=tokens, candidate=more, direction="lower", scale="log", high=None)
    quality = MetricScores(metric="m", baseline=ONES, candidate=ONES)
    judged = judge_metrics([quality, ratio], Policy())
    definitions = [metric(binary=True), metric(scale="log", direction="lower")]
    assert find_changed_cases(list(zip(judged, definitions, strict=True))).cases == ()
    assert len(find_changed_cases([(judged[1], definitions[1])]).cases) == len(CASES)
