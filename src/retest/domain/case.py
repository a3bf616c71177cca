"""Cases: one dataset row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from retest.domain.json_value import JsonValue
from retest.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One dataset row.

    Attributes:
        case_id: from the dataset's id field, else a hash of the variables (plus ``#n`` where rows repeat).
        vars: what the prompt template sees.
        content_hash: hash of `vars`; two runs pair a case only where it is equal.
        expected: the reference answer(s) in the dataset's own form; None where the row has none.
        cluster: name of the source that several cases share, the unit of analysis where given.
        meta: the row's other fields, for metrics that want them.
        where: file and line of the row, for messages.
    """

    case_id: str
    vars: Mapping[str, JsonValue]
    content_hash: str
    expected: JsonValue = None
    cluster: str | None = None
    tags: tuple[str, ...] = ()
    meta: Mapping[str, JsonValue] = field(default_factory=dict)
    where: Location | None = None

    @property
    def references(self) -> tuple[JsonValue, ...]:
        """Return the accepted answers: a list in `expected` is several references, None is none."""
        if self.expected is None:
            return ()
        if isinstance(self.expected, list | tuple):
            return tuple(self.expected)
        return (self.expected,)


class CaseSource(Protocol):
    """A dataset that can be read again and again without being held in memory."""

    def __iter__(self) -> Iterator[Case]:
        """Yield the cases in a stable order."""
        ...

    def __len__(self) -> int:
        """Return the number of cases."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash over ids, variables and expected answers of all cases, in order."""
        ...
