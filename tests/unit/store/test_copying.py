"""Copying a store into another, between databases: all of it comes along, twice is once, nothing is overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from retest.domain.review import NewReview, ReviewContent, ReviewScale, ReviewSubject, SampleRef
from retest.domain.sample import CallError, Response, Usage
from retest.errors import StoreError, UsageError
from retest.store import copying
from retest.store.copying import CopyReport
from retest.store.database import Store, open_store
from retest.store.tables import metadata
from retest.workflows.copy_store import copy_store
from retest.workflows.verify_store import verify_store
from support.store_data import make_arm, make_metric, make_record, make_run, store_run

FIRST, SECOND = "20260301-093015-aaaa", "20260301-093115-bbbb"
ODD = Response(
    output="返品\x00 \ud800 \u2028",
    usage=Usage(input_tokens=3, output_tokens=2),
    cost_usd=0.25,
    meta={"big": 2**80},
)


@pytest.fixture
def other_url(request: pytest.FixtureRequest, store_url: str, tmp_path: Path) -> str:
    """Give a place in the other kind of database than `store_url`."""
    if "://" in store_url:
        return str(tmp_path / "other" / "copy.db")
    server = request.getfixturevalue("postgres")
    return str(server.url(server.create_schema()))


@pytest.fixture
def source(store_url: str) -> Iterator[Store]:
    """Give a store with two runs, a baseline, reviews and a draw."""
    with open_store(store_url) as store:
        arms = (make_arm("intent/small"), make_arm("intent/large"))
        metrics = (make_metric("exact_match"), make_metric("length"))
        run = make_run(FIRST, arms=arms, metrics=metrics, tags=("a", "日本"), metadata={"n": [1, None]})
        records = [make_record((arm, case, 0)) for arm in (0, 1) for case in range(3)]
        store_run(
            store,
            run,
            [*records, make_record((0, 3, 0), ODD), make_record((1, 3, 0), CallError(kind="http", message="no"))],
        )
        store_run(store, make_run(SECOND, minutes=1), [make_record((0, 0, 1))], status="incomplete")
        store.set_baseline(FIRST)
        store.allocate_draw("support")
        store.reviews.set_scale(ReviewScale(dimension="tone", low=1, high=5))
        sample = SampleRef(run_id=FIRST, arm="intent/small", case_id="case-0", sample_index=0)
        said = ReviewContent(label="good", text="ok")
        store.reviews.save(NewReview(subject=ReviewSubject(sample=sample), reviewer="佐藤", content=said))
        yield store


def copied(source: str, target: str) -> CopyReport:
    return copy_store(source, target, lambda _table, _rows: None)


def everything(url: str) -> list[object]:
    """Return all that a reader can see of a store."""
    with open_store(url, read_only=True) as store:
        found: list[object] = []
        for run in store.list_runs():
            found += [run, list(store.iter_samples(run.run_id)), list(store.iter_cases(run.run_id))]
            found += [store.get_messages(sample.messages_hash or "") for sample in store.iter_samples(run.run_id)]
        found += [(named.run.suite, named.run.run_id, named.set_at) for named in store.baselines()]
        return found


def test_all_of_it_comes_along(source: Store, store_url: str, other_url: str) -> None:
    """Runs, samples, scores, texts, baselines and reviews read the same in the other database."""
    report = copied(store_url, other_url)
    assert (report.runs, report.samples, report.baselines, report.reviews, report.revisions) == (2, 9, 1, 1, 1)
    assert everything(other_url) == everything(store_url)
    with open_store(other_url) as there:
        assert there.reviews.find() == source.reviews.find()
        assert there.allocate_draw("support") == 2


def test_twice_is_once(source: Store, store_url: str, other_url: str) -> None:
    """The second copy brings nothing, and changes nothing."""
    copied(store_url, other_url)
    before = everything(other_url)
    again = copied(store_url, other_url)
    assert (again.runs, again.updated_runs, again.responses, again.samples, again.revisions) == (0, 0, 0, 0, 0)
    assert again.already > 0
    assert everything(other_url) == before


def test_there_and_back_is_the_same(source: Store, store_url: str, other_url: str, tmp_path: Path) -> None:
    """Through the other database into a third store, which then equals the first."""
    third = str(tmp_path / "third" / "third.db")
    copied(store_url, other_url)
    copied(other_url, third)
    assert everything(third) == everything(store_url)


def test_what_came_since_is_brought_too(source: Store, store_url: str, other_url: str) -> None:
    """An unfinished run that went on, a tag, an edited review: the copy is brought up to date."""
    copied(store_url, other_url)
    store_run(source, make_run(SECOND, minutes=1), [make_record((0, 0, 1)), make_record((0, 1, 0))])
    source.tag_run(FIRST, add=["later"])
    report = copied(store_url, other_url)
    assert (report.runs, report.updated_runs) == (0, 2)
    assert everything(other_url) == everything(store_url)


def test_a_run_that_is_further_on_there_stays(source: Store, store_url: str, other_url: str) -> None:
    """What somebody did with the copy is never undone by an older state."""
    copied(store_url, other_url)
    with open_store(other_url) as there:
        store_run(there, make_run(SECOND, minutes=1), [make_record((0, 0, 1)), make_record((0, 2, 0))])
    before = everything(other_url)
    assert copied(store_url, other_url).kept == (SECOND,)
    assert everything(other_url) == before


def test_a_run_that_is_being_written_is_left_for_later(source: Store, store_url: str, other_url: str) -> None:
    """Half a run is not copied: it is named, and comes with the next copy."""
    live = make_run("20260301-093215-cccc", minutes=2)
    store_run(source, live, [make_record((0, 0, 0))], status="running")
    assert copied(store_url, other_url).live == (live.run_id,)
    source.update_run(live.run_id, status="complete")
    assert copied(store_url, other_url).runs == 1


def test_runs_of_both_sides_stand_beside_each_other(source: Store, store_url: str, other_url: str) -> None:
    """Stores of two people become one, their answers shared under the same keys, the baseline there kept."""
    with open_store(other_url) as there:
        store_run(there, make_run("20260301-090000-zzzz", minutes=-30), [make_record((0, 0, 0))])
        there.set_baseline("20260301-090000-zzzz")
    report = copied(store_url, other_url)
    assert (report.runs, report.baselines) == (2, 0)
    with open_store(other_url) as there:
        assert len(there.list_runs()) == 3
        assert {one.run.run_id for one in there.baselines()} == {"20260301-090000-zzzz"}
        assert asyncio.run(there.ledger().known(["key-0-0-0"])) == {"key-0-0-0"}


def test_the_copy_is_whole(source: Store, store_url: str, other_url: str) -> None:
    """What `retest verify` finds in the copy, it finds in the original too."""
    copied(store_url, other_url)
    kinds = [
        [finding.kind for finding in verify_store(url, lambda _: None, repair=False).findings]
        for url in (store_url, other_url)
    ]
    assert kinds[0] == kinds[1]


def test_a_store_is_not_copied_into_itself(source: Store, store_url: str) -> None:
    """Both names lead to the same place."""
    with pytest.raises(UsageError, match="the same store"):
        copied(store_url, store_url)


def test_there_has_to_be_something_to_copy(tmp_path: Path) -> None:
    """A mistyped source is an error, and no empty store is made of it."""
    with pytest.raises(StoreError, match="no store here"):
        copied(str(tmp_path / "a.db"), str(tmp_path / "b.db"))
    assert list(tmp_path.iterdir()) == []


def test_every_table_is_thought_of() -> None:
    """A table that is added to the store has to be copied too, or to be of processes alone."""
    of_processes = {"meta", "owners", "claims"}
    handled = {name for name in vars(copying) if name in metadata.tables}
    assert metadata.tables.keys() - of_processes == handled
