"""Files that a suite's targets and metrics name, taken along to nodes that do not have them.

A program, a recording, a schema, a Python file with the project's files that it imports. What a dataset, a prompt or a
suite is made of stays behind: calls come rendered, with their cases.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retest.domain.code_files import imported_files
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeSpec
from retest.domain.suite import MetricSpec, Suite
from retest.domain.target import TargetSpec

MOST_BYTES = 64_000_000  # of all files together; what is larger must be on each node


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file's content, and whether it is a program."""

    content: bytes
    mode: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Luggage:
    """Files by their absolute paths where the run was started; `search` are folders in which Python finds modules."""

    files: Mapping[str, TakenFile]
    search: tuple[str, ...] = ()

    def is_here(self) -> bool:
        """Return whether all files are on this machine, the same and in their places."""
        return all(_is_here(Path(name), file) for name, file in self.files.items())


def pack_files(suite: Suite, judges: Sequence[JudgeSpec]) -> Luggage:
    """Return the files that targets, judges and metrics name, as far as there is room for them."""
    named: dict[Path, None] = {}
    search: dict[str, None] = {}
    specs: list[TargetSpec | MetricSpec] = [arm.target for arm in suite.arms]
    specs += [*(judge.target for judge in judges), *suite.metrics]
    for spec in specs:
        for path in _named_files(spec.options, spec.base_dir.absolute()):
            named[path] = None
            for folder, file in imported_files(path) if path.suffix == ".py" else ():
                named[file] = None
                search[str(folder)] = None
    files: dict[str, TakenFile] = {}
    left = MOST_BYTES
    for path in named:
        content = path.read_bytes() if path.stat().st_size <= left else None
        if content is not None:
            left -= len(content)
            files[str(path)] = TakenFile(content, path.stat().st_mode & 0o777)
    return Luggage(files=files, search=tuple(search))


def unpack_files(
    luggage: Luggage, folder: Path, suite: Suite, judges: Sequence[JudgeSpec]
) -> tuple[Suite, Sequence[JudgeSpec]]:
    """Return suite and judges as they find their files in a folder of this node.

    Args:
        luggage: as it was packed.
        folder: empty.
        suite: names its files as where the run was started.
        judges: the same.
    """
    for name, file in luggage.files.items():
        path = _below(folder, Path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    sys.path += [str(_below(folder, Path(name))) for name in luggage.search]
    moved: dict[int, TargetSpec] = {}  # arms that share a target go on sharing it

    def target(spec: TargetSpec) -> TargetSpec:
        base_dir = _below(folder, spec.base_dir.absolute())
        base_dir.mkdir(parents=True, exist_ok=True)  # a path such as ../x passes through it
        return moved.setdefault(id(spec), replace(spec, base_dir=base_dir))

    arms = tuple(replace(arm, target=target(arm.target)) for arm in suite.arms)
    metrics = []
    for spec in suite.metrics:
        base_dir = _below(folder, spec.base_dir.absolute())
        base_dir.mkdir(parents=True, exist_ok=True)
        within = tuple(_below(folder, path.absolute()) for path in spec.within)
        metrics.append(replace(spec, base_dir=base_dir, within=within))
    return replace(suite, arms=arms, metrics=tuple(metrics)), [
        replace(judge, target=target(judge.target)) for judge in judges
    ]


def _below(folder: Path, path: Path) -> Path:
    """Return where a path of another machine is in the folder.

    Raises:
        ValueError: it leads out of the folder.
    """
    inside = Path(os.path.normpath(path))
    if ".." in inside.parts:  # of an absolute path nothing is left of them
        raise ValueError(f"{path} leads out of {folder}")
    return folder.joinpath(*inside.parts[1:]) if inside.is_absolute() else folder / inside


def _is_here(path: Path, file: TakenFile) -> bool:
    try:
        return path.read_bytes() == file.content
    except OSError:
        return False


def _named_files(options: Mapping[str, JsonValue], base_dir: Path) -> Iterator[Path]:
    """Yield the files that option values name by paths that start at a folder; ``file.py:function`` names its file."""
    for text in _texts(options):
        file, colon, function = text.rpartition(":")
        name = file if colon and function.replace(".", "").isidentifier() and file.endswith(".py") else text
        try:
            path = base_dir / name
            if name and not Path(name).is_absolute() and path.is_file():
                yield path
        except (OSError, ValueError):  # a text that is no path at all
            continue


def _texts(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
