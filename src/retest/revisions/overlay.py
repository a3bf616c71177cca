"""A folder as it is, but for some files that are as they were; nothing is copied but those."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath


@contextmanager
def open_overlay(root: Path, texts: Mapping[str, str]) -> Iterator[Path]:
    """Yield a temporary folder with everything of `root`, and these texts in the place of the files of their names.

    What is not replaced is a link into `root`, so that a large dataset costs nothing.

    Args:
        root: the folder.
        texts: path below `root`, with slashes -> text.

    Raises:
        ValueError: a path leads out of the folder.
    """
    for path in texts:
        parts = PurePosixPath(path).parts
        if not parts or PurePosixPath(path).is_absolute() or ".." in parts:
            raise ValueError(f"'{path}' is not below {root}")
    folder = Path(tempfile.mkdtemp(prefix="retest-")).resolve()
    try:
        _mirror(root, folder, {PurePosixPath(path).parts: text for path, text in texts.items()})
        (folder / ".git").mkdir(exist_ok=True)  # marks the root, without which settings are looked for further up
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mirror(source: Path, folder: Path, texts: Mapping[tuple[str, ...], str]) -> None:
    """Link every entry of a folder; make those anew that are replaced, or hold something that is."""
    folder.mkdir(exist_ok=True)
    own = {parts[0]: text for parts, text in texts.items() if len(parts) == 1}
    deeper = {parts[0] for parts in texts if len(parts) > 1}
    for entry in source.iterdir() if source.is_dir() else ():
        if entry.name not in own and entry.name not in deeper and entry.name != ".git":
            (folder / entry.name).symlink_to(entry.resolve())
    for name in deeper:
        below = {parts[1:]: text for parts, text in texts.items() if len(parts) > 1 and parts[0] == name}
        _mirror(source / name, folder / name, below)
    for name, text in own.items():
        (folder / name).write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
