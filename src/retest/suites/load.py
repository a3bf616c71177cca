"""Finds, reads, checks and builds suites; the one entry point of this package for workflows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from retest.domain.catalog import Catalog
from retest.domain.judge import JudgeSpec
from retest.domain.suite import Suite
from retest.domain.target import TargetSpec
from retest.errors import Location, Problem, RetestError, SuiteError
from retest.suites.build import build_suite
from retest.suites.discover import SUITES_FOLDER, SuiteFile, discover, matches, no_match, suite_file, suite_name
from retest.suites.judge_entries import build_judges
from retest.suites.overrides import Override, apply_overrides, parse_override
from retest.suites.recognise import has_suite_key
from retest.suites.scope import SuiteScope
from retest.suites.spec_problems import model_keys
from retest.suites.spec_reader import read_spec
from retest.suites.target_entries import build_targets
from retest.suites.untrusted import NamedByBase, UntrustedRules
from retest.suites.yaml_nodes import MapNode, Node, ScalarNode, find
from retest.suites.yaml_reader import read_yaml

MAX_SUITE_BYTES = 20_000_000  # a suite is held in memory, with the place of each value


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """Suites without errors, and everything that is wrong anywhere; a suite with an error is not in `suites`."""

    suites: tuple[Suite, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that forbid a run."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def checked(self) -> tuple[Suite, ...]:
        """Return the suites where nothing is wrong.

        Raises:
            SuiteError: every error found.
        """
        if self.errors:
            raise SuiteError(*self.errors)
        return self.suites


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parsed:
    """A suite file as read: its tree, or None with the problems why."""

    file: SuiteFile
    tree: MapNode | None = None
    source: str = ""
    problems: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """Return the suite's hierarchical name as far as the file tells it."""
        node = find(self.tree, ("name",)) if self.tree is not None else None
        own = node.text if isinstance(node, ScalarNode) and node.text else self.file.path.stem
        return suite_name(self.file.folder, own)


def load_suites(
    selectors: Sequence[str],
    catalog: Catalog,
    *,
    cwd: Path,
    overrides: Sequence[str] = (),
    folder: str = SUITES_FOLDER,
    rules: UntrustedRules | None = None,
) -> LoadResult:
    """Return the suites that selectors mean, checked offline: nothing is called and nothing is paid for.

    Args:
        selectors: files, folders, or prefixes of suite names; none means the project's suites folder.
        catalog: the metrics and providers that suites may name.
        cwd: where relative selectors start, and what displayed paths are relative to.
        overrides: ``path=value`` texts of ``--set``, applied to every suite.
        folder: the project's suites folder.
        rules: by what suites are refused, where their revision is not trusted.
    """
    changes, problems = _parse_overrides(overrides)
    found = discover(selectors, cwd, folder=folder)
    problems += found.problems
    parsed = [_parse(file, rules) for file in found.files]
    wanted = [item for item in parsed if item.file.prefixes is None or _is_wanted(item, item.file.prefixes)]
    for prefix in found.prefixes:
        if not any(matches(item.name, prefix) for item in wanted):
            problems.append(no_match(prefix, (item.name for item in parsed if _looks_like_suite(item)), cwd))
    suites = []
    for item in wanted:
        if item.tree is None:
            problems += item.problems
            continue
        scope = _scope(item, item.tree, catalog, cwd, changes)
        scope.rules = rules
        suite, more = _build(item, scope)
        problems += more
        suites += [suite] if suite is not None else []
    problems += _nothing_left(wanted, problems)
    problems += _same_names(suites)
    if len(changes) < len(overrides):
        suites = []  # an override that cannot be read was meant for each of them
    return LoadResult(suites=tuple(suites), problems=tuple(problems))


def is_suite(path: Path, cwd: Path) -> bool:
    """Return whether a file of the suites folder counts as a suite; one that cannot be read does."""
    parsed = _parse(suite_file(path, cwd))
    return parsed.tree is not None or any(problem.severity == "error" for problem in parsed.problems)


def read_named(
    selectors: Sequence[str], catalog: Catalog, *, cwd: Path, overrides: Sequence[str] = (), folder: str = SUITES_FOLDER
) -> NamedByBase:
    """Return what trusted suites name: endpoints with what is sent there, and judges with their limits.

    Nothing but the suite files is read, and what is wrong in them is passed over.
    """
    changes, _ = _parse_overrides(overrides)
    targets: list[TargetSpec] = []
    judges: list[JudgeSpec] = []
    for file in discover(selectors, cwd, folder=folder).files:
        item = _parse(file)
        if item.tree is not None:
            read = read_spec(_scope(item, item.tree, catalog, cwd, changes))
            found = build_targets(read.scope, read.entries("targets", "target"), read.spec.defaults)
            targets += [target.spec for target in found]
            judges += [judge.spec for judge in build_judges(read.scope, read.entries("judges"))]
    return NamedByBase.collect(targets, judges)


def _parse_overrides(texts: Iterable[str]) -> tuple[list[Override], list[Problem]]:
    changes: list[Override] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            changes.append(parse_override(text))
        except SuiteError as error:
            problems += error.problems
    return changes, problems


def _parse(file: SuiteFile, rules: UntrustedRules | None = None) -> _Parsed:
    reason = None if rules is None else rules.boundary.refusal(file.path)
    if reason is not None:
        return _Parsed(file=file, problems=(_elsewhere(file, reason),))
    try:
        size = file.path.stat().st_size
        if size > MAX_SUITE_BYTES:
            return _Parsed(file=file, problems=(_too_large(file, size),))
        data = file.path.read_bytes()
        tree = read_yaml(data, file.display)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = Problem(
            slug="suite-unreadable", message=f"cannot read the suite: {reason}", where=Location(path=file.display)
        )
        return _Parsed(file=file, problems=(problem,))
    except SuiteError as error:
        return _Parsed(file=file, problems=error.problems)
    source = data.decode("utf-8-sig", "replace")
    if isinstance(tree, MapNode) and (file.explicit or has_suite_key(tree)):
        return _Parsed(file=file, tree=tree, source=source)
    return _Parsed(file=file, source=source, problems=(_no_suite(file, tree),))


def _elsewhere(file: SuiteFile, reason: str) -> Problem:
    return Problem(
        slug="untrusted-path",
        message=f"an untrusted suite file may not be read: {reason}",
        where=Location(path=file.display),
        details=("links are followed to what they lead to",),
        fix="put the file itself where the link is",
    )


def _too_large(file: SuiteFile, size: int) -> Problem:
    return Problem(
        slug="suite-unreadable",
        message=f"the suite has {size:,} bytes; the limit is {MAX_SUITE_BYTES:,}",
        where=Location(path=file.display),
        fix="put the cases into a dataset file, which is streamed",
    )


def _no_suite(file: SuiteFile, tree: Node) -> Problem:
    """Return the problem of a YAML file that is something else; met in a folder it is only passed over."""
    return Problem(
        slug="suite-not-a-suite",
        message=f"{file.display} is no suite: a suite is a mapping with prompts, dataset, targets and metrics",
        where=tree.where,
        fix=None if file.explicit else "keep other files out of the suites folder, or start their names with _",
        severity="error" if file.explicit else "warning",
    )


def _is_wanted(item: _Parsed, prefixes: Iterable[str]) -> bool:
    return any(matches(item.name, prefix) for prefix in prefixes)


def _looks_like_suite(item: _Parsed) -> bool:
    return item.tree is not None


def _scope(item: _Parsed, tree: MapNode, catalog: Catalog, cwd: Path, changes: Sequence[Override]) -> SuiteScope:
    scope = SuiteScope(tree=tree, path=item.file.path, display=item.file.display, cwd=cwd, catalog=catalog)
    if changes:
        _override(scope, changes)
    return scope


def _build(item: _Parsed, scope: SuiteScope) -> tuple[Suite | None, tuple[Problem, ...]]:
    suite = build_suite(scope, folder=item.file.folder, source=item.source)
    return suite, tuple(sorted(scope.problems, key=partial(_reading_order, item.file.display)))


def _reading_order(display: str, problem: Problem) -> tuple[bool, int, int]:
    """Put the suite's own problems first, from top to bottom; those of other files keep their order."""
    where = problem.where
    if where is None or where.path != display:
        return (True, 0, 0)
    return (False, where.line or 0, where.column or 0)


def _override(scope: SuiteScope, changes: Sequence[Override]) -> None:
    def option_keys(provider: str) -> Collection[str]:
        info = scope.catalog.providers.get(provider)
        try:
            return model_keys(info.options()) if info is not None else ()
        except RetestError:  # an optional library is missing, which building the target reports
            return ()

    changed = apply_overrides(scope.tree, changes, option_keys)
    scope.tree = changed.tree
    scope.overridden = changed.paths
    scope.problems.extend(changed.problems)


def _nothing_left(wanted: Sequence[_Parsed], problems: Sequence[Problem]) -> list[Problem]:
    """Return an error where every file was passed over: finding nothing must never look like success."""
    if any(item.tree is not None for item in wanted) or any(problem.severity == "error" for problem in problems):
        return []
    return [Problem(slug="suite-none-found", message="no file that was found is a suite")]


def _same_names(suites: Sequence[Suite]) -> list[Problem]:
    first: dict[str, Suite] = {}
    problems = []
    for suite in suites:
        other = first.setdefault(suite.name, suite)
        if other is not suite:
            problems.append(
                Problem(
                    slug="suite-duplicate-name",
                    message=f"two suites are called '{suite.name}', and their runs would mix",
                    where=Location(path=suite.path),
                    details=(f"the other is {other.path}",),
                    fix="give one of them another `name`",
                )
            )
    return problems
