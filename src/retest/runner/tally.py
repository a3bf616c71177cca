"""Running totals of a run: constant memory, however many samples."""

from __future__ import annotations

from collections.abc import Sequence

from retest.domain.run import RunCounts, SampleRecord
from retest.domain.sample import Response


class Tally:
    """Counts what is stored, and watches for repeats that are copies."""

    def __init__(self, arms: int) -> None:
        self._seen_cases = bytearray()  # one byte a case: a set of a million integers would weigh 60 MB
        self._samples = self._errors = self._calls = self._hits = 0
        self._input_tokens = self._output_tokens = self._unpriced = 0
        self._cost_usd = 0.0
        self._repeats = [RepeatWatch() for _ in range(arms)]

    def add(self, records: Sequence[SampleRecord]) -> None:
        """Count a batch of stored samples."""
        for record in records:
            self._see_case(record.case_index)
            self._samples += 1
            self._hits += record.ledger_hit
            if isinstance(record.outcome, Response):
                self._add_response(record, record.outcome)
            else:
                self._errors += 1
                self._calls += record.outcome.kind != "offline"

    def _see_case(self, index: int) -> None:
        if index >= len(self._seen_cases):
            self._seen_cases.extend(bytes(index + 1024 - len(self._seen_cases)))
        self._seen_cases[index] = 1

    def _add_response(self, record: SampleRecord, response: Response) -> None:
        self._repeats[record.arm_index].add(record.case_index, response.output)
        if record.ledger_hit:
            return
        self._calls += 1
        self._input_tokens += response.usage.input_tokens or 0
        self._output_tokens += response.usage.output_tokens or 0
        if response.cost_usd is None:
            self._unpriced += 1
        else:
            self._cost_usd += response.cost_usd

    def identical_repeats(self, arm_index: int) -> bool:
        """Return whether cases were repeated and every repeat was the same."""
        return self._repeats[arm_index].all_identical

    def counts(self) -> RunCounts:
        """Return the totals; the cost is unknown as soon as one call's price is."""
        return RunCounts(
            cases=sum(self._seen_cases),
            samples=self._samples,
            errors=self._errors,
            calls=self._calls,
            ledger_hits=self._hits,
            cost_usd=None if self._unpriced else self._cost_usd,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            unpriced_calls=self._unpriced,
        )


class RepeatWatch:
    """Notices when an arm's repeats never differ; forgets everything at the first difference."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}
        self._varied = False
        self._repeated = False

    def add(self, case_index: int, output: str) -> None:
        """Compare an output with the first one of its case."""
        if self._varied:
            return
        mark = hash(output)
        first = self._first.get(case_index)
        if first is None:
            self._first[case_index] = mark
            return
        self._repeated = True
        if first != mark:
            self._varied = True
            self._first.clear()

    @property
    def all_identical(self) -> bool:
        """Return whether at least one case was repeated and nothing ever varied."""
        return self._repeated and not self._varied
