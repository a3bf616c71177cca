"""`where:` of a dataset: which rows take part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retest.errors import Location, Problem
from retest.suites.dataset_fields import MISSING, Draft, look_up
from retest.suites.suggestions import did_you_mean, listing

_MAX_VALUES = 20
_MAX_NAMES = 500
_MAX_SPELLED = 60


class RowFilter:
    """Accepts rows whose fields have the wanted values, and remembers what there was to choose from."""

    def __init__(self, where: Mapping[str, Any]) -> None:
        self._wanted = {
            name: list(value) if isinstance(value, list | tuple) else [value] for name, value in where.items()
        }
        self._seen: dict[str, dict[str, None]] = {name: {} for name in where}  # dicts keep the order of first sight
        self._found: set[str] = set()
        self._names: dict[str, None] = {}

    def accepts(self, draft: Draft) -> bool:
        """Return whether every field has one of its wanted values (for a list: contains one)."""
        if not self._wanted:
            return True
        # Every field is looked at, so that what exists is known for each of them.
        verdicts = [self._accepts(name, wanted, draft) for name, wanted in self._wanted.items()]
        return all(verdicts)

    def problems(self, where: Location | None) -> list[Problem]:
        """Return why no row was accepted: unknown fields, else the values that exist."""
        unknown = [name for name in self._wanted if name not in self._found]
        if unknown:
            return [self._unknown(name, where) for name in unknown]
        return [
            Problem(
                slug="dataset-filter-empty",
                message=f"`where` matches no row: {self._spelled()}",
                where=where,
                details=tuple(f"{name} has: {_values(seen)}" for name, seen in self._seen.items()),
                fix="use values that exist in the dataset",
            )
        ]

    def unknown_fields(self, where: Location | None) -> list[Problem]:
        """Return the fields of `where` that no row has."""
        return [self._unknown(name, where) for name in self._wanted if name not in self._found]

    def _accepts(self, name: str, wanted: list[Any], draft: Draft) -> bool:
        value = look_up(draft.row.fields, name)
        if value is MISSING:
            value = look_up(draft.vars, name)
        if value is MISSING:
            self._remember_names(draft)
            return None in wanted
        self._found.add(name)
        self._remember(name, value)
        values = value if isinstance(value, list) else [value]
        return any(_same(found, choice) for found in values for choice in wanted)

    def _remember(self, name: str, value: Any) -> None:
        seen = self._seen[name]
        if len(seen) <= _MAX_VALUES:
            for item in value if isinstance(value, list) else [value]:
                seen.setdefault(_spell(item))

    def _remember_names(self, draft: Draft) -> None:
        if len(self._names) < _MAX_NAMES:
            self._names.update(dict.fromkeys([*draft.row.fields, *draft.vars]))

    def _unknown(self, name: str, where: Location | None) -> Problem:
        return Problem(
            slug="dataset-filter-field",
            message=f"`where` asks for the field '{name}', which no row has",
            where=where,
            details=(f"fields: {listing(self._names) or 'none'}",),
            fix=did_you_mean(name, self._names),
        )

    def _spelled(self) -> str:
        return ", ".join(
            f"{name}: {_spell(wanted[0]) if len(wanted) == 1 else [_spell(item) for item in wanted]}"
            for name, wanted in self._wanted.items()
        )


def _same(found: Any, wanted: Any) -> bool:
    """Compare a row's value with one of the suite's: ``3``, ``"3"`` and ``true``, ``"True"`` are the same."""
    if wanted is None or found is None:
        return found is wanted or (wanted is None and found == "")
    if type(found) is type(wanted):
        return bool(found == wanted)
    if isinstance(found, bool) or isinstance(wanted, bool):
        return str(found).casefold() == str(wanted).casefold()
    if isinstance(found, str) or isinstance(wanted, str):
        return str(found) == str(wanted)
    return bool(found == wanted)


def _spell(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= _MAX_SPELLED else f"{text[:_MAX_SPELLED]}..."


def _values(seen: Mapping[str, None]) -> str:
    shown = list(seen)[:_MAX_VALUES]
    return ", ".join(shown) + (", ..." if len(seen) > _MAX_VALUES else "")
