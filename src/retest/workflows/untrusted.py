"""Guards against a revision that nobody has read: its suites are held against the base that it would be merged into."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.target import TargetSpec
from retest.errors import Location, Problem, SuiteError, UsageError
from retest.suites.boundary import Boundary, real_roots
from retest.suites.untrusted import Connection, NamedByBase, UntrustedRules

if TYPE_CHECKING:
    from retest.domain.catalog import Catalog
    from retest.revisions.git import Repository, Revision
    from retest.workflows.ci_origin import CiOrigin

_READ_OF_BASE = (".yaml", ".yml", ".toml")  # suites and settings; no prompt, dataset or code of it is needed


@dataclass(frozen=True, slots=True, kw_only=True)
class Untrusted:
    """The files at hand are a stranger's.

    Attributes:
        roots: of the checkout, real paths; nothing else is read for its suites.
        repository: that the checkout belongs to; None where there is none.
        base: the trusted revision; None where none is known.
        why_no_base: for messages.
        calls: the command may call endpoints.
    """

    roots: tuple[Path, ...]
    repository: Repository | None = None
    base: Revision | None = None
    why_no_base: str = ""
    calls: bool = True

    @property
    def boundary(self) -> Boundary:
        """Return what may be read."""
        return Boundary(roots=self.roots)

    def at(self, *folders: Path) -> Untrusted:
        """Return the same for a copy of a revision's files."""
        return replace(self, roots=real_roots(*folders))

    def vouches_for(self, commit: str | None) -> bool:
        """Return whether a commit is the base, or part of its history: then it has been trusted before."""
        if commit is None or self.base is None or self.repository is None:
            return False
        from retest.revisions.git import run_git  # needed only where the files are a stranger's, as all of git here

        done = run_git(self.repository.root, "merge-base", "--is-ancestor", commit, self.base.commit, check=False)
        return done.returncode == 0

    def rules(self, catalog: Catalog, selectors: Sequence[str], overrides: Sequence[str]) -> UntrustedRules:
        """Return by what suites are refused; what the base names is read from git.

        Args:
            catalog: the providers that suites may name.
            selectors: of the command; suites that it names beside the suites folder count there too.
            overrides: the command's own, which are trusted: they apply to the base's suites as well.
        """
        if self.base is None or self.repository is None:
            return UntrustedRules(boundary=self.boundary, base=self.why_no_base, calls=self.calls)
        named = self._named(self.repository, self.base.commit, catalog, selectors, overrides)
        shown = self.base.label if self.base.label == self.base.commit else f"{self.base.label} ({self.base.short})"
        return UntrustedRules(boundary=self.boundary, named=named, base=shown[:60], calls=self.calls)

    def vet_stored(self, spec: TargetSpec) -> None:
        """Refuse a target that no checked suite names, but a file of the checkout, where the base does not name it.

        Raises:
            SuiteError: its connection is none of the base's.
        """
        from retest.workflows.catalog import load_catalog

        if spec.where is not None or spec.provider == "replay":
            return
        named = self.rules(load_catalog(), [], []).named or NamedByBase()
        own = Connection.of(spec.provider, spec.options)
        if not any(known.provider == own.provider and not own.differs_in(known) for known in named.connections):
            raise SuiteError(
                Problem(
                    slug="untrusted-endpoint",
                    message=f"'{spec.name}' is stored with an endpoint that no suite of the base revision names",
                    details=(self.why_no_base,) if self.why_no_base else (),
                    fix="name the trusted revision with --base; or read the change and run with --no-untrusted",
                )
            )

    def _named(
        self, repository: Repository, commit: str, catalog: Catalog, selectors: Sequence[str], overrides: Sequence[str]
    ) -> NamedByBase:
        from retest.revisions.snapshot import open_snapshot
        from retest.suites.load import read_named
        from retest.workflows.untrusted_settings import base_settings

        with open_snapshot(repository, commit, suffixes=_READ_OF_BASE) as snapshot:
            settings = base_settings(snapshot.cwd)
            folder = "evals" if settings is None else str(settings["suites"])
            chosen = [self._within(selector, snapshot.root) for selector in selectors]
            there = [each for each in chosen if (snapshot.cwd / each).exists()]
            whole = read_named([], catalog, cwd=snapshot.cwd, overrides=overrides, folder=folder)
            more = read_named(there, catalog, cwd=snapshot.cwd, overrides=overrides) if there else NamedByBase()
        return NamedByBase(connections=(*whole.connections, *more.connections), judges=(*whole.judges, *more.judges))

    def _within(self, selector: str, root: Path) -> str:
        """Return a selector that names the same place in the copy of the base."""
        path = Path(selector)
        own = next((own for own in self.roots if path.is_absolute() and path.is_relative_to(own)), None)
        return selector if own is None else str(root / path.relative_to(own))


def find_untrusted(cwd: Path, project: Path, origin: CiOrigin, base: str | None, *, calls: bool = True) -> Untrusted:
    """Return the guard for a checkout.

    Args:
        cwd: where the command runs.
        project: the project's root, which bounds the checkout where there is no repository.
        origin: what the CI says.
        base: the trusted revision as the command names it; None leaves it to the CI.
        calls: the command may call endpoints.

    Raises:
        UsageError: the command names a base that this clone does not have.
    """
    from retest.revisions.git import find_repository

    try:
        repository = find_repository(cwd)
    except UsageError as error:
        if base is not None:
            raise
        return Untrusted(roots=real_roots(project), why_no_base=error.problems[0].message, calls=calls)
    found, why = _find_base(repository, origin, base)
    return Untrusted(roots=real_roots(repository.root), repository=repository, base=found, why_no_base=why, calls=calls)


def _find_base(repository: Repository, origin: CiOrigin, base: str | None) -> tuple[Revision | None, str]:
    if base is not None:
        return repository.resolve(base), ""
    for name in origin.bases:
        if repository.names_commit(name):
            return repository.resolve(name), ""
    if origin.bases:
        return None, f"this clone has none of {', '.join(origin.bases)}"
    return None, "neither --base nor a CI's environment names one"


def may_open(untrusted: Untrusted | None, spec: TargetSpec, *, runs_code: bool) -> None:
    """Refuse a target or judge that runs code of an untrusted revision, wherever its definition was kept.

    Raises:
        SuiteError: it does.
    """
    if untrusted is not None and (runs_code or (spec.provider == "local" and spec.options.get("path") is not None)):
        raise SuiteError(code_refused(f"'{spec.name}'", spec.provider, spec.where))


def refuse_links(untrusted: Untrusted | None, cwd: Path, paths: Iterable[Path]) -> None:
    """Refuse files that a command reads or writes in an untrusted checkout where the checkout has links out of it.

    Raises:
        UsageError: one is.
    """
    if untrusted is None:
        return
    for path in paths:
        if untrusted.boundary.leads_out(Path(os.path.realpath(cwd)) / path):
            raise UsageError(
                Problem(
                    slug="untrusted-path",
                    message="the untrusted revision has a link out of its checkout where the command names a file",
                    where=Location(path=str(path)),
                    fix="name a file outside the checkout, or one that the revision does not have",
                )
            )


def code_refused(what: str, kind: str, where: Location | None = None) -> Problem:
    """Return the problem of something that would run code of an untrusted revision."""
    return Problem(
        slug="untrusted-code",
        message=f"{what} runs code (`{kind}`), which an untrusted revision may not",
        where=where,
        details=("nothing of it was loaded",),
        fix="read the code, then run the command with --no-untrusted",
    )


def readable(untrusted: Untrusted | None, path: Path, shown: str, what: str) -> None:
    """Refuse a file of an untrusted checkout that is a link out of it.

    Raises:
        UsageError: it is.
    """
    reason = None if untrusted is None else untrusted.boundary.refusal(path)
    if reason is not None:
        raise UsageError(
            Problem(
                slug="untrusted-path",
                message=f"the {what} of an untrusted revision may not be read: {reason}",
                where=Location(path=shown),
                details=("links are followed to what they lead to",),
                fix="put the file itself where the link is",
            )
        )
