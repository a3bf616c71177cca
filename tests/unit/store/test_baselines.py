"""A suite's baseline is a pointer to a run, moved only on purpose."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from retest.store.database import Store, open_store
from support.store_data import make_run


def add_runs(store: Store, *names: str, suite: str = "qa") -> None:
    """Store complete runs without samples."""
    for name in names:
        store.start_run(replace(make_run(), run_id=name, suite=suite))
        store.update_run(name, status="complete")


def test_a_suite_has_no_baseline_by_running(store: Store) -> None:
    """Only the explicit command makes one."""
    add_runs(store, "r1")
    assert store.baseline("qa") is None


def test_a_later_baseline_takes_the_place_of_the_earlier(store: Store) -> None:
    """One run a suite."""
    add_runs(store, "r1", "r2")
    for name in ("r1", "r2"):
        store.set_baseline(name)
    assert [named.run.run_id for named in store.baselines()] == ["r2"]


def test_each_suite_has_its_own(store: Store) -> None:
    """Baselines are listed by the suites' names, each with its run."""
    add_runs(store, "r1", suite="b")
    add_runs(store, "r2", suite="a")
    for name in ("r1", "r2"):
        store.set_baseline(name)
    assert [(named.run.suite, named.run.run_id) for named in store.baselines()] == [("a", "r2"), ("b", "r1")]


def test_clearing_keeps_the_run(store: Store) -> None:
    """The run stays; clearing again says that there was nothing."""
    add_runs(store, "r1")
    store.set_baseline("r1")
    assert [store.clear_baseline("qa"), store.clear_baseline("qa")] == [True, False]
    assert store.get_run("r1").run_id == "r1"


def test_a_deleted_run_is_nobodys_baseline(store: Store) -> None:
    """The pointer goes with what it points at."""
    add_runs(store, "r1")
    store.set_baseline("r1")
    store.delete_run("r1")
    assert store.baseline("qa") is None


def test_a_store_of_version_1_gets_the_table(sqlite_path: Path) -> None:
    """The upgrade keeps the runs, and a baseline can be set afterwards."""
    with open_store(str(sqlite_path)) as store:
        add_runs(store, "r1")
    with sqlite3.connect(sqlite_path) as connection:
        connection.executescript(
            "DROP TABLE batch_keys; DROP TABLE batches; "
            "DROP TABLE baselines; DROP TABLE review_revisions; DROP TABLE reviews; DROP TABLE review_scales; "
            "DROP TABLE review_codes; UPDATE meta SET value = '1' WHERE name = 'schema_version'"
        )
    connection.close()
    with open_store(str(sqlite_path)) as store:
        store.set_baseline("r1")
        found = store.baseline("qa")
    assert found is not None
    assert found.run.run_id == "r1"
