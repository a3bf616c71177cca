"""What a run's result says of limits that its endpoints set."""

from __future__ import annotations

from retest.runner.events import EndpointLimit, Event, WaitingForOthers
from retest.runner.table import RunTable
from retest.workflows.pace_notes import PaceNotes


def test_the_last_limit_of_each_endpoint_is_remembered() -> None:
    """Of targets and judges apart; every event reaches the listener."""
    heard: list[Event] = []
    notes = PaceNotes(heard.append)
    events: list[Event] = [
        EndpointLimit(calls_per_s=100, model="a"),
        WaitingForOthers(keys=1),
        EndpointLimit(calls_per_s=48, model="a"),
        EndpointLimit(calls_per_s=9, judge="quality"),
    ]
    for event in events:
        notes(event)
    assert notes.remark_on(RunTable(arms=1, metrics=[], samples=1)).remarks == (
        "limited by the endpoint to about 48 calls/s of a",
        "judge quality: limited by the endpoint to about 9 calls/s",
    )
    assert heard == events


def test_a_run_that_nothing_held_up_has_no_remark() -> None:
    """As most runs are."""
    assert PaceNotes(lambda _event: None).remark_on(RunTable(arms=1, metrics=[], samples=1)).remarks == ()
