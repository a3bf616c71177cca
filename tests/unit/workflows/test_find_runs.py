"""Which runs a person means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retest.errors import NothingToJudgeError, UsageError
from retest.store.database import Store, open_store
from retest.workflows.find_runs import find_run, latest_run
from support.store_data import make_record, make_run, store_run


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a store with runs a1, b1, a2, a3 of two suites, in this order."""
    with open_store(str(tmp_path / "retest.db")) as opened:
        for minutes, (name, suite) in enumerate((("a1", "a"), ("b1", "a/b"), ("a2", "a"), ("a3", "a"))):
            tags = ("good",) if name == "a1" else ()
            store_run(opened, make_run(name, suite=suite, minutes=minutes, tags=tags), [make_record((0, 0, 0))])
        yield opened


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("latest", "a3"),
        ("latest~1", "a2"),
        ("latest~2", "a1"),
        ("~1", "a2"),
        ("a3~2", "a1"),
        ("good", "a1"),
        ("b", "b1"),
    ],
)
def test_a_run_is_found_by_name_or_by_steps_back(store: Store, name: str, run_id: str) -> None:
    """Steps count the runs of the same suite only, not of suites whose name begins alike."""
    assert find_run(store, name).run_id == run_id


def test_too_many_steps_back_are_refused(store: Store) -> None:
    """The message says how many runs there are."""
    with pytest.raises(NothingToJudgeError, match="it has 3 in this store"):
        find_run(store, "latest~3")


@pytest.mark.parametrize(("suite", "latest"), [("a", "a3"), ("a/b", "b1"), ("other", None)])
def test_the_latest_run_is_of_that_very_suite(store: Store, suite: str, latest: str | None) -> None:
    """A suite without a run has none."""
    found = latest_run(store, suite)
    assert (None if found is None else found.run_id) == latest


def test_an_unknown_name_is_a_usage_error(store: Store) -> None:
    """Also behind a tilde."""
    with pytest.raises(UsageError, match="no run has the id or tag 'x'"):
        find_run(store, "x~1")
