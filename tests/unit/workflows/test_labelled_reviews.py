"""People's reviews as labelled cases for a judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retest.domain.review import NewReview, ReviewContent, ReviewScale, ReviewScore, ReviewSubject, SampleRef
from retest.errors import UsageError
from retest.store.database import Store, open_store
from retest.suites.judge_files import packaged_definition
from retest.workflows.labelled_cases import LabelledCase
from retest.workflows.labelled_reviews import ReviewLabels, read_reviewed
from support.store_data import make_metric, make_record, make_run, store_run

ARM = "intent/small"
GRADE = packaged_definition("grade", "en")  # 1 to 5
YES_NO = packaged_definition("closed_qa", "en")
EVASIVE = packaged_definition("evasiveness", "en")  # yes or no, and no is the better
PAIR = packaged_definition("pairwise", "en")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a store with two runs of three answers, those of the second its own."""
    with open_store(str(tmp_path / ".retest" / "retest.db")) as opened:
        for number, run_id in enumerate(("r1", "r2")):
            records = [
                replace(make_record((0, case, 0), f"{run_id} 答え {case}", {"quality": 3.0}), key=f"{run_id}-{case}")
                for case in range(3)
            ]
            run = make_run(run_id, minutes=number, metrics=(make_metric("quality"),), samples_per_case=1, planned=3)
            store_run(opened, run, records)
        yield opened


def ref(case: int, run_id: str = "r2") -> SampleRef:
    return SampleRef(run_id=run_id, arm=ARM, case_id=f"case-{case}", sample_index=0)


def say(store: Store, case: int, reviewer: str = "佐藤", *, other: str | None = None, **content: Any) -> None:
    subject = ReviewSubject(sample=ref(case), other=None if other is None else ref(case, other))
    store.reviews.save(NewReview(subject=subject, reviewer=reviewer, content=ReviewContent(**content)))


def scale(store: Store, dimension: str, low: float, high: float, **changes: Any) -> None:
    store.reviews.set_scale(ReviewScale(dimension=dimension, low=low, high=high, **changes))


def score(value: float, low: float = 0, high: float = 10) -> dict[str, ReviewScore]:
    return {"nice": ReviewScore(value=value, low=low, high=high)}


def labelled(store: Store, definition: Any = GRADE, **wish: Any) -> tuple[LabelledCase, ...]:
    return read_reviewed(store, definition, ReviewLabels(**wish)).labelled.cases


def test_scores_are_moved_onto_the_definitions_scale(store: Store) -> None:
    """0 to 10 becomes 1 to 5, in whole grades."""
    scale(store, "nice", 0, 10)
    for case, value in enumerate((0, 6, 10)):
        say(store, case, scores=score(value))
    assert [(case.label, case.answers) for case in labelled(store)] == [
        (1, ("r2 答え 0",)),
        (3, ("r2 答え 1",)),
        (5, ("r2 答え 2",)),
    ]


def test_a_scale_that_runs_the_other_way_is_turned(store: Store) -> None:
    """Where lower is better for people and higher for the judge, 0 is the best grade."""
    scale(store, "nice", 0, 10, direction="lower")
    say(store, 0, scores=score(0))
    assert [case.label for case in labelled(store)] == [5]


def test_each_person_is_a_case_of_its_own_in_one_cluster(store: Store) -> None:
    """Withdrawn reviews and those without a score do not count; the latter are said to be there."""
    scale(store, "nice", 0, 10)
    say(store, 0, "佐藤", scores=score(0))
    say(store, 0, "mori", scores=score(10))
    say(store, 1, text="only words")
    gone = store.reviews.save(
        NewReview(subject=ReviewSubject(sample=ref(2)), reviewer="x", content=ReviewContent(scores=score(5)))
    )
    store.reviews.save(NewReview(subject=gone.subject, reviewer="x", content=gone.content, withdrawn=True))
    found = read_reviewed(store, GRADE, ReviewLabels())
    assert sorted(case.label for case in found.labelled.cases) == [1, 5]
    assert len({case.case.cluster for case in found.labelled.cases}) == 1
    assert (found.labelled.unlabelled, found.data) == (1, "reviews: nice")


def test_good_and_bad_are_yes_and_no(store: Store) -> None:
    """For a definition of two choices; for others each word must be given a value."""
    say(store, 0, label="good")
    say(store, 1, label="bad")
    assert [case.label for case in labelled(store, YES_NO)] == [1, 0]
    assert [case.label for case in labelled(store, EVASIVE)] == [0, 1]
    with pytest.raises(UsageError, match="have no value on the definition's scale"):
        labelled(store)
    assert [case.label for case in labelled(store, values={"good": 5, "bad": 1})] == [5, 1]


def test_pairs_are_for_pairwise_definitions(store: Store) -> None:
    """The first answer's share; reviews of single answers are not among them."""
    say(store, 0, label="good")
    for case, label in enumerate(("first", "second", "tie")):
        say(store, case, other="r1", label=label)
    found = read_reviewed(store, PAIR, ReviewLabels()).labelled
    assert found.is_pairwise
    assert [(case.label, case.answers) for case in found.cases] == [
        (1.0, ("r2 答え 0", "r1 答え 0")),
        (0.0, ("r2 答え 1", "r1 答え 1")),
        (0.5, ("r2 答え 2", "r1 答え 2")),
    ]


def test_only_the_run_that_is_named(store: Store) -> None:
    """Answers that it does not hold are not among its reviews."""
    scale(store, "nice", 0, 10)
    say(store, 0, scores=score(10))
    assert len(labelled(store, run="r2")) == 1
    with pytest.raises(UsageError, match="there is no review of an answer"):
        labelled(store, run="r1")


def test_reviews_of_a_deleted_run_are_left_out(store: Store) -> None:
    """Their answers cannot be shown to a judge any more."""
    scale(store, "nice", 0, 10)
    say(store, 0, scores=score(10))
    store.delete_run("r2")
    with pytest.raises(UsageError, match="whose answer is still in the store"):
        labelled(store)


def test_recorded_scores_of_another_definition_do_not_count(store: Store) -> None:
    """The run's metric was no judge by this definition, so there is no judgment."""
    scale(store, "nice", 0, 10)
    say(store, 0, scores=score(10))
    found = read_reviewed(store, GRADE, ReviewLabels(recorded="quality"))
    assert (found.labelled.cases[0].recorded, found.judge) == (None, "")


@pytest.mark.parametrize(
    ("wish", "said"),
    [({"dimension": "none"}, "on 'none'"), ({}, "people rated several dimensions")],
    ids=["none", "two"],
)
def test_the_dimension_must_be_clear(store: Store, wish: dict[str, str], said: str) -> None:
    """Which of several is meant has to be said."""
    scale(store, "nice", 0, 10)
    say(store, 0, scores=score(10), label="good")
    with pytest.raises(UsageError, match=said):
        labelled(store, **wish)
