"""Deleting and cleaning up take what nothing needs, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from retest.errors import UsageError
from retest.store.database import Store, open_store
from retest.store.records import CleanupReport
from support.store_data import Clock, in_loop, make_entry, make_record, make_run, store_run

DAY = timedelta(days=1)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands at `START`."""
    return Clock()


@pytest.fixture
def dated(store_url: str, clock: Clock) -> Iterator[Store]:
    """Give a store that lives by the clock."""
    with open_store(store_url, clock=clock) as store:
        yield store


def known(store: Store, *keys: str) -> set[str]:
    """Return which keys the ledger has."""
    return set(in_loop(lambda: store.ledger().known(keys)))


def record(store: Store, key: str, role: str = "target") -> None:
    """Record a response."""
    in_loop(lambda: store.ledger().record([make_entry(key, "x" * 1000, role)]))


def test_a_deleted_run_is_gone(store: Store) -> None:
    """Header, samples, scores, tags of a deleted run are gone; other runs are whole."""
    for number in range(2):
        store_run(store, make_run(f"run-{number}", tags=("t",), metadata={"m": 1}), [make_record((0, 0, 0))])
    store.delete_run("run-0")
    assert [run.run_id for run in store.list_runs()] == ["run-1"]
    assert len(list(store.iter_samples("run-1"))) == 1
    assert len(store.case_scores("run-1", "exact_match")) == 1


def test_a_deleted_run_leaves_its_responses(store: Store) -> None:
    """What was paid for stays in the ledger: the same run again costs nothing."""
    store_run(store, make_run(), [make_record((0, 0, 0))])
    store.delete_run("latest")
    assert known(store, "key-0-0-0") == {"key-0-0-0"}


def test_a_run_that_is_being_written_is_not_deleted(store_url: str) -> None:
    """Nobody's run is pulled from under them."""
    with open_store(store_url) as one, open_store(store_url) as other:
        one.start_run(make_run())
        with pytest.raises(UsageError, match="run-in-use"):
            other.delete_run("latest")
        assert len(other.list_runs()) == 1


def test_deleting_what_is_not_there_is_an_error(store: Store) -> None:
    """A mistyped id deletes nothing."""
    with pytest.raises(UsageError, match="run-unknown"):
        store.delete_run("nothing")


def test_old_responses_of_no_run_are_dropped(dated: Store, clock: Clock) -> None:
    """A response goes when it is old enough and no run refers to it."""
    store_run(dated, make_run(), [make_record((0, 0, 0))])
    record(dated, "old")
    clock.now += 2 * DAY
    record(dated, "new")
    report = dated.gc(older_than=DAY)
    assert known(dated, "old", "new", "key-0-0-0") == {"new", "key-0-0-0"}
    assert (report.responses, report.bytes >= 1000, report.dry_run) == (1, True, False)


def test_a_dry_run_tells_and_does_nothing(dated: Store, clock: Clock) -> None:
    """The report of a dry run equals the real one's, and everything is still there."""
    store_run(dated, make_run(), [make_record((0, 0, 0))])
    record(dated, "old")
    clock.now += 2 * DAY
    planned = dated.gc(older_than=DAY, dry_run=True)
    assert known(dated, "old") == {"old"}
    done = dated.gc(older_than=DAY)
    assert (planned.responses, planned.blobs, planned.bytes) == (done.responses, done.blobs, done.bytes)


def test_bytes_are_counted_as_bytes(dated: Store, clock: Clock) -> None:
    """What gc frees is told in bytes, for Japanese text too."""
    in_loop(lambda: dated.ledger().record([make_entry("k", "返品\\")]))
    clock.now += 2 * DAY
    assert dated.gc(older_than=DAY, dry_run=True).bytes == 7


def test_texts_of_deleted_runs_are_dropped(dated: Store) -> None:
    """Messages, cases and sources that only a deleted run used go with the next clean-up."""
    store_run(dated, make_run("kept"), [make_record((0, 0, 0))])
    store_run(dated, make_run("gone", suite_source="other"), [make_record((0, 1, 0))])
    dated.delete_run("gone")
    report = dated.gc(older_than=DAY)
    assert report.blobs == 3  # messages and body of case 1, the other suite
    assert dated.get_messages("messages-1") is None
    assert dated.get_messages("messages-0") is not None
    assert dated.get_run("kept").suite_source == make_run().suite_source
    assert [sample.case_id for sample in dated.iter_samples("kept")] == ["case-0"]


@pytest.mark.parametrize("status", ["interrupted", "incomplete", "running"])
def test_nothing_is_dropped_while_a_run_is_unfinished(dated: Store, clock: Clock, status: str) -> None:
    """What an unfinished run may still look up is kept, and the report says for whom."""
    store_run(dated, make_run("open"), [make_record((0, 0, 0))], status=status)
    record(dated, "old")
    clock.now += 2 * DAY
    report = dated.gc(older_than=DAY)
    assert report == CleanupReport(kept_responses=1, kept_for=("open",))
    assert known(dated, "old") == {"old"}
    assert dated.get_messages("messages-0") is not None


def test_a_judges_response_stays_while_a_run_of_its_time_stays(dated: Store, clock: Clock) -> None:
    """No sample refers to a judge's response, so it goes only when every run that it can belong to is gone."""
    store_run(dated, make_run("early"), [])
    clock.now += DAY
    record(dated, "judged", role="judge")
    store_run(dated, make_run("late", started_at=clock.now + DAY), [])
    clock.now += 5 * DAY
    assert dated.gc(older_than=DAY).responses == 0
    dated.delete_run("early")
    assert dated.gc(older_than=DAY).responses == 1


def test_an_empty_store_is_clean(store: Store) -> None:
    """Nothing to do is no error."""
    assert store.gc() == CleanupReport()


def test_the_file_shrinks(sqlite_path: Path, clock: Clock) -> None:
    """Freed space goes back to the disk."""
    with open_store(str(sqlite_path), clock=clock) as store:
        in_loop(lambda: store.ledger().record([make_entry(f"k{number}", "x" * 4000) for number in range(500)]))
        clock.now += 2 * DAY
        store.gc(older_than=DAY)
    assert sqlite_path.stat().st_size < 500_000
