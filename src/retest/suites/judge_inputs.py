"""Whether the dataset holds what judges are to be shown: found out before the first call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.judge import USUAL_FIELDS, find_input
from retest.errors import Location
from retest.suites.scope import SuiteScope
from retest.suites.suggestions import did_you_mean, listing

_SHOWN_ROWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeInputs:
    """What one metric's judge is shown of a case; `named` says in which field an input stands."""

    metric: str
    names: tuple[str, ...]
    named: Mapping[str, str] = field(default_factory=dict)
    where: Location | None = None


class InputCheck:
    """Looks at each case once; keeps the first few that lack something."""

    def __init__(self, wanted: Iterable[JudgeInputs]) -> None:
        self._wanted = tuple(wanted)
        self._missing: dict[tuple[int, str], list[str]] = {}
        self._counts: dict[tuple[int, str], int] = {}

    def take(self, case: Case) -> None:
        """Note what the case lacks."""
        for index, inputs in enumerate(self._wanted):
            for name in inputs.names:
                if find_input(name, inputs.named, case) is None:
                    key = (index, name)
                    self._counts[key] = self._counts.get(key, 0) + 1
                    rows = self._missing.setdefault(key, [])
                    if len(rows) < _SHOWN_ROWS:
                        rows.append(f"{case.where} (case {case.case_id!r})" if case.where else f"case {case.case_id!r}")

    def report(self, scope: SuiteScope, cases: int, fields: Sequence[str]) -> None:
        """Note one error per metric and input that is missing from rows."""
        for (index, name), rows in self._missing.items():
            inputs, count = self._wanted[index], self._counts[index, name]
            given = inputs.named.get(name)
            tried = given or " or ".join(USUAL_FIELDS.get(name, (name,)))
            every = count == cases
            scope.error(
                "suite-judge-input",
                f"metric '{inputs.metric}' shows its judge the {name}, and "
                f"{'no row' if every else f'{count} of {cases} rows'} {'has' if every else 'lack'} it",
                inputs.where,
                details=(
                    f"looked for: {tried}",
                    f"fields of the rows: {listing(fields) or 'none'}",
                    *(() if every else rows),
                ),
                fix=(did_you_mean(given, fields) if given else None)
                or (f"name the field: inputs: {{{name}: FIELD}}" if every else "fill it in"),
            )
