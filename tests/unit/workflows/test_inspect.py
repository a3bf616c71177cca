"""Stored runs read back into tables."""

from __future__ import annotations

import asyncio
from pathlib import Path

from retest.store.database import open_store
from retest.workflows.inspect import load_table
from support.store_data import make_case, make_record, make_run, store_run


def test_a_case_without_samples_keeps_its_place(tmp_path: Path) -> None:
    """A run cut short may lack a case in the middle: the scores of those behind it still stand under their own ids."""
    with open_store(str(tmp_path / "runs.db")) as store:
        run = make_run()
        store_run(store, run, [make_record((0, 0, 0)), make_record((0, 2, 0))], status="running")
        asyncio.run(store.start_run(run).add_cases([(1, make_case(1))]))
        table = load_table(store, store.get_run(run.run_id))
    values = table.arms[0].metrics["exact_match"].values
    assert table.case_ids == ["case-0", "case-1", "case-2"]
    assert values[2 * table.samples] == 1.0
