"""What every step of building one suite shares: its tree, what may be named, what went wrong so far."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, TypeAlias

from retest.domain.catalog import Catalog
from retest.errors import Location, Problem
from retest.suites.untrusted import UntrustedRules
from retest.suites.yaml_nodes import Entry, MapNode, Node, NodePath, ScalarNode, find, locate

RawEntry: TypeAlias = "tuple[NodePath, Mapping[str, Any]]"  # an entry's path in the suite and its content


@dataclass(slots=True, kw_only=True)
class SuiteScope:
    """One suite file while it is checked.

    Attributes:
        path: the suite file, absolute.
        display: the same as the user would type it.
        cwd: the folder that displayed paths are relative to.
        overridden: paths of the tree that ``--set`` wrote.
        rules: by what it is refused, where its revision is not trusted.
        problems: errors and warnings so far.
    """

    tree: MapNode
    path: Path
    display: str
    cwd: Path
    catalog: Catalog
    overridden: frozenset[NodePath] = frozenset()
    rules: UntrustedRules | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def base_dir(self) -> Path:
        """Folder that relative paths in the suite start at."""
        return self.path.parent

    def at(self, *path: str | int) -> Location:
        """Return where the value at a path stands."""
        return locate(self.tree, path)

    def key(self, *path: str | int) -> Location:
        """Return where the key at a path stands."""
        return locate(self.tree, path, key=True)

    def node(self, *path: str | int) -> Node | None:
        """Return the node at a path, None where there is none."""
        return find(self.tree, path)

    def has(self, *path: str | int) -> bool:
        """Return whether something stands at a path; a key left empty holds nothing."""
        node = find(self.tree, path)
        return node is not None and not (isinstance(node, ScalarNode) and node.value is None)

    def keys(self, *path: str | int) -> dict[str, Entry]:
        """Return the entries of the mapping at a path; none where there is no mapping."""
        node = find(self.tree, path)
        return dict(node.entries) if isinstance(node, MapNode) else {}

    def error(
        self, slug: str, message: str, where: Location | None, *, details: Sequence[str] = (), fix: str | None = None
    ) -> None:
        """Note an error."""
        self.problems.append(Problem(slug=slug, message=message, where=where, details=tuple(details), fix=fix))

    def warn(
        self, slug: str, message: str, where: Location | None, *, details: Sequence[str] = (), fix: str | None = None
    ) -> None:
        """Note a warning."""
        problem = Problem(slug=slug, message=message, where=where, details=tuple(details), fix=fix, severity="warning")
        self.problems.append(problem)

    def has_errors(self) -> bool:
        """Return whether anything so far forbids a run."""
        return any(problem.severity == "error" for problem in self.problems)

    def file(self, text: str) -> Path:
        """Return a path named in the suite, absolute, with ``..`` taken out but links kept."""
        return Path(os.path.normpath(self.base_dir / text))

    def shown(self, path: Path) -> str:
        """Return a path as the user would type it."""
        return display_path(path, self.cwd)


def display_path(path: Path, cwd: Path) -> str:
    """Return a path relative to `cwd` with forward slashes; absolute where it is far away."""
    try:
        relative = os.path.relpath(path, cwd)
    except ValueError:  # another drive on Windows
        return path.as_posix()
    shown = PurePath(relative)
    far = shown.parts[:3] == ("..", "..", "..")
    return path.as_posix() if far else shown.as_posix()
