"""Field by field: which values of an expected JSON object the answer has, lacks and makes up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import zip_longest
from typing import Literal, TypeGuard

from pydantic import Field

from retest.domain.json_value import JsonValue
from retest.metrics.assignment import best_pairs
from retest.metrics.json_text import JsonOptions
from retest.metrics.normalise import Normaliser, TextOptions
from retest.metrics.references import clipped

_ROOT = "$"
_ABSENT = object()
# Above this many pairs, unequal items are paired in their order: the exact pairing would take seconds.
_MAX_PAIRS = 2_500
_EXAMPLES = 3
_SHOWN = 60


class JsonFieldsOptions(JsonOptions):
    """Options of json_fields."""

    fields: tuple[str, ...] = Field(
        (), description="Judge only these fields and what is below them, such as `[intent, slots.city]`; omitted: all"
    )
    ignore: tuple[str, ...] = Field((), description="Leave these fields out, with what is below them")
    average: Literal["fields", "values"] = Field(
        "fields",
        description="`fields` averages over the fields, each counting the same (macro); "
        "`values` counts all values together (micro)",
    )
    measure: Literal["f1", "precision", "recall"] = Field(
        "f1",
        description="Which of the three is the value; all are in the details. `precision` averages over the fields of "
        "the output (0 if none), `recall` over those expected",
    )
    extra: Literal["count", "ignore"] = Field(
        "count", description="Whether fields that are not expected at all count as wrong"
    )
    ordered_lists: bool = Field(default=False, description="Items of lists must stand in the same order")
    lenient_types: bool = Field(
        default=False, description='Numbers and true/false equal their text: 5 = "5" = 5.0, true = "True"'
    )
    null_is_absent: bool = Field(default=True, description="A null says the same as no field")
    nfkc: bool = Field(default=True, description="Full-width and half-width forms in texts are the same (Unicode NFKC)")
    casefold: bool = Field(default=False, description="Upper and lower case in texts are the same")
    strip: bool = Field(default=True, description="White space at both ends of texts does not count")


@dataclass(slots=True, kw_only=True)
class FieldCount:
    """Values of one field: matched in both, missing from the answer, extra in the answer."""

    matched: int = 0
    missing: int = 0
    extra: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float | None:
        """Return the share of the answer's values that are expected; None where it has none."""
        return _ratio(self.matched, self.matched + self.extra)

    @property
    def recall(self) -> float | None:
        """Return the share of the expected values that the answer has; None where none are expected."""
        return _ratio(self.matched, self.matched + self.missing)

    @property
    def f1(self) -> float | None:
        """Return the harmonic mean of precision and recall; 0 where one of them is undefined."""
        return _ratio(2 * self.matched, 2 * self.matched + self.missing + self.extra)

    def note(self, form: str, *values: object) -> None:
        """Keep an example of what is wrong, a few at most."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(form.format(*(clipped(value, _SHOWN) for value in values)))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


class FieldComparison:
    """Compares JSON values as the options say."""

    def __init__(self, options: JsonFieldsOptions) -> None:
        self._options = options
        self._normalise = Normaliser(
            TextOptions(nfkc=options.nfkc, casefold=options.casefold, strip=options.strip, extract=None)
        )

    def counts(self, expected: JsonValue, found: JsonValue) -> dict[str, FieldCount]:
        """Return the counts by field; a field's name is its path with dots, ``[]`` for the items of a list."""
        tally: defaultdict[str, FieldCount] = defaultdict(FieldCount)
        self._compare(expected, found, "", tally)
        kept = {name: count for name, count in tally.items() if self._counts(name)}
        if self._options.extra == "ignore":
            kept = {name: count for name, count in kept.items() if count.matched + count.missing}
        return kept

    def _counts(self, name: str) -> bool:
        wanted = not self._options.fields or _below(name, self._options.fields)
        return wanted and not _below(name, self._options.ignore)

    def _compare(self, expected: object, found: object, path: str, tally: defaultdict[str, FieldCount]) -> None:
        if isinstance(expected, Mapping) and isinstance(found, Mapping):
            for key in [*expected, *(key for key in found if key not in expected)]:
                below = f"{path}.{key}" if path else str(key)
                self._compare(expected.get(key, _ABSENT), found.get(key, _ABSENT), below, tally)
        elif _is_list(expected) and _is_list(found):
            for wanted, got in self._pairs(expected, found):
                self._compare(wanted, got, f"{path}[]", tally)
        elif _is_leaf(expected) and _is_leaf(found):
            self._compare_leaves(expected, found, tally[path or _ROOT])
        else:
            self._count_all(expected, path, tally, missing=True)
            self._count_all(found, path, tally, missing=False)

    def _compare_leaves(self, expected: object, found: object, count: FieldCount) -> None:
        if self._key(expected) == self._key(found):
            count.matched += 1
            return
        count.missing += 1
        count.extra += 1
        count.note("expected {}, got {}", expected, found)

    def _count_all(self, value: object, path: str, tally: defaultdict[str, FieldCount], *, missing: bool) -> None:
        for name, leaf in self._leaves(value, path):
            count = tally[name or _ROOT]
            if missing:
                count.missing += 1
                count.note("missing {}", leaf)
            else:
                count.extra += 1
                count.note("not expected: {}", leaf)

    def _leaves(self, value: object, path: str) -> Iterator[tuple[str, object]]:
        if isinstance(value, Mapping):
            for key, part in value.items():
                yield from self._leaves(part, f"{path}.{key}" if path else str(key))
        elif _is_list(value):
            for part in value:
                yield from self._leaves(part, f"{path}[]")
        elif not self._absent(value):
            yield path, value

    def _absent(self, value: object) -> bool:
        return value is _ABSENT or (value is None and self._options.null_is_absent)

    def _pairs(self, expected: Sequence[object], found: Sequence[object]) -> Iterator[tuple[object, object]]:
        """Yield the items side by side, `_ABSENT` where one list has no partner."""
        if self._options.ordered_lists:
            yield from _side_by_side(expected, found)
            return
        wanted, got = list(expected), list(found)
        yield from self._take_equal(wanted, got)
        if not any(map(_is_container, wanted)) or len(wanted) * len(got) > _MAX_PAIRS:
            yield from _side_by_side(wanted, got)
            return
        weights = [[self._overlap(one, other) for other in got] for one in wanted]
        chosen = best_pairs(weights)
        yield from ((wanted[row], got[column]) for row, column in chosen)
        rows, columns = {row for row, _ in chosen}, {column for _, column in chosen}
        yield from ((item, _ABSENT) for row, item in enumerate(wanted) if row not in rows)
        yield from ((_ABSENT, item) for column, item in enumerate(got) if column not in columns)

    def _take_equal(self, wanted: list[object], got: list[object]) -> list[tuple[object, object]]:
        """Remove equal items from both lists and return them in pairs; a best pairing always pairs them."""
        keys = [self._key(item) for item in got]
        left = Counter(keys)
        pairs, unpaired = [], []
        for item in wanted:
            key = self._key(item)
            if left[key] > 0:
                left[key] -= 1
                pairs.append((item, item))
            else:
                unpaired.append(item)
        rest = []
        for item, key in zip(got, keys, strict=True):
            if left[key] > 0:
                left[key] -= 1
                rest.append(item)
        wanted[:], got[:] = unpaired, rest
        return pairs

    def _overlap(self, expected: object, found: object) -> int:
        tally: defaultdict[str, FieldCount] = defaultdict(FieldCount)
        self._compare(expected, found, "", tally)
        return sum(count.matched for count in tally.values())

    def _key(self, value: object) -> Hashable:
        """Return what two equal values have in common."""
        if isinstance(value, Mapping):
            parts = [(key, self._key(part)) for key, part in value.items() if not self._absent(part)]
            return ("object", frozenset(parts))
        if _is_list(value):
            keys = [self._key(part) for part in value]
            return ("list", tuple(keys)) if self._options.ordered_lists else ("list", frozenset(Counter(keys).items()))
        return self._leaf_key(value)

    def _leaf_key(self, value: object) -> Hashable:
        if self._absent(value):
            return ("absent",)
        if isinstance(value, str):
            text = self._normalise(value)
            return self._lenient_key(text) if self._options.lenient_types else ("text", text)
        if isinstance(value, bool):
            return ("boolean", value)
        return ("number", value) if isinstance(value, int | float) else ("null",)

    def _lenient_key(self, text: str) -> Hashable:
        if text.casefold() in {"true", "false"}:
            return ("boolean", text.casefold() == "true")
        try:
            number = Decimal(text)
        except (InvalidOperation, ValueError):
            return ("text", text)
        if not number.is_finite() or abs(number.adjusted()) > 300:  # noqa: PLR2004 - beyond what a float holds
            return ("text", text)
        return ("number", int(number) if number == number.to_integral_value() else float(number))


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def _is_container(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple)


def _is_leaf(value: object) -> bool:
    return value is not _ABSENT and not _is_container(value)


def _side_by_side(expected: Sequence[object], found: Sequence[object]) -> Iterator[tuple[object, object]]:
    return zip_longest(expected, found, fillvalue=_ABSENT)


def _below(name: str, fields: Sequence[str]) -> bool:
    return any(name == one or name.startswith((f"{one}.", f"{one}[")) for one in fields)
