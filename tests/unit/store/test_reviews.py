"""Reviews belong to answers, keep their history, and are found again wherever the answer is; on both databases."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from retest.domain.review import NewReview, ReviewContent, ReviewScale, ReviewScore, ReviewSubject, SampleRef
from retest.domain.sample import CallError
from retest.errors import UsageError
from retest.store.database import Store, open_store
from retest.store.engine import Database
from retest.store.reviews import ReviewFilter
from support.store_data import START, make_arm, make_record, make_run, store_run

RUN = "20260301-093015-aaaa"
ARM = "intent/small"
QUALITY = ReviewScale(dimension="親切さ", low=1, high=5)


def fill(store: Store, run_id: str = RUN, **changes: Any) -> None:
    """Store a run of two cases with two samples each."""
    records = [make_record((0, case, sample), f"答え {case} {sample}") for case in (0, 1) for sample in (0, 1)]
    store_run(store, make_run(run_id, **changes), records)


def at(case: int = 0, sample: int = 0, run: str = RUN) -> SampleRef:
    return SampleRef(run_id=run, arm=ARM, case_id=f"case-{case}", sample_index=sample)


def new(case: int = 0, reviewer: str = "佐藤", **content: Any) -> NewReview:
    """Return a review; good unless something else is said."""
    said = ReviewContent(**(content or {"label": "good"}))
    return NewReview(subject=ReviewSubject(sample=at(case)), reviewer=reviewer, content=said)


def score(value: float, low: float = 1, high: float = 5) -> ReviewScore:
    return ReviewScore(value=value, low=low, high=high)


def slug_of(caught: pytest.ExceptionInfo[UsageError]) -> str:
    return caught.value.problems[0].slug


def test_a_review_comes_back_as_it_was_given(store: Store) -> None:
    """Scores with their scale, label, tags, text and correction, whatever characters they hold."""
    fill(store)
    store.reviews.set_scale(QUALITY)
    given = ReviewContent(
        scores={"親切さ": score(4)},
        label="good",
        tags=("丁寧", "a;b"),
        text="=SUM(A1)\x00 \ud800 \u2028 終",
        correction="直した答え",
    )
    saved = store.reviews.save(
        NewReview(subject=ReviewSubject(sample=at()), reviewer="佐藤", content=given, at=START, blind=True)
    )
    found = store.reviews.get(saved.review_id)
    assert found == saved
    assert (found.content, found.reviewer, found.current.at, found.current.blind) == (given, "佐藤", START, True)


def test_an_edit_is_a_further_revision(store: Store) -> None:
    """What was said first stays, with who said it and when."""
    fill(store)
    store.reviews.save(replace(new(label="good"), at=START))
    edited = store.reviews.save(replace(new(label="bad"), author="mori", at=START + timedelta(minutes=1)))
    assert [(each.number, each.content.label, each.author) for each in edited.revisions] == [
        (1, "good", "佐藤"),
        (2, "bad", "mori"),
    ]


def test_the_same_again_adds_nothing(store: Store) -> None:
    """A form that saves at each key leaves one revision."""
    fill(store)
    store.reviews.save(new())
    assert len(store.reviews.save(new()).revisions) == 1


def test_several_people_review_one_answer(store: Store) -> None:
    """Each has a review of their own."""
    fill(store)
    store.reviews.save_all([new(reviewer="佐藤"), new(reviewer="mori", label="bad")])
    assert {review.reviewer: review.content.label for review in store.reviews.find()} == {"佐藤": "good", "mori": "bad"}


def test_a_withdrawn_review_is_kept_and_no_longer_listed(store: Store) -> None:
    """Withdrawing is a revision too."""
    fill(store)
    store.reviews.save(new())
    store.reviews.save(replace(new(), withdrawn=True))
    assert store.reviews.find() == []
    (kept,) = store.reviews.find(ReviewFilter(withdrawn=True))
    assert [each.withdrawn for each in kept.revisions] == [False, True]


def test_a_later_run_with_the_same_answer_has_the_review(store: Store) -> None:
    """The ledger gave both runs one answer, so a review of it is a review of both."""
    fill(store)
    store.reviews.save(new(case=1))
    fill(store, "20260302-000000-bbbb", minutes=60)
    (placed,) = store.reviews.of_run("20260302-000000-bbbb")
    assert placed.place == (0, 1, 0)
    assert placed.review.subject.sample.run_id == RUN


def test_another_answer_has_not(store: Store) -> None:
    """A fresh draw answers anew, and nobody has looked at that."""
    fill(store)
    store.reviews.save(new())
    fresh = [replace(make_record((0, 0, 0), "new"), key="another key")]
    store_run(store, make_run("20260302-000000-bbbb", minutes=60), fresh)
    assert store.reviews.of_run("20260302-000000-bbbb") == []


def test_a_pair_is_reviewed_as_such(store: Store) -> None:
    """Both answers of a comparison know of it, and which side they are."""
    fill(store)
    subject = ReviewSubject(sample=at(0, 0), other=at(0, 1))
    store.reviews.save(NewReview(subject=subject, reviewer="佐藤", content=ReviewContent(label="second")))
    placed = store.reviews.of_run(RUN)
    assert [(each.place, each.side) for each in placed] == [((0, 0, 0), 0), ((0, 0, 1), 1)]
    assert placed[0].review.subject == subject


def test_reviews_outlive_their_run(store: Store) -> None:
    """Deleting a run and cleaning up takes neither what people wrote nor the answers they wrote on."""
    fill(store)
    store.reviews.save(new())
    store.delete_run(RUN)
    store.gc(older_than=timedelta(0))
    assert len(store.reviews.find()) == 1
    fill(store, "20260302-000000-bbbb", minutes=60)
    assert len(store.reviews.of_run("20260302-000000-bbbb")) == 1


def test_a_score_needs_a_scale(store: Store) -> None:
    """The scale is said once, and the message says how; a name that is nearly right is suggested."""
    fill(store)
    store.reviews.set_scale(QUALITY)
    with pytest.raises(UsageError, match="did you mean '親切さ'") as caught:
        store.reviews.save(new(scores={"親切": score(4)}))
    assert slug_of(caught) == "review-invalid"


@pytest.mark.parametrize(
    "content",
    [
        {"label": "fine"},
        {"label": "first"},  # only of a pair
        {"scores": {"親切さ": score(6)}},
        {"scores": {"親切さ": score(float("nan"))}},
        {"text": ""},
    ],
)
def test_what_means_nothing_is_refused(store: Store, content: dict[str, Any]) -> None:
    """A label that is none, a score off its scale, a review that says nothing."""
    fill(store)
    store.reviews.set_scale(QUALITY)
    with pytest.raises(UsageError) as caught:
        store.reviews.save(new(**content))
    assert slug_of(caught) == "review-invalid"
    assert store.reviews.find() == []


@pytest.mark.parametrize("ends", [(5, 1), (1, 1), (float("nan"), 1), (0, float("inf"))])
def test_a_scale_has_an_extent(store: Store, ends: tuple[float, float]) -> None:
    """Two numbers, the lower first."""
    with pytest.raises(UsageError) as caught:
        store.reviews.set_scale(ReviewScale(dimension="x", low=ends[0], high=ends[1]))
    assert slug_of(caught) == "review-invalid"


def test_a_sample_without_an_answer_cannot_be_reviewed(store: Store) -> None:
    """There is nothing to look at where the call failed."""
    store_run(store, make_run(), [make_record((0, 0, 0), CallError(kind="timeout", message="too slow"))])
    with pytest.raises(UsageError, match="no answer to review") as caught:
        store.reviews.save(new())
    assert slug_of(caught) == "review-no-sample"


def test_nothing_of_a_batch_is_kept_where_one_is_wrong(store: Store) -> None:
    """An import is whole or not at all."""
    fill(store)
    with pytest.raises(UsageError):
        store.reviews.save_all([new(case=0), new(case=1, label="fine")])
    assert store.reviews.find() == []


def test_an_edit_on_an_old_state_is_refused(store: Store) -> None:
    """Nobody overwrites what they have not seen."""
    fill(store)
    store.reviews.save(new())
    store.reviews.save(new(label="bad"))
    with pytest.raises(UsageError) as caught:
        store.reviews.save(replace(new(text="late"), base=1))
    assert slug_of(caught) == "review-edited-meanwhile"


def test_codes_stand_for_arms_and_stay(store: Store) -> None:
    """The same code at each asking; it leads back to the run and the arm, however it is typed."""
    run = make_run(arms=(make_arm("intent/small"), make_arm("intent/large")))
    store_run(store, run, [make_record((arm, 0, 0)) for arm in (0, 1)])
    codes = store.reviews.codes(RUN)
    assert store.reviews.codes(RUN) == codes
    assert len({code.code for code in codes.values()}) == 2
    found = store.reviews.decode(f" {codes['intent/large'].code.lower()} ")
    assert (found.run_id, found.arm) == (RUN, "intent/large")


def test_a_code_that_was_never_given_is_refused(store: Store) -> None:
    """A file of another store does not land on some answer here."""
    with pytest.raises(UsageError) as caught:
        store.reviews.decode("AAAAA")
    assert slug_of(caught) == "review-unknown-code"


def test_many_may_edit_one_review_at_once(store_url: str) -> None:
    """Each edit is a revision with a number of its own."""
    with open_store(store_url) as first:
        fill(first)

    def edit(number: int) -> None:
        with open_store(store_url) as own:
            own.reviews.save(new(text=f"edit {number}"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(edit, range(12)))
    with open_store(store_url) as last:
        (review,) = last.reviews.find()
    assert [each.number for each in review.revisions] == list(range(1, 13))
    assert len({each.content.text for each in review.revisions}) == 12


def test_filters_narrow_the_list(store: Store) -> None:
    """By run, person, case, label and tag."""
    fill(store)
    store.reviews.save_all([new(0), new(1, reviewer="mori", label="bad", tags=("hard",))])
    for wanted in (
        ReviewFilter(reviewer="mori"),
        ReviewFilter(case_id="case-1"),
        ReviewFilter(label="bad"),
        ReviewFilter(tag="hard"),
        ReviewFilter(run="latest", reviewer="mori"),
        ReviewFilter(run="latest", case_id="case-1", suite="support"),
    ):
        assert [review.reviewer for review in store.reviews.find(wanted)] == ["mori"]


def test_a_review_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    """As runs are."""
    fill(store)
    saved = store.reviews.save(new())
    assert store.reviews.get(saved.review_id[:5]) == saved
    with pytest.raises(UsageError) as caught:
        store.reviews.get("zzz")
    assert slug_of(caught) == "review-unknown"


DROP_NEWER = (  # than version 2
    "DROP TABLE batch_keys; DROP TABLE batches; "
    "DROP TABLE review_revisions; DROP TABLE reviews; DROP TABLE review_scales; DROP TABLE review_codes;"
)


def make_older(path: Path, version: int) -> None:
    """Take from a new store what came after a version."""
    drop = DROP_NEWER + ("DROP TABLE baselines;" if version == 1 else "")
    connection = sqlite3.connect(path)
    connection.executescript(drop)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(version),))
    connection.commit()
    connection.close()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_store_is_brought_to_reviews(sqlite_path: Path, version: int) -> None:
    """What was there stays, reviews can be kept, and a copy of the older file is beside it."""
    with open_store(str(sqlite_path)) as store:
        fill(store)
    make_older(sqlite_path, version)
    with open_store(str(sqlite_path)) as store:
        store.reviews.save(new())
        assert len(store.reviews.of_run("latest")) == 1
    assert sqlite_path.with_name(f"retest.db.v{version}.bak").exists()


def shape(database: Database) -> dict[str, object]:
    """Return every table's columns, keys and indexes."""
    inspector = sa.inspect(database.engine)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name)["constrained_columns"],
            sorted(str(index["column_names"]) for index in inspector.get_indexes(name)),
            sorted(str(unique["column_names"]) for unique in inspector.get_unique_constraints(name)),
        )
        for name in inspector.get_table_names()
    }


def test_an_upgraded_store_has_the_tables_of_a_new_one(store_url: str) -> None:
    """Column by column, on both databases."""
    with open_store(store_url) as store:
        fresh = shape(store._database)

        def undo(connection: sa.Connection) -> None:
            for statement in DROP_NEWER.removesuffix(";").split(";"):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("UPDATE meta SET value = '2' WHERE name = 'schema_version'")

        store._writer.write_now(undo)
    with open_store(store_url) as store:
        assert shape(store._database) == fresh
