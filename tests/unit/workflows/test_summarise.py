"""What a run adds up to by a metric's own aggregate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from retest.domain.case import Case
from retest.domain.figures import ConfusionMatrix, MetricFigures
from retest.domain.run import RunMetric
from retest.domain.sample import Score
from retest.domain.suite import PassIf
from retest.domain.summary import ArmSummary, MetricSummary
from retest.runner.table import RunTable
from retest.workflows.summarise import case_values, label_notes, summarise_metric, value_scale

LENGTH = RunMetric(
    name="length",
    metric="length",
    signature="length",
    direction="lower",
    low=0.0,
    high=None,
    pass_if=PassIf(max=100),
    aggregate="pass@2",
)


def test_the_scale_of_passes_is_0_to_1() -> None:
    """Whatever the scores' own scale: a length has no upper end, its passes have."""
    assert value_scale(LENGTH) == (0.0, 1.0)


@pytest.mark.parametrize("aggregate", ["mean", "min", "max"])
def test_the_scale_of_scores_is_their_own(aggregate: str) -> None:
    """Their aggregates are scores again."""
    assert value_scale(replace(LENGTH, aggregate=aggregate)) == (0.0, None)


def test_the_passes_of_a_metric_where_less_is_better_are_better_the_more_there_are() -> None:
    """The direction, range and histogram are those of the passes."""
    table = RunTable(arms=1, metrics=["length"], samples=2)
    table.add_cases([(n, Case(case_id=f"例{n}", vars={}, content_hash=str(n))) for n in range(2)])
    cells = table.arms[0].metrics["length"]
    for place, length in enumerate((50.0, 900.0, 70.0, 80.0)):
        cells.put(place, Score(value=length))
    found = summarise_metric(LENGTH, cells, case_values(LENGTH, cells, table), table)
    assert (found.direction, found.range_low, found.range_high) == ("higher", 0.0, 1.0)
    assert (found.mean, found.histogram_low, found.histogram_high) == (1.0, 0.0, 1.0)


LABELLED = RunMetric(name="窓口", metric="classification", signature="classification", binary=True)


def labelled(*counts: tuple[int, ...]) -> list[ArmSummary]:
    """Return an arm whose answers were given these labels, and in the last column none."""
    matrix = ConfusionMatrix(labels=("返金", "bug"), counts=counts)
    figures = MetricFigures(values=(), n_cases=2, n_samples=2, confusion=matrix)
    return [ArmSummary(name="help/m1", metrics=(MetricSummary(name="窓口", metric="classification", figures=figures),))]


@pytest.mark.parametrize(
    ("options", "advice"),
    [({}, "`find: last` looks inside the text"), ({"find": "last"}, "`aliases` take other spellings")],
    ids=["whole", "last"],
)
def test_where_no_answer_names_a_label_a_way_out_is_named(options: dict[str, str], advice: str) -> None:
    """Most likely the model wrote a sentence where only a label was looked for."""
    (note,) = label_notes([replace(LABELLED, options=options)], labelled((0, 0, 2), (0, 0, 1)))
    assert note == f"help/m1: 窓口 found none of its labels in any answer: {advice}"


@pytest.mark.parametrize("counts", [((0, 1, 2), (0, 0, 1)), ((0, 0, 0), (0, 0, 0))], ids=["one", "unscored"])
def test_a_label_that_was_given_needs_no_way_out(counts: tuple[tuple[int, ...], ...]) -> None:
    """Neither a wrong label nor a metric that could score nothing brings the note."""
    assert not list(label_notes([LABELLED], labelled(*counts)))
