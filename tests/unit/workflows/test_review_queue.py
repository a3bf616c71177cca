"""What is due for review, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retest.domain.review import NewReview, ReviewContent, ReviewSubject, SampleRef
from retest.domain.review_queue import ReviewItem
from retest.domain.run import Run
from retest.domain.sample import CallError, MetricFailure
from retest.errors import NothingToJudgeError, UsageError
from retest.store.database import Store, open_store
from retest.workflows.review_items import QueueWish
from retest.workflows.review_queue import review_queue
from support.store_data import make_metric, make_record, make_run, store_run

ARM = "intent/small"
# Value of the metric by case and sample; case 3 has an answer that could not be scored, and a call that failed.
VALUES = {(0, 0): 1.0, (0, 1): 0.9, (1, 0): 0.2, (1, 1): 0.1, (2, 0): 0.5, (2, 1): 1.0}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a store with an older run `r1` and a newer `r2`, whose answers to case 1 differ."""
    with open_store(str(tmp_path / ".retest" / "retest.db")) as opened:
        fill(opened, "r1", {})
        fill(opened, "r2", {1: "新しい答え"}, minutes=5)
        yield opened


def fill(store: Store, run_id: str, changed: dict[int, str], *, minutes: int = 0) -> None:
    records = [
        replace(
            make_record((0, case, sample), changed.get(case, f"答え {case} {sample}"), {"quality": value}),
            key=f"{run_id}-{case}-{sample}",
        )
        for (case, sample), value in VALUES.items()
    ]
    failed = MetricFailure(kind="judge_error", message="prose")
    records.append(replace(make_record((0, 3, 0), "答え 3 0", {"quality": failed}), key=f"{run_id}-3-0"))
    records.append(make_record((0, 3, 1), CallError(kind="timeout", message="slow")))
    run = make_run(run_id, minutes=minutes, metrics=(make_metric("quality"),), samples_per_case=2, planned=8)
    store_run(store, run, records)


def due(store: Store, run: str = "r2", **wish: Any) -> list[ReviewItem]:
    given = QueueWish(reviewer="佐藤", **wish)
    return review_queue(store, store.get_run(run), given)


def places(items: list[ReviewItem]) -> list[tuple[str, int]]:
    return [(item.subject.sample.case_id, item.subject.sample.sample_index) for item in items]


def review(
    store: Store, run: Run | str, case: int, sample: int = 0, reviewer: str = "佐藤", label: str = "good"
) -> None:
    ref = SampleRef(
        run_id=run if isinstance(run, str) else run.run_id, arm=ARM, case_id=f"case-{case}", sample_index=sample
    )
    content = ReviewContent(label=label)
    store.reviews.save(NewReview(subject=ReviewSubject(sample=ref), reviewer=reviewer, content=content))


def test_the_worst_come_first_one_of_each_case(store: Store) -> None:
    """Repeats of a case stand behind the first of every other; what could not be scored behind what could."""
    found = places(due(store, order="worst"))
    assert found == [
        ("case-1", 1),
        ("case-2", 0),
        ("case-0", 1),
        ("case-3", 0),
        ("case-1", 0),
        ("case-0", 0),
        ("case-2", 1),
    ]


def test_the_worst_are_the_highest_where_lower_is_better(store: Store) -> None:
    """By the metric's direction."""
    metric = replace(make_metric("quality"), direction="lower")
    store_run(
        store,
        make_run("r9", minutes=9, metrics=(metric,), samples_per_case=1),
        [make_record((0, case, 0), f"x{case}", {"quality": float(case)}) for case in (0, 1)],
    )
    assert places(due(store, "r9", order="worst")) == [("case-1", 0), ("case-0", 0)]


def test_a_random_order_is_the_reviewers_own_and_stays(store: Store) -> None:
    """Every answer once, the same order each time, another by another seed."""
    first = places(due(store))
    assert first == places(due(store))
    assert sorted(first) == sorted(places(due(store, seed=1)))
    assert len({tuple(places(due(store, seed=seed))) for seed in range(8)}) > 1


def test_a_failed_call_is_never_due(store: Store) -> None:
    """There is nothing to look at."""
    assert ("case-3", 1) not in places(due(store, order="worst"))


def test_what_the_reviewer_has_reviewed_is_left_out(store: Store) -> None:
    """Unless it is asked for; another person's review leaves it in line."""
    review(store, "r2", 1, 1)
    review(store, "r2", 2, 0, reviewer="mori")
    assert places(due(store, order="worst"))[:2] == [("case-2", 0), ("case-0", 1)]
    again = due(store, order="worst", again=True)
    assert places(again)[0] == ("case-1", 1)
    assert again[0].own.label == "good"


def test_judge_and_people_that_disagree_most_come_first(store: Store) -> None:
    """Only where both have spoken, and said different things."""
    review(store, "r2", 0, 1, reviewer="mori", label="bad")  # judged .9
    review(store, "r2", 2, 0, reviewer="mori", label="good")  # judged .5
    review(store, "r2", 2, 1, reviewer="mori", label="good")  # judged 1: agreed
    found = due(store, order="disagreements", metric="quality")
    assert places(found) == [("case-0", 1), ("case-2", 0)]
    assert found[0].why == "quality 0.9, people 0"


def test_answers_that_the_baseline_did_not_give_are_changed(store: Store) -> None:
    """The others are left out; the moved scores are said."""
    store.set_baseline("r1")
    found = due(store, order="changed")
    assert places(found) == [("case-1", 1), ("case-1", 0)]
    assert found[0].why == "quality 0.15 before, 0.1 now"


def test_pairs_stand_beside_the_baselines_answer(store: Store) -> None:
    """The baseline's first, the same repeat of the same case."""
    (first, _) = due(store, order="changed", baseline="r1", pairs=True)
    assert (first.answer, first.other_answer) == ("答え 1 1", "新しい答え")
    assert (first.subject.sample.run_id, first.subject.other and first.subject.other.run_id) == ("r1", "r2")


def test_blind_items_tell_nothing_of_their_version(store: Store) -> None:
    """A code for each side, no reason, no prompt; and the sides are exchanged in some."""
    found = [
        item
        for reviewer in ("a", "b", "c", "d", "e", "f")
        for item in review_queue(
            store,
            store.get_run("r2"),
            QueueWish(reviewer=reviewer, order="changed", baseline="r1", pairs=True, blind=True),
        )
    ]
    assert {item.why for item in found} == {""}
    assert {item.prompt for item in found} == {""}
    assert len({item.code for item in found}) == 2
    assert {item.subject.sample.run_id for item in found} == {"r1", "r2"}
    for item in found:
        assert item.code is not None
        assert store.reviews.decode(item.code).run_id == item.subject.sample.run_id


def test_the_prompt_is_shown_where_versions_are_not_hidden(store: Store) -> None:
    """The last message as it was sent."""
    assert due(store, order="worst")[0].prompt == "問い 1"


def test_limit_and_case_narrow_the_queue(store: Store) -> None:
    """As asked."""
    assert places(due(store, order="worst", limit=2)) == [("case-1", 1), ("case-2", 0)]
    assert places(due(store, order="worst", case_id="case-2")) == [("case-2", 0), ("case-2", 1)]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"order": "changed"}, "no other run as its baseline"),
        ({"order": "disagreements"}, "no judge's scores"),
        ({"order": "disagreements", "metric": "quality"}, "nobody has reviewed"),
    ],
)
def test_a_queue_that_cannot_be_says_why(store: Store, wish: dict[str, Any], said: str) -> None:
    """Nothing to judge, and what to do."""
    with pytest.raises(NothingToJudgeError, match=said) as caught:
        due(store, **wish)
    assert caught.value.problems[0].slug == "review-queue"


@pytest.mark.parametrize("wish", [{"arm": "no/arm"}, {"order": "worst", "metric": "no"}, {"case_id": "no"}])
def test_names_that_are_none_are_refused(store: Store, wish: dict[str, Any]) -> None:
    """Exit 2, with what there is."""
    with pytest.raises(UsageError):
        due(store, **wish)
