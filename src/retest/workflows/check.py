"""Reads and checks suites offline: every problem of every file at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retest.domain.json_value import canonical_json
from retest.domain.suite import Suite
from retest.errors import Problem, RetestError, SuiteError, UsageError
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric
from retest.suites.discover import SUITES_FOLDER, project_root
from retest.suites.load import is_suite, load_suites
from retest.suites.recognise import reads_like_suite
from retest.suites.scope import display_path
from retest.workflows.catalog import load_catalog
from retest.workflows.untrusted import readable
from retest.workflows.workspace import Workspace

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The suites that are sound, and everything found on the way."""

    suites: tuple[Suite, ...] = ()
    problems: tuple[Problem, ...] = field(default_factory=tuple)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the problems that forbid a run."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Return the problems that a run only mentions."""
        return tuple(problem for problem in self.problems if problem.severity == "warning")


def check_suites(selectors: Sequence[str], workspace: Workspace, overrides: Sequence[str] = ()) -> CheckResult:
    """Read the suites that the selectors name, and check all that needs no call.

    Raises:
        UsageError: a selector matches nothing, or an override fits nowhere.
    """
    folder = str(workspace.settings["suites"])
    catalog, guard = load_catalog(), workspace.untrusted
    rules = None if guard is None else guard.rules(catalog, selectors, overrides)
    loaded = load_suites(selectors, catalog, cwd=workspace.cwd, overrides=overrides, folder=folder, rules=rules)
    problems = list(loaded.problems)
    sound: list[Suite] = []
    for suite in loaded.suites:
        problems.extend(_unset_variables(suite, workspace.env))
        found = (*_links_out(suite, workspace), *_metric_problems(suite))
        problems.extend(found)
        if not found:
            sound.append(suite)
    return CheckResult(suites=tuple(sound), problems=tuple(problems))


def stands_with_suites(path: Path, workspace: Workspace) -> bool:
    """Return whether a file is below the project's suites folder, or below any folder of the usual name."""
    root = project_root(workspace.cwd)
    if path.is_relative_to(root / str(workspace.settings["suites"])):
        return True
    return path.is_relative_to(root) and SUITES_FOLDER in path.relative_to(root).parent.parts


def recognise_suite(path: Path, workspace: Workspace) -> bool:
    """Return whether a YAML file is a suite, be it a broken one.

    Where suites belong, one key of a suite is enough, and a file that cannot be read counts; elsewhere it takes two.
    """
    if stands_with_suites(path, workspace):
        return is_suite(path, workspace.cwd)
    try:
        return reads_like_suite(path)
    except OSError:
        return False


def _links_out(suite: Suite, workspace: Workspace) -> Iterator[Problem]:
    """Yield the files kept beside a suite of an untrusted revision that are links out of its checkout."""
    if workspace.untrusted is None:
        return
    from retest.workflows.baseline_file import baseline_path
    from retest.workflows.calibration_files import calibration_path
    from retest.workflows.waivers import waiver_file

    cwd = workspace.cwd
    paths = {cwd / baseline_path(suite.path): "baseline file", waiver_file(cwd): "file of waivers"}
    judgings = [spec.judging for spec in suite.metrics if spec.judging is not None]
    paths |= {calibration_path(judging.definition, cwd): "calibration file" for judging in judgings}
    for path, what in paths.items():
        try:
            readable(workspace.untrusted, path, display_path(path, cwd), what)
        except UsageError as error:
            yield from error.problems


def _unset_variables(suite: Suite, env: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a warning per environment variable that an endpoint or header needs and that is not set here.

    A warning, for a suite is checked where its keys are not: a run refuses to start.
    """
    targets = {("target", arm.target.name): arm.target for arm in suite.arms}
    targets |= {("judge", judge.name): judge.target for judge in suite.judges}
    for (kind, _), target in targets.items():
        named = set(_VARIABLE.findall(canonical_json(dict(target.options)).decode()))
        for name in sorted(name for name in named if not env.get(name)):
            yield Problem(
                slug="suite-variable-unset",
                message=f"{kind} '{target.name}' needs the environment variable {name}, which is not set",
                where=target.where,
                fix=f"set {name} in the environment or in .env before `retest run`",
                severity="warning",
            )


def build_metrics(suite: Suite) -> dict[str, Metric[Any]]:
    """Return the suite's metrics by name.

    Raises:
        SuiteError: files that metrics need are missing or broken; all of them at once.
    """
    metrics: dict[str, Metric[Any]] = {}
    problems: list[Problem] = []
    for spec in suite.metrics:
        try:
            metrics[spec.name] = build_metric(spec)
        except RetestError as error:
            problems.extend(error.problems)
    if problems:
        for metric in metrics.values():
            metric.close()
        raise SuiteError(*problems)
    return metrics


def _metric_problems(suite: Suite) -> tuple[Problem, ...]:
    try:
        metrics = build_metrics(suite)
    except SuiteError as error:
        return error.problems
    for metric in metrics.values():
        metric.close()
    return ()
