"""What a Python file's behaviour depends on: itself, and the project's own files that it imports."""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_MOST_FILES = 2_000  # a project is smaller; what lies beyond is as a rule a library


def code_hash(path: Path) -> str:
    """Return what tells two versions of a Python file apart: its bytes, and those of the project's files it imports.

    Imports are followed where they are written, in functions too, through files beside the first one and on Python's
    search path; installed libraries and what is imported by a computed name are left out. A file without such imports
    has the hash of its bytes alone.

    Raises:
        OSError: the file cannot be read.
    """
    own = path.read_bytes()
    digest = hashlib.sha256(own)
    for name, _, content in sorted(_imported(path, own)):
        digest.update(f"\0{name}\0".encode())
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def imported_files(path: Path) -> list[tuple[Path, Path]]:
    """Return every file of the project that a Python file imports, directly or not, after the folder it was found in.

    Raises:
        OSError: the file cannot be read.
    """
    found = [(name.count("."), file) for name, file, _ in _imported(path, path.read_bytes())]
    return [(file.parents[dots + (file.name == "__init__.py")], file) for dots, file in found]


def _imported(path: Path, own: bytes) -> Iterator[tuple[str, Path, bytes]]:
    """Yield dotted name, path and content of every file of the project that a file imports, directly or not."""
    folders = _folders(path.resolve().parent)
    waiting = list(_names(own, ""))
    seen: set[str] = set()
    while waiting and len(seen) < _MOST_FILES:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _find(name, folders)
        try:
            content = file.read_bytes() if file is not None else None
        except OSError:  # the import will say so
            continue
        if file is not None and content is not None:
            yield name, file, content
            waiting += _names(content, name if file.name == "__init__.py" else name.rpartition(".")[0])


def _names(content: bytes, package: str) -> Iterator[str]:
    """Yield the dotted names that a file's imports may load; nothing where it is no Python."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_parents(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            start = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            yield from _with_parents(module)
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _with_parents(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1) if parts[0])


def _find(name: str, folders: Sequence[Path]) -> Path | None:
    """Return the project's file of a module, None for a library's or for a name that is no module."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:  # retest's own version is recorded anyway
        return None
    inside = Path(*name.split("."))
    for folder in folders:
        for file in (folder / inside / "__init__.py", folder / inside.with_name(f"{inside.name}.py")):
            if file.is_file():
                return file
    return None


def _folders(beside: Path) -> list[Path]:
    """Return where the project's modules are: beside a file, and on Python's search path but for libraries."""
    search = [Path(entry).resolve() for entry in sys.path if entry]
    return [beside, *(folder for folder in dict.fromkeys(search) if folder != beside and not _is_library(folder))]


@cache
def _library_folders() -> tuple[Path, ...]:
    return tuple({Path(path).resolve() for name, path in sysconfig.get_paths().items() if "lib" in name})


def _is_library(folder: Path) -> bool:
    if {"site-packages", "dist-packages"} & set(folder.parts):
        return True
    return any(folder.is_relative_to(library) for library in _library_folders())
