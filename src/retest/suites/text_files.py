"""Text files as people write them: UTF-8 with or without a byte order mark, any line ends."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retest.errors import Location, Problem

MAX_TEXT_BYTES = 10_000_000


@dataclass(slots=True, kw_only=True)
class UnreadableTextError(Exception):
    """A text file cannot be read; `line` and `column` are where its bytes are no UTF-8."""

    slug: str
    message: str
    display: str
    line: int | None = None
    column: int | None = None
    fix: str | None = None

    def problem(self, named_at: Location | None = None) -> Problem:
        """Return the problem, placed in the file where a line is known, else where the file was named."""
        in_file = Location(path=self.display, line=self.line, column=self.column)
        where = in_file if self.line is not None or named_at is None else named_at
        return Problem(slug=self.slug, message=self.message, where=where, fix=self.fix)


def read_text(path: Path, *, display: str) -> str:
    r"""Return the file's text, without a byte order mark and with ``\n`` as line end on every platform.

    Raises:
        UnreadableTextError: missing, a folder, too large, not UTF-8.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_TEXT_BYTES else b""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableTextError(
            slug="file-unreadable", message=f"cannot read {display}: {reason}", display=display
        ) from None
    if size > MAX_TEXT_BYTES:
        raise UnreadableTextError(
            slug="file-too-large",
            message=f"{display} has {size:,} bytes; the limit for a prompt or include is {MAX_TEXT_BYTES:,}",
            display=display,
        )
    return decode_text(data, display=display)


def decode_text(data: bytes, *, display: str) -> str:
    r"""Return UTF-8 bytes (UTF-16 where a byte order mark says so) as text with ``\n`` line ends.

    Raises:
        UnreadableTextError: not UTF-8.
    """
    encoding = "utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise UnreadableTextError(
            slug="file-not-utf8",
            message=f"{display} is not valid UTF-8 (byte 0x{data[error.start]:02x})",
            display=display,
            line=before.count(b"\n") + 1,
            column=len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1,
            fix="save the file as UTF-8",
        ) from None
    # Not splitlines(): U+2028 and U+0085 are characters of the text, not ends of lines.
    return text.replace("\r\n", "\n").replace("\r", "\n")
