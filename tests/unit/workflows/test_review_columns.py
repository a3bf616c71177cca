"""What people said is a metric like any other: in show, diff and gates; an answer nobody reviewed has no score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retest.domain.review import NewReview, ReviewContent, ReviewScale, ReviewScore, ReviewSubject, SampleRef
from retest.domain.run import RunMetric
from retest.domain.sample import MetricFailure, Score
from retest.store.database import Store, open_store
from retest.workflows.diff import DiffOptions, diff_runs, stored_side
from retest.workflows.inspect import SampleWish, list_cases, load_view, sample_rows
from retest.workflows.read_scores import read_run_scores
from retest.workflows.review_columns import automatic_column, review_columns, without_automatic
from support.store_data import START, make_metric, make_record, make_run, store_run

ARM = "intent/small"
ASKED = RunMetric(
    name="nice", metric="review", signature="review|dimension:nice", options={"dimension": "nice"}, low=None, high=None
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a store where `nice` is scored from 1 to 5."""
    with open_store(str(tmp_path / ".retest" / "retest.db")) as opened:
        opened.reviews.set_scale(ReviewScale(dimension="nice", low=1, high=5))
        yield opened


def fill(store: Store, run_id: str, *metrics: RunMetric, draw: int = 0) -> None:
    """Store a run of four cases with two samples each; `nice` could not be scored when it ran."""
    not_yet = MetricFailure(kind="not_applicable", message="nobody")
    records = [
        replace(
            make_record(
                (0, case, sample),
                f"{run_id} {case} {sample}",
                {"exact_match": 1.0, **({"nice": not_yet} if metrics else {})},
            ),
            key=f"{run_id}-{case}-{sample}",
        )
        for case in range(4)
        for sample in range(2)
    ]
    run = make_run(
        run_id, minutes=draw, samples_per_case=2, planned=8, metrics=(make_metric("exact_match"), *metrics), draw=draw
    )
    store_run(store, run, records)


def say(store: Store, run_id: str, case: int, reviewer: str = "佐藤", sample: int = 0, **content: object) -> None:
    """Review one sample: `nice` by a number, or a label."""
    scores = {"nice": ReviewScore(value=float(str(content["nice"])), low=1, high=5)} if "nice" in content else {}
    label = None if "label" not in content else str(content["label"])
    subject = ReviewSubject(sample=ref(run_id, case, sample))
    store.reviews.save(
        NewReview(subject=subject, reviewer=reviewer, content=ReviewContent(scores=scores, label=label), at=START)
    )


def ref(run_id: str, case: int, sample: int = 0) -> SampleRef:
    return SampleRef(run_id=run_id, arm=ARM, case_id=f"case-{case}", sample_index=sample)


def test_reviewers_of_one_sample_are_averaged(store: Store) -> None:
    """Two people are one value, and both are named."""
    fill(store, "r1")
    say(store, "r1", 0, nice=5)
    say(store, "r1", 0, "mori", nice=2)
    score = review_columns(store, store.get_run("r1")).of((0, 0, 0))["review:nice"]
    assert isinstance(score, Score)
    assert (score.value, score.reason) == (3.5, "mori 2, 佐藤 5")


def test_a_sample_without_a_review_has_no_score(store: Store) -> None:
    """It is not there: neither zero nor missing."""
    fill(store, "r1")
    say(store, "r1", 1, nice=1)
    scores = read_run_scores(store, store.get_run("r1"))
    assert scores.scores[ARM]["review:nice"] == {"case-1": [1.0]}


def test_columns_appear_with_the_first_review(store: Store) -> None:
    """A run without reviews looks as before; labels count as good 1, bad 0."""
    fill(store, "r1")
    assert [metric.name for metric in load_view(store, store.get_run("r1")).run.metrics] == ["exact_match"]
    say(store, "r1", 0, label="good")
    say(store, "r1", 1, label="bad")
    view = load_view(store, store.get_run("r1"))
    column = view.summary.arms[0].metrics[1]
    assert (column.name, column.mean, column.n_cases, column.range_high) == ("review:label", 0.5, 2, 1)


def test_the_suites_own_column_takes_the_place_of_the_automatic_one(store: Store) -> None:
    """It has the name that the suite gives it, and the ends of the scale that people used."""
    fill(store, "r1", ASKED)
    say(store, "r1", 0, nice=4)
    metrics = load_view(store, store.get_run("r1")).summary.arms[0].metrics
    found = next(metric for metric in metrics if metric.name == "nice")
    assert [metric.name for metric in metrics] == ["exact_match", "nice"]
    assert (found.mean, found.range_low, found.range_high, found.not_applicable) == (4.0, 1, 5, 7)


def test_cases_are_sorted_and_exported_with_reviews(store: Store) -> None:
    """`show --sort` and `export` know the column."""
    fill(store, "r1")
    say(store, "r1", 0, nice=5)
    say(store, "r1", 2, nice=1)
    run = store.get_run("r1")
    rows = list_cases(load_view(store, run), sort="review:nice")
    assert [row.case.case_id for row in rows][:2] == ["case-2", "case-0"]
    exported = list(sample_rows(store, run, SampleWish(case_id="case-2")))
    assert exported[0]["scores"] == {"exact_match": 1.0, "review:nice": 1.0}


def test_a_withdrawn_review_does_not_count(store: Store) -> None:
    """Neither in the mean nor as a column."""
    fill(store, "r1")
    say(store, "r1", 0, nice=5)
    given = store.reviews.find()[0]
    store.reviews.save(NewReview(subject=given.subject, reviewer=given.reviewer, content=given.content, withdrawn=True))
    assert review_columns(store, store.get_run("r1")).scores == {}


def test_a_new_scale_moves_old_scores(store: Store) -> None:
    """A 5 of 1-5 is a 10 of 0-10; the review itself keeps what was given."""
    fill(store, "r1")
    say(store, "r1", 0, nice=5)
    store.reviews.set_scale(ReviewScale(dimension="nice", low=0, high=10))
    score = review_columns(store, store.get_run("r1")).of((0, 0, 0))["review:nice"]
    assert isinstance(score, Score)
    assert score.value == 10
    assert store.reviews.find()[0].content.scores["nice"].value == 5


def test_comparisons_count_for_both_answers(store: Store) -> None:
    """The preferred one has 1, the other 0; a tie is a half each."""
    fill(store, "r1")
    for case, label in ((0, "second"), (1, "tie")):
        subject = ReviewSubject(sample=ref("r1", case, 0), other=ref("r1", case, 1))
        store.reviews.save(NewReview(subject=subject, reviewer="佐藤", content=ReviewContent(label=label)))
    scores = read_run_scores(store, store.get_run("r1"))
    assert scores.scores[ARM]["review:preference"] == {"case-0": [0.0, 1.0], "case-1": [0.5, 0.5]}


def test_runs_compare_by_their_reviews(store: Store, tmp_path: Path) -> None:
    """A drop in every case is a delta like any metric's, with how many cases were reviewed."""
    fill(store, "r1")
    fill(store, "r2", draw=1)
    for case in range(3):
        say(store, "r1", case, nice=5)
        say(store, "r2", case, nice=3)
    sides = [stored_side(store, store.get_run(name)) for name in ("r1", "r2")]
    compared = diff_runs(sides[0], sides[1], DiffOptions(), cwd=tmp_path, now=START).arms[0]
    column = next(metric for metric in compared.metrics if metric.metric == "review:nice")
    assert (column.baseline_mean, column.candidate_mean, column.delta) == (5.0, 3.0, -2.0)
    assert column.note == "cases reviewed on both sides: 3 of 4; retest review queue lists what is due"


def test_a_column_new_to_the_suite_finds_earlier_reviews(store: Store, tmp_path: Path) -> None:
    """The baseline's reviews count, though its suite did not ask for them."""
    fill(store, "r1")
    fill(store, "r2", ASKED, draw=1)
    for case in range(4):
        say(store, "r1", case, nice=5)
        say(store, "r2", case, nice=3)
    sides = [stored_side(store, store.get_run(name)) for name in ("r1", "r2")]
    compared = diff_runs(sides[0], sides[1], DiffOptions(metrics=("nice",)), cwd=tmp_path, now=START).arms[0]
    assert compared.metrics[0].delta == -2.0


def test_no_review_on_one_side_is_said(store: Store, tmp_path: Path) -> None:
    """Not comparable, with the counts and what to do; never a change."""
    fill(store, "r1", ASKED)
    fill(store, "r2", ASKED, draw=1)
    say(store, "r1", 0, nice=5)
    sides = [stored_side(store, store.get_run(name)) for name in ("r1", "r2")]
    compared = diff_runs(sides[0], sides[1], DiffOptions(metrics=("nice",)), cwd=tmp_path, now=START).arms[0]
    assert compared.metrics[0].verdict == "not_comparable"
    assert "1 of the baseline's 4 cases and 0 of the candidate's are reviewed" in str(compared.metrics[0].note)


def test_a_gate_decides_on_the_suites_metrics_alone(store: Store) -> None:
    """Whoever reviews an answer adds no metric to the gate."""
    fill(store, "r1", ASKED)
    say(store, "r1", 0, nice=5)
    say(store, "r1", 0, "mori", label="good")
    scores = read_run_scores(store, store.get_run("r1"))
    assert [metric.name for metric in scores.metrics] == ["exact_match", "nice", "review:label"]
    assert [metric.name for metric in without_automatic(scores).metrics] == ["exact_match", "nice"]


def test_an_automatic_column_has_the_direction_of_its_scale() -> None:
    """A scale of severity is better low."""
    scale = ReviewScale(dimension="severity", low=0, high=3, direction="lower")
    assert automatic_column(scale).direction == "lower"
