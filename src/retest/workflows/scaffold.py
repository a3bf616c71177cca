"""Writes a small commented project that passes `retest check` and runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from retest.errors import Location, Problem, UsageError
from retest.report.json_report import dump_json
from retest.suites.schema import suite_json_schema
from retest.workflows.catalog import load_catalog

EXAMPLES = ("en", "ja")


def write_project(folder: Path, example: str) -> list[str]:
    """Write the example into a folder; return the paths written, relative to it.

    Raises:
        UsageError: a file is already there (nothing is written), or the example does not exist.
    """
    contents = dict(_files(example))
    contents["retest.schema.json"] = (dump_json(suite_json_schema(load_catalog())) + "\n").encode()
    taken = sorted(path for path in contents if (folder / path).exists())
    if taken:
        raise UsageError(
            Problem(
                slug="init-exists",
                message="files of that name are already here; nothing was written",
                where=Location(path=taken[0]),
                details=tuple(taken[1:]),
                fix="choose an empty folder: retest init FOLDER",
            )
        )
    for path, body in sorted(contents.items()):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    return sorted(contents)


def _files(example: str) -> Iterator[tuple[str, bytes]]:
    root = files("retest.scaffold")
    if example not in EXAMPLES:
        raise UsageError(
            Problem(
                slug="init-example",
                message=f"there is no example '{example}'",
                details=(f"examples: {', '.join(EXAMPLES)}",),
            )
        )
    yield from _walk(root / "common", "")
    yield from _walk(root / example, "")


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_bytes()
