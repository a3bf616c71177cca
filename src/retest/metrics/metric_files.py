"""Files that metrics need: found, read and hashed when a metric is built, before any call."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from retest.errors import Location, Problem, SuiteError


def resolved(path: str, base_dir: Path) -> Path:
    """Return a path of the options as the user would type it; relative ones start at `base_dir`."""
    return Path(os.path.normpath(base_dir / path))


def read_file(path: Path, *, metric: str, option: str) -> bytes:
    """Return the content of a file that a metric's option names.

    Raises:
        SuiteError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        problem = Problem(
            slug="metric-file-missing",
            message=f"metric '{metric}': there is no file {str(path)!r}",
            details=(f"option: {option}; relative paths start at the folder of the suite",),
            fix=did_you_mean(path.name, _siblings(path)),
        )
    except OSError as error:
        problem = Problem(
            slug="metric-file-unreadable",
            message=f"metric '{metric}': cannot read {str(path)!r}: {error.strerror or error}",
            where=Location(path=str(path)),
            details=(f"option: {option}",),
        )
    raise SuiteError(problem)


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """Return ``did you mean 'x'?`` for the closest known name, if one is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else None


def _siblings(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []
