"""Keys change the review in view and are saved at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retest.domain.review import ReviewScale
from retest.errors import UsageError
from retest.store.database import Store, open_store
from retest.workflows.review_items import QueueWish
from retest.workflows.review_queue import review_queue
from retest.workflows.review_session import ReviewSession, Wanted, digit_scale
from support.store_data import make_record, make_run, store_run

SCALE = ReviewScale(dimension="親切さ", low=1, high=5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give a store with a run of three answers and one older answer to compare with."""
    with open_store(str(tmp_path / ".retest" / "retest.db")) as opened:
        opened.reviews.set_scale(SCALE)
        store_run(opened, make_run("r2", minutes=5), [make_record((0, case, 0), f"答え {case}") for case in range(3)])
        yield opened


def start(store: Store, lines: list[str] | None = None, **options: object) -> ReviewSession:
    """Return a session over all answers whose questions are answered by these lines."""
    waiting = iter(lines or [])

    def ask(wanted: Wanted) -> str:
        return next(waiting)

    wish = QueueWish(reviewer="佐藤", order="worst", again=True, **options)  # type: ignore[arg-type] # fields by name
    items = review_queue(store, store.get_run("r2"), wish)
    return ReviewSession(store=store, items=items, reviewer="佐藤", ask=ask, scale=SCALE)


def test_each_key_is_saved_at_once(store: Store) -> None:
    """A label and a score are two revisions of one review, there before anything else is pressed."""
    session = start(store)
    assert session.press("g") == "saved"
    assert store.reviews.find()[0].content.label == "good"
    assert session.press("4") == "saved"
    (review,) = store.reviews.find()
    assert (review.content.label, review.content.scores["親切さ"].value, len(review.revisions)) == ("good", 4.0, 2)


def test_questions_take_a_line(store: Store) -> None:
    """Comment, tags separated by commas or 、, and the answer as it should be; an empty line changes nothing."""
    session = start(store, ["丁寧です", "長い、硬い, 良い", "正しい答え", "  "])
    for key in "c#ec":
        session.press(key)
    content = store.reviews.find()[0].content
    assert (content.text, content.tags, content.correction) == ("丁寧です", ("長い", "硬い", "良い"), "正しい答え")


def test_undo_withdraws(store: Store) -> None:
    """The review no longer counts; undoing nothing does nothing."""
    session = start(store)
    assert session.press("u") == "unknown"
    session.press("b")
    assert session.press("u") == "saved"
    assert store.reviews.find() == []
    assert session.said.is_empty
    session.press("g")
    assert [review.content.label for review in store.reviews.find()] == ["good"]


def test_moving_there_and_back_shows_what_was_said(store: Store) -> None:
    """Keys n and p, also the enter key; at the beginning p stays."""
    session = start(store)
    session.press("g")
    session.press("\n")
    assert session.place == 1
    assert session.said.is_empty
    session.press("p")
    session.press("P")
    assert (session.place, session.said.label) == (0, "good")


def test_the_end_of_the_queue_ends_the_session(store: Store) -> None:
    """And q does at any time."""
    session = start(store)
    assert session.press("q") == "quit"
    for _ in range(3):
        session.press("n")
    assert session.item is None
    assert session.press("g") == "quit"


@pytest.mark.parametrize("key", ["9", "0", "x", "1️", "あ", "t", "\x01"])
def test_other_keys_do_nothing(store: Store, key: str) -> None:
    """A digit off the scale, a key for pairs, a letter of another script."""
    assert start(store).press(key) == "unknown"
    assert store.reviews.find() == []


def test_pairs_have_keys_of_their_own(store: Store) -> None:
    """1, 2 and t say which is better; digits are no scores there."""
    older = [make_record((0, case, 0), f"前の答え {case}", key=f"old-{case}") for case in range(3)]
    store_run(store, make_run("r1"), older)
    session = start(store, pairs=True, baseline="r1")
    session.press("2")
    session.press("n")
    session.press("t")
    assert session.press("g") == "unknown"
    assert [review.content.label for review in store.reviews.find()] == ["second", "tie"]


def test_what_cannot_be_kept_is_told(store: Store) -> None:
    """The scale has changed under the session: the score would lie off it."""
    session = start(store)
    store.reviews.set_scale(ReviewScale(dimension="親切さ", low=1, high=3))
    with pytest.raises(UsageError, match="outside its scale 1-3"):
        session.press("5")


def test_digits_score_the_dimension_that_is_named() -> None:
    """Else the first whose scale fits one key."""
    wide = ReviewScale(dimension="score", low=0, high=100)
    assert digit_scale([wide, SCALE], None) == SCALE
    assert digit_scale([wide, SCALE], "score") == wide
    assert digit_scale([wide], None) is None
    assert digit_scale([SCALE], "no") is None
