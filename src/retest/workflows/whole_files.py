"""Files that are there as a whole or as they were before, whatever happens while they are written."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a whole file or nothing.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(text.encode("utf-8"))
        os.replace(temporary, path)  # noqa: PTH105 - atomic on every system, as Path.replace is documented not to be
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
