"""Recorded outputs on disk: found by case and sample through an index of offsets, never held in memory as text."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem, UsageError
from retest.targets.wire_json import parse_json

Row = Mapping[str, Any]

# Names under which recordings commonly keep a field; the first that a row has is taken, unless the suite names one.
_CANDIDATES: dict[str, tuple[str, ...]] = {
    "case": ("case_id", "id"),
    "sample": ("sample_index", "repeat", "sample"),
    "output": ("output", "response", "completion", "text"),
    "error": ("error",),
    "latency_ms": ("latency_ms",),
    "latency_s": ("latency_s",),
    "cost_usd": ("cost_usd",),
    "input_tokens": ("input_tokens", "prompt_tokens", "usage.input_tokens", "usage.prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens", "usage.output_tokens", "usage.completion_tokens"),
    "tool_calls": ("tool_calls",),
    "model": ("model",),
    "finish_reason": ("finish_reason",),
}
_SHOWN = 5


def lookup(row: Row, name: str) -> Any:
    """Return a field by its name, or by its dotted path (``usage.input_tokens``); None where absent."""
    if name in row:
        return row[name]
    if "." not in name:
        return None
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _joined(case_id: str, prompt: str) -> str:
    """Return one key for a case and a prompt; the length keeps any two pairs apart."""
    return f"{len(case_id)}:{case_id}:{prompt}"


def _shown(case: str) -> str:
    length, _, rest = case.partition(":")
    if length.isdigit() and len(rest) > int(length):
        return f"{rest[: int(length)]!r}, prompt {rest[int(length) + 1 :]!r}"
    return repr(case)


def _has(row: Row, name: str) -> bool:
    return name in row or lookup(row, name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which rows of a file are meant (`where`: field -> value, or a list of values), under which field names."""

    fields: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, JsonValue] = field(default_factory=dict)

    def accepts(self, row: Row) -> bool:
        """Return whether a row has one of the wanted values in every field of `where`."""
        return all(_is_one_of(lookup(row, name), wanted) for name, wanted in self.where.items())


def _is_one_of(value: Any, wanted: JsonValue) -> bool:
    choices = wanted if isinstance(wanted, list | tuple) else (wanted,)
    return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in choices)


class Recording:
    """An open recording; `digest` is the SHA-256 of its content (unpacked)."""

    def __init__(self, path: Path, selection: Selection) -> None:
        self.path = path
        self.digest = ""
        self._selection = selection
        self._case_field = ""
        self._sample_field: str | None = None
        self._index: dict[tuple[str, int], int] = {}  # case (and prompt), sample -> offset
        self._first_sample = 0
        self._file = _open(path)
        try:
            self._build()
        except BaseException:
            self._file.close()
            raise

    @property
    def rows(self) -> int:
        """Return the number of selected rows."""
        return len(self._index)

    def find(self, case_id: str, sample_index: int, prompt: str = "") -> Row | None:
        """Return the row of a case and sample (of the prompt, where a field says which), None where there is none.

        The lowest sample number of the selected rows counts as sample 0, so that files that count from 1 (or a
        `where` that takes the second repeat alone) fit as they are.
        """
        case = _joined(case_id, prompt) if "prompt" in self._selection.fields else case_id
        offset = self._index.get((case, sample_index + self._first_sample))
        return None if offset is None else self._read(offset)

    def get(self, row: Row, name: str) -> Any:
        """Return what a row holds under one of our field names; None where it has no such field."""
        named = self._selection.fields.get(name)
        if named is not None:
            return lookup(row, named)
        for candidate in _CANDIDATES[name]:
            value = lookup(row, candidate)
            if value is not None or candidate in row:
                return value
        return None

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def _read(self, offset: int) -> Row:
        self._file.seek(offset)
        row: Row = parse_json(self._file.readline().rstrip(b"\r\n"))
        return row

    def _field_of(self, row: Row, name: str) -> str | None:
        named = self._selection.fields.get(name)
        if named is not None:
            return named
        return next((candidate for candidate in _CANDIDATES[name] if _has(row, candidate)), None)

    def _build(self) -> None:
        counts: dict[str, int] = {}
        answered = False
        row: Row = {}
        for line, offset, row in self._scan():
            if not self._index:
                self._resolve_names(row)
            answered = answered or any(self.get(row, name) is not None for name in ("output", "error", "tool_calls"))
            case = self._case_of(row, line)
            if "prompt" in self._selection.fields:
                case = _joined(case, self._prompt_of(row, line))
            sample = self._sample_of(row, line)
            if sample is None:
                sample = counts.get(case, 0)
                counts[case] = sample + 1
            self._add(case, sample, offset, line)
        if not self._index:
            raise self._nothing_found()
        if not answered:
            raise self._missing_field("output", row)
        self._first_sample = min(sample for _, sample in self._index)

    def _scan(self) -> Iterator[tuple[int, int, Row]]:
        """Yield line number, offset and row of each selected row; lines end at LF alone (U+2028 is text)."""
        digest = hashlib.sha256()
        offset = 0
        for line, data in enumerate(self._file, start=1):
            digest.update(data)
            text = data.rstrip(b"\r\n")
            if line == 1:
                text = text.removeprefix(b"\xef\xbb\xbf")
            if text.strip():
                row = self._parse(text, line)
                if self._selection.accepts(row):
                    yield line, offset, row
            offset += len(data)
        self.digest = digest.hexdigest()

    def _parse(self, text: bytes, line: int) -> Row:
        try:
            row = parse_json(text)
        except ValueError as error:
            raise self._error("recording-bad-line", f"the recording's line is no JSON: {error}", line=line) from error
        if not isinstance(row, dict):
            raise self._error("recording-bad-line", "the recording's line is no JSON object", line=line)
        return row

    def _resolve_names(self, row: Row) -> None:
        """Fix by the first row where case and sample stand: rows that differ there cannot be paired reliably."""
        case_field = self._field_of(row, "case")
        if case_field is None:
            raise self._missing_field("case", row)
        self._case_field = case_field
        self._sample_field = self._field_of(row, "sample")

    def _case_of(self, row: Row, line: int) -> str:
        name = self._case_field
        value = lookup(row, name)
        if value is None or isinstance(value, bool | dict | list):
            fix = f"available fields: {', '.join(row)}; name the right one with fields: {{case: ...}}"
            raise self._error("recording-field", f"no case id in field '{name}' of the recording", line=line, fix=fix)
        return str(value)

    def _prompt_of(self, row: Row, line: int) -> str:
        name = self._selection.fields["prompt"]
        value = lookup(row, name)
        if not isinstance(value, str):
            fix = f"available fields: {', '.join(row)}; name the right one with fields: {{prompt: ...}}"
            raise self._error(
                "recording-field", f"no prompt name in field '{name}' of the recording", line=line, fix=fix
            )
        return value

    def _sample_of(self, row: Row, line: int) -> int | None:
        name = self._sample_field
        if name is None:
            return None
        value = lookup(row, name)
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            number = -1
        if isinstance(value, bool) or number < 0 or number >= 2**62 or (isinstance(value, float) and value != number):
            message = f"field '{name}' of the recording is no sample number: {str(value)[:40]!r}"
            fix = "a whole number from 0 or 1; or name another field with fields: {sample: ...}"
            raise self._error("recording-field", message, line=line, fix=fix)
        return number

    def _add(self, case_id: str, sample: int, offset: int, line: int) -> None:
        known = self._index.setdefault((case_id, sample), offset)
        if known != offset:
            raise self._duplicate(case_id, sample, known, line)

    def _duplicate(self, case_id: str, sample: int, first_offset: int, line: int) -> UsageError:
        self._file.seek(0)
        first_line = self._file.read(first_offset).count(b"\n") + 1
        first, second = self._read(first_offset), self._row_at(line)
        differing = [
            f"where: {{{name}: {first[name]}}}"
            for name in first
            if name in second and isinstance(first[name], str) and first[name] != second[name]
            if name not in (self._case_field, self._field_of(first, "output"))
        ]
        return self._error(
            "recording-duplicate",
            f"two recorded outputs for case {_shown(case_id)}, sample {sample}: lines {first_line} and {line}",
            line=line,
            fix=f"keep the rows of one variant, such as {differing[0]}" if differing else "remove one of the two rows",
        )

    def _row_at(self, line: int) -> Row:
        self._file.seek(0)
        data = next(data for number, data in enumerate(self._file, start=1) if number == line)
        return self._parse(data.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf"), line)

    def _nothing_found(self) -> UsageError:
        if not self._selection.where:
            return self._error("recording-empty", "the recording holds no rows", fix="record outputs first")
        wanted = ", ".join(f"{name}: {value}" for name, value in self._selection.where.items())
        return self._error(
            "recording-no-match",
            f"no row of the recording matches where: {{{wanted}}}",
            details=tuple(self._values_of(name) for name in self._selection.where),
            fix="use values that the file has",
        )

    def _values_of(self, name: str) -> str:
        self._file.seek(0)
        lines = (data.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf") for data in self._file)
        rows = (parse_json(text) for text in lines if text.strip())
        values = dict.fromkeys(str(lookup(row, name)) for row in rows if _has(row, name))
        if not values:
            return f"no row has a field '{name}'"
        shown = ", ".join(list(values)[:_SHOWN])
        return f"'{name}' is one of: {shown}{', ...' if len(values) > _SHOWN else ''}"

    def _missing_field(self, name: str, row: Row) -> UsageError:
        return self._error(
            "recording-field",
            f"the recording has no field for the {name}",
            details=(f"its fields: {', '.join(row)}",),
            fix=f"name it with fields: {{{name}: ...}}",
        )

    def _error(
        self, slug: str, message: str, *, line: int | None = None, details: tuple[str, ...] = (), fix: str | None = None
    ) -> UsageError:
        where = Location(path=str(self.path), line=line)
        return UsageError(Problem(slug=slug, message=message, where=where, details=details, fix=fix))


def _open(path: Path) -> IO[bytes]:
    """Return a seekable file; a gzipped one is unpacked into a temporary file that vanishes when closed."""
    try:
        return _unpack(path) if path.suffix == ".gz" else path.open("rb")
    except (OSError, EOFError, zlib.error) as error:
        problem = Problem(
            slug="recording-unreadable",
            message=f"cannot read the recording: {_reason(error)}",
            where=Location(path=str(path)),
            fix="the path is relative to the file that names it",
        )
        raise UsageError(problem) from error


def _reason(error: Exception) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else str(error)


def _unpack(path: Path) -> IO[bytes]:
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the recording closes it
    try:
        with gzip.open(path) as packed:
            shutil.copyfileobj(packed, unpacked)
    except BaseException:
        unpacked.close()
        raise
    unpacked.seek(0)
    return unpacked
