"""The drift that `retest aa` measured, kept with the last of its runs, for the comparisons that come after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from retest.domain.json_value import JsonValue
from retest.domain.run import Run
from retest.domain.self_test import MeasuredDrift

if TYPE_CHECKING:
    from retest.store.database import Store

TAG = "aa"
_DRIFT = "aa_drift"


def keep_drifts(store: Store, run: Run, drifts: Sequence[MeasuredDrift], measured_at: datetime) -> None:
    """Keep with a run what was measured, in the place of anything older; an empty list says that nothing could be."""
    rows: list[JsonValue] = [
        {
            "arm": drift.arm,
            "metric": drift.metric,
            "signature": drift.signature,
            "tau2": drift.tau2,
            "n_runs": drift.n_runs,
        }
        for drift in drifts
    ]
    store.tag_run(run.run_id, metadata={_DRIFT: {"measured_at": measured_at.isoformat(), "metrics": rows}})


def is_judged(run: Run) -> bool:
    """Return whether a run closed a measurement."""
    return _DRIFT in run.metadata


def runs_against_itself(store: Store, suite: str) -> list[Run]:
    """Return the runs of a suite that were made to be compared with each other, the newest first."""
    from retest.store.records import RunFilter

    return [run for run in store.list_runs(RunFilter(suite=suite, tags=(TAG,))) if run.suite == suite]


def read_drifts(store: Store | None, suite: str) -> Mapping[tuple[str, str], MeasuredDrift]:
    """Return (arm, metric) -> the drift last measured for a suite; nothing where none was."""
    if store is None:
        return {}
    for run in runs_against_itself(store, suite):
        found = {(drift.arm, drift.metric): drift for drift in _drifts_of(run)}
        if found:
            return found
    return {}


def _drifts_of(run: Run) -> Iterator[MeasuredDrift]:
    document: Any = run.metadata.get(_DRIFT) or {}
    for row in document.get("metrics", ()):
        yield MeasuredDrift(**row, measured_at=datetime.fromisoformat(document["measured_at"]))
