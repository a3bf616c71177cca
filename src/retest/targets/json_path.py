"""A small part of JSONPath: enough to say where in a JSON answer the text is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retest.errors import Location, Problem, UsageError

# .name  ["name"]  ['name']  [0]  [-1]  [*]
_STEP = re.compile(r"""\.([^.\[\]\s'"]+)|\[\s*(?:'([^']*)'|"([^"]*)"|(-?\d+)|(\*))\s*\]""")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonPath:
    """A parsed path: names, indexes (negative ones count from the end), and None for ``[*]``."""

    text: str
    steps: tuple[str | int | None, ...]

    def find(self, data: Any) -> Any:
        """Return the value at the path, None where there is none; after ``[*]`` the texts found, put together."""
        return _find(data, self.steps)


def _find(data: Any, steps: tuple[str | int | None, ...]) -> Any:
    for position, step in enumerate(steps):
        if step is None:
            return _find_all(data, steps[position + 1 :])
        if isinstance(step, str):
            data = data.get(step) if isinstance(data, Mapping) else None
        elif isinstance(data, list) and -len(data) <= step < len(data):
            data = data[step]
        else:
            return None
    return data


def _find_all(data: Any, steps: tuple[str | int | None, ...]) -> Any:
    """Return the matches in a list: joined where all are strings, else as a list; None where there are none."""
    items = data if isinstance(data, list) else []
    found = [value for item in items if (value := _find(item, steps)) is not None]
    if not found:
        return None
    return "".join(found) if all(isinstance(value, str) for value in found) else found


def parse_path(text: str, where: Location | None) -> JsonPath:
    """Return the parsed path; a leading ``$`` may be left out.

    Raises:
        UsageError: it uses what is not supported (filters, slices, recursive descent).
    """
    rest = text.strip().removeprefix("$")
    if rest and rest[0] not in ".[":
        rest = f".{rest}"
    steps: list[str | int | None] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None:
            raise _unsupported(text, rest[position:], where)
        steps.append(_step(match))
        position = match.end()
    return JsonPath(text=text, steps=tuple(steps))


def _step(match: re.Match[str]) -> str | int | None:
    name, single, double, index, _every = match.groups()
    if index is not None:
        return int(index)
    return next((text for text in (name, single, double) if text is not None), None)


def _unsupported(text: str, rest: str, where: Location | None) -> UsageError:
    return UsageError(
        Problem(
            slug="target-pick",
            message=f"cannot read the path '{text}' from '{rest[:40]}' on",
            where=where,
            fix="use names and indexes: $.choices[0].text, $.parts[*].text, $['odd name'], $.items[-1]",
        )
    )
