"""Which suite files the selectors of a command mean: files, folders, or prefixes of suite names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path

from retest.errors import Location, Problem
from retest.suites.scope import display_path
from retest.suites.suggestions import did_you_mean, listing

SUFFIXES = (".yaml", ".yml")
SUITES_FOLDER = "evals"
_PROJECT_FILES = ("retest.toml", "pyproject.toml", ".git")


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteFile:
    """A file that may be a suite.

    Attributes:
        path: absolute.
        display: as the user would type it.
        folder: its folder below the suites root, ``support/ja``; empty at the root.
        explicit: the user named this very file, so it must be a suite.
        prefixes: only wanted where the suite's name starts with one of them; None where wanted in any case.
    """

    path: Path
    display: str
    folder: str
    explicit: bool = False
    prefixes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The files found, the selectors that are name prefixes, and what is wrong already."""

    files: tuple[SuiteFile, ...]
    prefixes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def discover(selectors: Sequence[str], cwd: Path, *, folder: str = SUITES_FOLDER) -> Discovery:
    """Return the files that selectors mean; none at all means the project's suites folder.

    Args:
        selectors: files, folders, patterns such as ``evals/*.yaml``, or prefixes of suite names (``support/ja``).
        cwd: where relative selectors start.
        folder: the project's suites folder, relative to the project's root.
    """
    root = project_root(cwd) / folder
    if not selectors:
        found = tuple(_in_folder(root, cwd))
        return Discovery(files=found, problems=() if found else (_no_suites(root, cwd),))
    finds = [_find(selector, cwd) for selector in selectors]
    problems = tuple(item for found in finds if found is not None for item in found if isinstance(item, Problem))
    named = [item for found in finds if found is not None for item in found if isinstance(item, SuiteFile)]
    prefixes = tuple(_clean(text) for text, found in zip(selectors, finds, strict=True) if found is None)
    if prefixes:
        named += [_with_prefixes(file, prefixes) for file in _in_folder(root, cwd)]
    return Discovery(files=tuple(_distinct(named)), prefixes=prefixes, problems=problems)


def project_root(cwd: Path) -> Path:
    """Return the nearest folder at or above `cwd` with retest.toml, pyproject.toml or .git; else `cwd`."""
    for folder in (cwd, *cwd.parents):
        if any((folder / name).exists() for name in _PROJECT_FILES):
            return folder
    return cwd


def suite_file(path: Path, cwd: Path, *, explicit: bool = False) -> SuiteFile:
    """Return a file with its place below the suites root: the nearest folder called ``evals``, else its own."""
    return SuiteFile(path=path, display=display_path(path, cwd), folder=_folder_name(path), explicit=explicit)


def matches(name: str, prefix: str) -> bool:
    """Return whether a suite name is `prefix` or stands below it."""
    return name == prefix or name.startswith(f"{prefix}/")


def no_match(prefix: str, known: Iterable[str], cwd: Path) -> Problem:
    """Return the problem of a selector that is neither a path nor the start of a suite's name."""
    names = sorted(known)
    paths = [entry.name for entry in cwd.iterdir()] if cwd.is_dir() else []
    return Problem(
        slug="suite-no-match",
        message=f"'{prefix}' matches no suite",
        details=(f"suites: {listing(names)}" if names else "there are no suites in the project's suites folder",),
        fix=did_you_mean(prefix, [*names, *_name_starts(names), *paths]),
    )


def _name_starts(names: Iterable[str]) -> set[str]:
    return {name[:end] for name in names for end in range(len(name)) if name[end] == "/"}


def _find(selector: str, cwd: Path) -> list[SuiteFile | Problem] | None:
    """Return what a path or pattern means, None for what can only be the start of a name."""
    path = Path(os.path.normpath(cwd / selector))
    try:
        for file in (path, *(path.with_name(path.name + suffix) for suffix in SUFFIXES if path.name)):
            if file.is_file():
                return [suite_file(file, cwd, explicit=True)]
        if path.is_dir():
            return list(_in_folder(path, cwd)) or [_no_suites(path, cwd)]
    except OSError:  # a name that no file can have, or a folder that may not be read
        return [_missing_file(path, cwd)]
    if "*" in selector:
        names = glob(str(path), recursive=True)  # noqa: PTH207 - Path.glob takes no pattern with a folder above `cwd`
        found = sorted(Path(name) for name in names if name.lower().endswith(SUFFIXES))
        return [suite_file(file, cwd, explicit=True) for file in found] or [_no_suites(path, cwd)]
    if path.suffix.lower() in SUFFIXES or selector.startswith((".", "/")):
        return [_missing_file(path, cwd)]
    return None


def _clean(prefix: str) -> str:
    return prefix.replace(os.sep, "/").strip("/")


def _in_folder(folder: Path, cwd: Path) -> Iterator[SuiteFile]:
    """Yield the YAML files below a folder; of a folder that holds an ``evals`` folder, only those in it."""
    inside = folder / SUITES_FOLDER
    start = inside if inside.is_dir() and SUITES_FOLDER not in folder.parts else folder
    for parent, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "_")))
        for name in sorted(names):
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith((".", "_")):
                yield suite_file(Path(parent, name), cwd)


def _folder_name(path: Path) -> str:
    folders = list(path.parent.parts)
    if SUITES_FOLDER not in folders:
        return ""
    nearest = len(folders) - 1 - folders[::-1].index(SUITES_FOLDER)
    return "/".join(folders[nearest + 1 :])


def _with_prefixes(file: SuiteFile, prefixes: tuple[str, ...]) -> SuiteFile:
    return SuiteFile(path=file.path, display=file.display, folder=file.folder, prefixes=prefixes)


def _distinct(files: Iterable[SuiteFile]) -> Iterator[SuiteFile]:
    """Yield each file once; one wanted in any case comes before one wanted by its name."""
    seen: set[Path] = set()
    for file in sorted(files, key=lambda file: (file.prefixes is not None, not file.explicit)):
        real = Path(os.path.realpath(file.path))
        if real not in seen:
            seen.add(real)
            yield file


def _no_suites(folder: Path, cwd: Path) -> Problem:
    return Problem(
        slug="suite-none-found",
        message=f"there are no suites in {display_path(folder, cwd)}",
        where=Location(path=display_path(folder, cwd)),
        fix="`retest init` writes a first one; a suite is a .yaml file",
    )


def _missing_file(path: Path, cwd: Path) -> Problem:
    shown = display_path(path, cwd)
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    missing = f"the suite file {shown} does not exist"
    fix = did_you_mean(path.name, siblings) or "give a suite file, a folder, or the start of a suite's name"
    return Problem(slug="suite-file-missing", message=missing, where=Location(path=shown), fix=fix)


def suite_name(folder: str, own: str) -> str:
    """Return a suite's hierarchical name; an own name that spells the folder out already is not doubled."""
    return own if not folder or own.startswith(f"{folder}/") else f"{folder}/{own}"
