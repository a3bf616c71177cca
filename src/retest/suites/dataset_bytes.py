"""Dataset files as bytes and text: gzip, encodings, byte order marks, and where bytes are no text."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from retest.errors import Location, Problem, SuiteError
from retest.suites.dataset_options import DatasetFile
from retest.suites.suggestions import did_you_mean

_UTF8_NAMES = {"utf-8", "utf-8-sig"}
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COMMON = ("utf-8", "utf-16", "cp932", "shift_jis", "euc_jp", "iso2022_jp", "latin-1", "cp1252", "gb18030", "big5")
_CHUNK = 1 << 16
_GUESSES = ("utf-8", "cp932", "euc_jp", "gb18030")


@contextmanager
def open_bytes(file: DatasetFile) -> Iterator[IO[bytes]]:
    """Open a dataset file, unpacked where its name ends in ``.gz``.

    Raises:
        SuiteError: it is not there, cannot be read, or is damaged; also while it is read.
    """
    try:
        with file.path.open("rb") as raw:
            if file.path.suffix.lower() == ".gz":
                with gzip.open(raw) as unpacked:
                    yield unpacked  # type: ignore[misc]  # GzipFile reads bytes, its type says something wider
            else:
                yield raw
    except FileNotFoundError:
        raise SuiteError(_missing(file)) from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SuiteError(_unreadable(file, f"the file is no intact gzip file ({error})")) from None
    except OSError as error:
        raise SuiteError(_unreadable(file, f"cannot be read: {error.strerror or error}")) from None


def encoding_of(file: DatasetFile) -> str:
    """Return the codec's name: the declared one, UTF-16 where the file begins with its mark, else UTF-8.

    Raises:
        SuiteError: no text encoding of that name.
    """
    if file.encoding is None:
        with open_bytes(file) as stream:
            return "utf-16" if stream.read(2) in _UTF16_MARKS else "utf-8"
    try:
        "".encode(file.encoding)
        name = codecs.lookup(file.encoding).name
    except LookupError:
        raise SuiteError(
            Problem(
                slug="dataset-encoding",
                message=f"unknown encoding '{file.encoding}'",
                where=Location(path=file.display),
                details=(f"for example: {', '.join(_COMMON)}",),
                fix=did_you_mean(file.encoding, _COMMON),
            )
        ) from None
    return "utf-8" if name in _UTF8_NAMES else name


@contextmanager
def open_text(file: DatasetFile, *, newline: str) -> Iterator[IO[str]]:
    """Open a dataset file as text without a byte order mark; `newline` as for `io.TextIOWrapper`.

    Raises:
        SuiteError: as `open_bytes`, and where the bytes are not in the encoding, with the line.
    """
    encoding = encoding_of(file)
    try:
        with open_bytes(file) as stream:
            codec = "utf-8-sig" if encoding == "utf-8" else encoding
            yield io.TextIOWrapper(stream, encoding=codec, newline=newline)
    except UnicodeError as error:
        raise SuiteError(undecodable(file, encoding, error)) from None


def undecodable(file: DatasetFile, encoding: str, error: UnicodeError) -> Problem:
    """Return the problem of bytes that are not in the encoding, with line and column of the first of them."""
    line, column = _place(file, encoding)
    guess = _guess(file, encoding)
    declared = "declared" if file.encoding else "assumed"
    return Problem(
        slug="dataset-encoding",
        message=f"the file is not {encoding}, the {declared} encoding: {getattr(error, 'reason', error)}",
        where=Location(path=file.display, line=line, column=column),
        fix=f"it reads as {guess}: set `encoding: {guess}`" if guess else "set `encoding:` to the file's own",
    )


def _place(file: DatasetFile, encoding: str) -> tuple[int, int]:
    decoder = codecs.getincrementaldecoder(encoding)()
    line, column = 1, 1
    with open_bytes(file) as stream:
        while chunk := stream.read(_CHUNK):
            text, failed = _decoded(decoder, chunk, encoding)
            line += text.count("\n")
            column = len(text) - text.rfind("\n") if "\n" in text else column + len(text)
            if failed:
                break
    return line, column


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes, encoding: str) -> tuple[str, bool]:
    """Return what could be decoded, and whether that is not all."""
    try:
        return decoder.decode(chunk), False
    except UnicodeDecodeError as error:
        return error.object[: error.start].decode(encoding, "replace"), True
    except UnicodeError:  # UTF-16 or UTF-32 without its mark: nothing can be decoded
        return "", True


def _guess(file: DatasetFile, tried: str) -> str | None:
    """Return an encoding that the whole file (its first 16 MB) can be read in."""
    with open_bytes(file) as stream:
        data = stream.read(1 << 24)
    for encoding in _GUESSES:
        if encoding != tried and b"\0" not in data:
            decoder = codecs.getincrementaldecoder(encoding)()
            try:
                decoder.decode(data)
            except UnicodeDecodeError:
                continue
            return encoding
    return None


def _missing(file: DatasetFile) -> Problem:
    folder = file.path.parent
    siblings = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return Problem(
        slug="dataset-file-missing",
        message=f"the dataset file {file.display} does not exist",
        where=Location(path=file.display),
        fix=did_you_mean(file.path.name, siblings) or "paths start at the folder of the file that names them",
    )


def _unreadable(file: DatasetFile, message: str) -> Problem:
    return Problem(slug="dataset-unreadable", message=message, where=Location(path=file.display))
