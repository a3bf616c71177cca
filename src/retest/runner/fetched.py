"""What became of a run's calls before its execution, which then makes none itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from retest.domain.sample import CallError
from retest.runner.stopping import StopReason


@dataclass(slots=True)
class Fetched:
    """Calls that were made beforehand: in batches, say.

    Attributes:
        paid: the keys of answers that this run paid for; others that are in the ledger are gifts.
        errors: why calls have no answer, by key. What is neither here nor in the ledger was not made.
        ending: why not all calls were made; None where all were.
    """

    paid: set[str] = field(default_factory=set)
    errors: dict[str, CallError] = field(default_factory=dict)
    ending: tuple[StopReason, str] | None = None

    def end(self, reason: StopReason, message: str) -> None:
        """Make no further calls; the first reason stays."""
        self.ending = self.ending or (reason, message)
