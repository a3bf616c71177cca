"""Standard output and error that never change what a command comes to: a reader may go, a disk may be full."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class _Forgiving(io.FileIO):
    """Drops what cannot be written, and remembers why."""

    lost: OSError | None = None

    def write(self, data: object, /) -> int:
        """Write, or do as if."""
        if self.lost is None:
            try:
                return super().write(data)  # type: ignore[arg-type]  # what a buffer hands down
            except OSError as error:
                self.lost = error
        return memoryview(data).nbytes  # type: ignore[arg-type]  # as above


class Outputs:
    """The two streams of this process, once `take` has put them in place."""

    def __init__(self) -> None:
        self._out: _Forgiving | None = None

    def take(self) -> None:
        """Let nothing that is printed from now on raise for want of a reader, of space, or of a stream at all.

        A console of another encoding shows a mark instead of failing.
        """
        _open_closed_streams()
        sys.stdout, self._out = _forgiving(sys.stdout)
        sys.stderr, _ = _forgiving(sys.stderr)

    def lost(self) -> OSError | None:
        """Write out what is still held, and return why something of the output is lost.

        None where all was written, and where the reader has seen enough (``retest show | head``).
        """
        if self._out is None:
            return None
        sys.stdout.flush()
        return None if isinstance(self._out.lost, BrokenPipeError) else self._out.lost


def _open_closed_streams() -> None:
    """Lead standard streams that whoever started this process had closed (``retest gate --json >&-``) to nowhere.

    Their descriptors first: the next file that is opened would get one, and what a child prints would be in it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - a device, open until the end
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _forgiving(stream: TextIO) -> tuple[TextIO, _Forgiving | None]:
    """Return the stream made anew over its file; as it is where it is none (closed, or a test's)."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None
    try:
        stream.flush()
        raw = _Forgiving(stream.fileno(), "wb", closefd=False)
    except (OSError, ValueError):
        return stream, None
    made = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return made, raw
