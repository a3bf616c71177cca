"""What a suite says about its dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from retest.domain.json_value import JsonValue
from retest.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetFile:
    """One file of a dataset.

    Attributes:
        display: the path as the user would type it.
        format: jsonl, json, csv, tsv or yaml; None where the file's name says it.
        encoding: any text encoding that Python knows; None is UTF-8 (or UTF-16 with a byte order mark).
        columns: names for a CSV or TSV file without a header line.
        delimiter: of a CSV or TSV file; None is a comma or a tab.
    """

    path: Path
    display: str
    format: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineCase:
    """A case written in the suite itself."""

    fields: Mapping[str, JsonValue]
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """Where the cases come from and what their fields mean.

    Attributes:
        files: read in this order, before `cases`.
        id, expected, vars, cluster, tags: names of fields, dotted for nested ones; None where not given.
        where: field -> accepted value, or list of accepted values.
        limit: the first so many cases, after `where` and `subset`.
        subset: so many cases, chosen by hash of `seed` and case id: adding other rows moves few of them.
    """

    files: tuple[DatasetFile, ...] = ()
    cases: tuple[InlineCase, ...] = ()
    id: str | None = None
    expected: str | None = None
    vars: str | None = None
    cluster: str | None = None
    tags: str | None = None
    where: Mapping[str, JsonValue] = field(default_factory=dict)
    limit: int | None = None
    subset: int | None = None
    seed: int = 0
