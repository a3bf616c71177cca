"""Running totals of a run: what it called, what it had already, what that cost."""

from __future__ import annotations

from collections.abc import Sequence

from retest.domain.run import RunCounts, SampleRecord
from retest.domain.sample import Response


class Tally:
    """Counts stored samples, in constant memory."""

    def __init__(self) -> None:
        self._samples = self._errors = self._calls = self._hits = self._failed = 0
        self._input_tokens = self._output_tokens = self._unpriced = 0
        self._cost_usd = 0.0

    def add(self, records: Sequence[SampleRecord]) -> None:
        """Count a batch of stored samples."""
        for record in records:
            self._samples += 1
            self._hits += record.ledger_hit
            if not isinstance(record.outcome, Response):
                self._errors += 1
                self._failed += record.outcome.kind != "offline"
            elif not record.ledger_hit:
                self._add_call(record.outcome)

    def _add_call(self, response: Response) -> None:
        self._calls += 1
        self._input_tokens += response.usage.input_tokens or 0
        self._output_tokens += response.usage.output_tokens or 0
        if response.cost_usd is None:
            self._unpriced += 1
        else:
            self._cost_usd += response.cost_usd

    def counts(self, cases: int) -> RunCounts:
        """Return the totals; the cost is unknown as soon as one call's price is.

        Args:
            cases: how many cases have samples.
        """
        return RunCounts(
            cases=cases,
            samples=self._samples,
            errors=self._errors,
            calls=self._calls + self._failed,
            ledger_hits=self._hits,
            cost_usd=None if self._unpriced else self._cost_usd,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            unpriced_calls=self._unpriced,
            failed_calls=self._failed,
        )
