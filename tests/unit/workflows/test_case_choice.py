"""Which cases of a run conditions choose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from retest.domain.review import NewReview, ReviewContent, ReviewSubject, SampleRef
from retest.errors import NothingToJudgeError, UsageError
from retest.store.database import Store, open_store
from retest.workflows.case_choice import CaseWish, choose_cases, parse_conditions
from support.store_data import make_metric, make_record, make_run, store_run

ARM = "intent/small"
BEFORE = {(0, 0): 1.0, (0, 1): 1.0, (1, 0): 1.0, (1, 1): 1.0, (2, 0): 0.0, (2, 1): 0.0}
AFTER = {(0, 0): 0.0, (0, 1): 0.0, (1, 0): 1.0, (1, 1): 0.0, (2, 0): 1.0, (2, 1): 0.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Give a store with a baseline and a run: case 0 and 1 got worse, 2 better; one answer of 0 is badly reviewed."""
    with open_store(str(tmp_path_factory.mktemp("choice") / "retest.db")) as opened:
        for minutes, (run_id, values) in enumerate((("r1", BEFORE), ("r2", AFTER))):
            records = [
                replace(
                    make_record((0, case, sample), f"答え {case} {value}", {"quality": value}),
                    key=f"{run_id}-{case}-{sample}",
                )
                for (case, sample), value in values.items()
            ]
            run = make_run(run_id, minutes=minutes, metrics=(make_metric("quality"),), planned=6)
            store_run(opened, run, records)
        opened.set_baseline("r1")
        ref = SampleRef(run_id="r2", arm=ARM, case_id="case-0", sample_index=1)
        content = ReviewContent(label="bad", tags=("敬語",), correction="正しい")
        opened.reviews.save(NewReview(subject=ReviewSubject(sample=ref), reviewer="佐藤", content=content))
        yield opened


def chosen(store: Store, *conditions: str, **wish: str) -> list[str]:
    metrics, words = parse_conditions(conditions)
    given = CaseWish(metrics=metrics, words=words, **wish)
    return [each.case.case_id for each in choose_cases(store, store.get_run("r2"), given)]


@pytest.mark.parametrize(
    ("conditions", "cases"),
    [
        (["quality<1"], ["case-0", "case-1", "case-2"]),
        (["quality=1"], ["case-1", "case-2"]),
        (["label=bad"], ["case-0"]),
        (["review:label=0"], ["case-0"]),
        (["tag=敬語", "reviewer=佐藤", "quality<1"], ["case-0"]),
        (["change=worse"], ["case-0", "case-1"]),
        (["change=better"], ["case-2"]),
        (["change=different", "change=worse"], ["case-0", "case-1"]),
        (["case=case-1", "case=case-2"], ["case-1", "case-2"]),
    ],
    ids=["below", "equal", "label", "review-metric", "words", "worse", "better", "two-changes", "cases"],
)
def test_one_answer_fulfils_all_conditions(store: Store, conditions: list[str], cases: list[str]) -> None:
    """In the order of the run."""
    assert chosen(store, *conditions) == cases


@pytest.mark.parametrize(
    "conditions",
    [["quality<1", "quality>0"], ["label=good"], ["label=bad", "reviewer=mori"], ["case-tag=none"]],
    ids=["no-answer-both", "label", "other-person", "tag"],
)
def test_no_case_is_nothing_to_judge(store: Store, conditions: list[str]) -> None:
    """Which is said, not passed over."""
    with pytest.raises(NothingToJudgeError, match="fulfils the conditions"):
        chosen(store, *conditions)


def test_reviews_of_the_answer_come_with_the_case(store: Store) -> None:
    """For tags, and for what the answer should have been."""
    metrics, words = parse_conditions(["label=bad"])
    (case,) = choose_cases(store, store.get_run("r2"), CaseWish(metrics=metrics, words=words))
    assert [review.content.correction for review in case.reviews] == ["正しい"]


@pytest.mark.parametrize("text", ["quality is bad", "", "=", "change=strange", "quality<", "<1"])
def test_a_condition_that_means_nothing_is_refused(text: str) -> None:
    """With examples of what would."""
    with pytest.raises(UsageError):
        parse_conditions([text])


@pytest.mark.parametrize(
    ("condition", "wish", "said"),
    [
        ("nope<1", {}, "no metric 'nope'"),
        ("label=bad", {"arm": "x"}, "no arm 'x'"),
        ("change=worse", {"metric": "m"}, "'m'"),
    ],
    ids=["metric", "arm", "by"],
)
def test_names_that_are_none_are_refused(store: Store, condition: str, wish: dict[str, str], said: str) -> None:
    """Each says what there is."""
    with pytest.raises(UsageError, match=said):
        chosen(store, condition, **wish)
