"""JSON and JSON Lines, read row by row; the files never stand in memory whole."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import IO, Any, NoReturn

import orjson

from retest.errors import Location, Problem
from retest.suites.dataset_bytes import encoding_of, open_bytes, open_text
from retest.suites.dataset_options import DatasetFile

# orjson turns integers beyond 64 bits into floats; lines that may hold one go to the slower, exact reader.
_LONG_NUMBER = re.compile(rb"\d{19}")
_LONG_NUMBER_TEXT = re.compile(r"\d{19}")
_BOM = b"\xef\xbb\xbf"
_CHUNK = 1 << 16
_GENUINE = 64  # an error this far before the end of what was read is no matter of reading more
_BLANK = re.compile(r"[ \t\r\n]*")

ParsedRow = tuple[Any, Location]


def jsonl_rows(file: DatasetFile) -> Iterator[ParsedRow | Problem]:
    r"""Yield each line's value and place; lines end at ``\n`` only, so U+2028 inside a text is no line end."""
    if encoding_of(file) == "utf-8":
        yield from _utf8_lines(file)
        return
    with open_text(file, newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            text = line.removeprefix("\ufeff") if number == 1 else line
            if text.strip(" \t\r\n"):
                yield _parsed(text, file, number)


def _utf8_lines(file: DatasetFile) -> Iterator[ParsedRow | Problem]:
    display = file.display
    with open_bytes(file) as lines:
        for number, raw in enumerate(lines, 1):
            line = raw.removeprefix(_BOM) if number == 1 else raw
            if _LONG_NUMBER.search(line) is None:
                try:
                    yield orjson.loads(line), Location(path=display, line=number)
                except orjson.JSONDecodeError:
                    if line.strip():
                        yield _slowly(line, file, number)
            else:
                yield _slowly(line, file, number)


def _slowly(line: bytes, file: DatasetFile, number: int) -> ParsedRow | Problem:
    """Read a line that orjson refuses: it may be fine (a lone surrogate), or the error needs words and a column."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode("utf-8", "replace")) + 1
        return Problem(
            slug="dataset-encoding",
            message=f"the line is not utf-8: byte 0x{line[error.start]:02x} cannot stand here",
            where=Location(path=file.display, line=number, column=column),
            fix="declare the file's encoding, such as `encoding: cp932`",
        )
    return _parsed(text, file, number)


def _parsed(text: str, file: DatasetFile, number: int) -> ParsedRow | Problem:
    where = Location(path=file.display, line=number)
    try:
        return _decoder().decode(text.strip(" \t\r\n")), where
    except json.JSONDecodeError as error:
        is_array = number == 1 and text.lstrip().startswith("[")
        return Problem(
            slug="dataset-json",
            message=f"the line is not valid JSON: {error.msg}",
            where=Location(path=file.display, line=number, column=error.colno),
            fix="this looks like one JSON array: name it .json, or set `format: json`" if is_array else None,
        )
    except (ValueError, RecursionError) as error:
        return _refused(error, where)


class JsonRows:
    """Reads the rows of a JSON array, or of the one array in an object, in chunks of growing text."""

    def __init__(self, file: DatasetFile) -> None:
        self._file = file
        self._decoder = _decoder()
        self._text = ""
        self._position = 0
        self._line = 1
        self._column = 1
        self._ended = False

    def __iter__(self) -> Iterator[ParsedRow | Problem]:
        """Yield each element and its place; a syntax error ends the file, since nothing after it can be trusted."""
        with open_text(self._file, newline="") as stream:
            self._stream = stream
            try:
                yield from self._document()
            except json.JSONDecodeError as error:
                yield self._broken(error)
            except UnicodeError:
                raise  # a ValueError too, but `open_text` knows better what to say
            except (ValueError, RecursionError) as error:
                yield _refused(error, self._place())

    def _document(self) -> Iterator[ParsedRow | Problem]:
        opening = self._next()
        if opening == "\ufeff":
            self._skip(1)
            opening = self._next()
        if opening == "[":
            yield from self._array()
        elif opening == "{":
            yield from self._object()
            return
        elif opening:
            yield self._shape("the file must hold a JSON array of objects, or an object with one array")
        self._end()

    def _end(self) -> None:
        if self._next():
            self._fail("Extra data")

    def _object(self) -> Iterator[ParsedRow | Problem]:
        lists = 0
        self._skip(1)
        while self._next() != "}":
            key = self._value()
            if self._next() != ":" or not isinstance(key, str):
                self._fail("Expecting property name and ':'")
            self._skip(1)
            if self._next() == "[":
                lists += 1
                if lists > 1:
                    yield self._shape(f"the object holds a second array, '{key}': which one holds the rows?")
                    return
                yield from self._array()
            else:
                self._value()
            self._separate("}")
        self._skip(1)
        self._end()
        if lists == 0:
            yield self._shape("the object holds no array of rows")

    def _array(self) -> Iterator[ParsedRow]:
        self._skip(1)
        while self._next() != "]":
            where = self._place()
            yield self._value(), where
            self._separate("]")
        self._skip(1)

    def _separate(self, closing: str) -> None:
        found = self._next()
        if found == ",":
            self._skip(1)
            if self._next() == closing:
                self._fail("Expecting value")
        elif found != closing:
            self._fail(f"Expecting ',' or '{closing}'")

    def _value(self) -> Any:
        """Return the value at the position, reading on until it is whole."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except json.JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _GENUINE
                if not unterminated or not self._more():
                    raise
                continue
            if end < len(self._text) or not self._more():  # a number may go on in the next chunk
                self._skip(end - self._position)
                return value

    def _next(self) -> str:
        """Return the next character that is no blank, "" at the end of the file."""
        while True:
            blank = _BLANK.match(self._text, self._position)
            self._skip(blank.end() - self._position if blank else 0)
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._more():
                return ""

    def _skip(self, count: int) -> None:
        end = self._position + count
        breaks = self._text.count("\n", self._position, end)
        if breaks:
            self._line += breaks
            self._column = end - self._text.rfind("\n", self._position, end)
        else:
            self._column += count
        self._position = end

    def _more(self) -> bool:
        """Read as much again as is pending: a value of any size takes a number of attempts that is its logarithm."""
        if self._ended:
            return False
        pending = self._text[self._position :]
        added = self._stream.read(max(_CHUNK, len(pending)))
        if not added:
            self._ended = True
            return False
        self._text, self._position = pending + added, 0
        return True

    def _place(self) -> Location:
        return Location(path=self._file.display, line=self._line, column=self._column)

    def _fail(self, message: str) -> NoReturn:
        raise json.JSONDecodeError(message, self._text, self._position)

    def _broken(self, error: json.JSONDecodeError) -> Problem:
        if error.pos > self._position:
            self._skip(error.pos - self._position)
        is_lines = error.msg == "Extra data" and self._text[self._position : self._position + 1] == "{"
        return Problem(
            slug="dataset-json",
            message=f"this is not valid JSON: {error.msg}",
            where=self._place(),
            fix="one object per line is JSON Lines: name it .jsonl, or set `format: jsonl`" if is_lines else None,
        )

    def _shape(self, message: str) -> Problem:
        return Problem(slug="dataset-json", message=message, where=self._place(), fix="write [{...}, {...}]")

    _stream: IO[str]


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text} is too large")
    return number


def _refused(error: Exception, where: Location) -> Problem:
    message = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return Problem(slug="dataset-json", message=f"the row cannot be read: {message}", where=where)
