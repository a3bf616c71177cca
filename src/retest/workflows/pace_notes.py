"""Remembers what a run's endpoints let through, for those who look at its result."""

from __future__ import annotations

from retest.runner.events import EndpointLimit, Event, Listener
from retest.runner.table import RunTable


class PaceNotes:
    """Passes events on; satisfies `Listener`."""

    def __init__(self, listener: Listener) -> None:
        self._tell = listener
        self._limits: dict[tuple[str, str | None], EndpointLimit] = {}

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, EndpointLimit):
            self._limits[event.judge, event.model] = event
        self._tell(event)

    def remark_on(self, table: RunTable) -> RunTable:
        """Return the table with the last limit of each endpoint and model, in words."""
        table.remarks = tuple(event.message for event in self._limits.values())
        return table
