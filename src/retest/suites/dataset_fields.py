"""From a row to a case: which fields are the variables, the answer, the cluster, the tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from retest.domain.json_value import JsonValue
from retest.errors import Problem
from retest.suites.dataset_options import DatasetOptions
from retest.suites.dataset_rows import Row
from retest.suites.suggestions import did_you_mean, listing


class _Missing:
    __slots__ = ()


MISSING: Final = _Missing()
_TAG_SEPARATORS = re.compile("[,;、，；]")


class Draft(NamedTuple):
    """A row's parts; `case_id` is None where it is to be the content's hash. A tuple, for rows are many."""

    row: Row
    case_id: str | None
    vars: Mapping[str, JsonValue]
    expected: JsonValue
    cluster: str | None
    tags: tuple[str, ...]
    meta: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNames:
    """Names of the fields that have a meaning; None where the dataset has none of that meaning.

    `sure` holds those that the suite names: at least one row must have them.
    """

    id: str | None
    expected: str | None
    vars: str | None
    cluster: str | None
    tags: str | None
    sure: frozenset[str]
    inline: bool = False


def file_fields(options: DatasetOptions) -> FieldNames:
    """Return the names for rows of files: `expected` and `tags` are found without being named."""
    named = (options.expected, options.cluster, options.tags)
    return FieldNames(
        id=options.id,
        expected=options.expected or "expected",
        vars=options.vars,
        cluster=options.cluster,
        tags=options.tags or "tags",
        sure=frozenset(name for name in named if name is not None),
    )


def inline_fields(options: DatasetOptions) -> FieldNames:
    """Return the names for cases written in the suite: all of them are optional and found without being named."""
    return FieldNames(
        id=options.id or "id",
        expected=options.expected or "expected",
        vars=options.vars or "vars",
        cluster=options.cluster or "cluster",
        tags=options.tags or "tags",
        sure=frozenset(),
        inline=True,
    )


def look_up(fields: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field, or of a nested one by its dotted name; MISSING where there is none."""
    if name in fields:
        return fields[name]
    if "." not in name:
        return MISSING
    value: Any = fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return MISSING
        value = value[part]
    return value


def without(fields: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the fields less the named ones, nested ones included."""
    kept = dict(fields)
    for name in names:
        if name in kept:
            del kept[name]
        elif "." in name:
            _remove_nested(kept, name.split("."))
    return kept


def _remove_nested(fields: dict[str, Any], path: list[str]) -> None:
    head, *rest = path
    inner = fields.get(head)
    if not rest:
        fields.pop(head, None)
    elif isinstance(inner, Mapping):
        copied = dict(inner)
        _remove_nested(copied, rest)
        fields[head] = copied


def draft(row: Row, names: FieldNames) -> Draft | list[Problem]:
    """Return the row's parts, or everything that is wrong with it."""
    problems: list[Problem] = []
    case_id = _case_id(row, names, problems)
    variables, meta = _variables(row, names, problems)
    cluster = _cluster(row, names, problems)
    tags = _tags(row, names, problems)
    if problems:
        return problems
    return Draft(
        row=row,
        case_id=case_id,
        vars=variables,
        expected=_expected(row, names),
        cluster=cluster,
        tags=() if tags is None else tags,
        meta=meta,
    )


def _case_id(row: Row, names: FieldNames, problems: list[Problem]) -> str | None:
    if names.id is None:
        return None
    value = look_up(row.fields, names.id)
    if value is MISSING and names.inline:
        return None
    if isinstance(value, str) and value.strip() and _storable(value):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    problems.append(_bad_id(row, names.id, value))
    return None


def _storable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _bad_id(row: Row, name: str, value: Any) -> Problem:
    if value is MISSING:
        message = f"the row has no field '{name}', which is to be the case's id"
        return _missing_field(message, row, name, slug="dataset-id")
    what = "empty" if value is None or (isinstance(value, str) and not value.strip()) else f"{value!r:.60}"
    return Problem(
        slug="dataset-id",
        message=f"the case's id (field '{name}') is {what}",
        where=row.where,
        fix="give each row a text or a number, or drop `id:` to use a hash of the content",
    )


def _variables(
    row: Row, names: FieldNames, problems: list[Problem]
) -> tuple[Mapping[str, JsonValue], Mapping[str, JsonValue]]:
    answers = [name for name in (names.expected, _tags_field(row, names)) if name is not None]
    if names.vars is None:
        return without(row.fields, answers), {}
    own = (*answers, *(name for name in (names.id, names.cluster) if name is not None))
    value = look_up(row.fields, names.vars)
    if isinstance(value, Mapping):
        return dict(value), without(row.fields, (names.vars, *own))
    if names.inline:
        if value is MISSING:
            return without(row.fields, own), {}
        problems.append(_bad_vars(row, names.vars, value))
    elif value is MISSING:
        message = f"the row has no field '{names.vars}', which is to hold the variables"
        problems.append(_missing_field(message, row, names.vars, slug="dataset-vars"))
    else:
        problems.append(_bad_vars(row, names.vars, value))
    return {}, {}


def _bad_vars(row: Row, name: str, value: Any) -> Problem:
    return Problem(
        slug="dataset-vars",
        message=f"the field '{name}' must be an object with the variables, not {value!r:.60}",
        where=row.where,
        fix="drop `vars:` to use the row's own fields as variables",
    )


def _expected(row: Row, names: FieldNames) -> JsonValue:
    value: Any = MISSING if names.expected is None else look_up(row.fields, names.expected)
    absent = value is MISSING or (row.table and value == "")
    expected: JsonValue = None if absent else value
    return expected


def _cluster(row: Row, names: FieldNames, problems: list[Problem]) -> str | None:
    value = MISSING if names.cluster is None else look_up(row.fields, names.cluster)
    if value is MISSING or value is None or value == "":
        return None
    if isinstance(value, str | int | float):
        return str(value)
    problems.append(
        Problem(
            slug="dataset-cluster",
            message=f"the cluster (field '{names.cluster}') must be a text or a number, not {value!r:.60}",
            where=row.where,
        )
    )
    return None


def _tags(row: Row, names: FieldNames, problems: list[Problem]) -> tuple[str, ...] | None:
    value = MISSING if names.tags is None else look_up(row.fields, names.tags)
    tags = () if value is MISSING or value is None else _tag_names(value)
    if tags is None and names.tags in names.sure:
        problems.append(
            Problem(
                slug="dataset-tags",
                message=f"the tags (field '{names.tags}') must be a list of texts, not {value!r:.60}",
                where=row.where,
                fix='write ["short", "ja"] or "short, ja"',
            )
        )
    return tags


def _tags_field(row: Row, names: FieldNames) -> str | None:
    """Return the field that holds the tags; an unnamed `tags` field that holds something else is a variable."""
    if names.tags is None or names.tags in names.sure:
        return names.tags
    value = look_up(row.fields, names.tags)
    usable = value is MISSING or value is None or _tag_names(value) is not None
    return names.tags if usable else None


def _tag_names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return tuple(tag.strip() for tag in _TAG_SEPARATORS.split(value) if tag.strip())
    if isinstance(value, list) and all(isinstance(tag, str | int | float) for tag in value):
        return tuple(str(tag) for tag in value)
    return None


def _missing_field(message: str, row: Row, name: str, *, slug: str) -> Problem:
    return Problem(
        slug=slug,
        message=message,
        where=row.where,
        details=(f"its fields: {listing(row.fields) or 'none'}",),
        fix=did_you_mean(name, row.fields),
    )
