"""What a pytest session knows of suites: each is run and judged once, under xdist by the controller alone."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from retest.domain.json_value import content_hash
from retest.integrations.pytest_names import GATE, split_node_id
from retest.integrations.pytest_verdicts import SuiteVerdict, judge_suite
from retest.report.escape import one_line
from retest.workflows.check import recognise_suite
from retest.workflows.gate_suite import GateJob
from retest.workflows.run import RunOptions
from retest.workflows.settings import load_settings
from retest.workflows.trust import find_guard, guarded_load
from retest.workflows.waivers import read_waivers, waiver_file
from retest.workflows.workspace import Workspace

_FOLDER = "retest_folder"  # key of what a worker is told: where the controller puts the verdicts
_ALL_CASES = 1_000_000


class SuiteSession:
    """The verdicts of a session, each made once, when first asked for.

    Raises:
        RetestError: a setting or a waiver is wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        cwd = config.invocation_params.dir
        guard = find_guard(cwd, os.environ)
        settings = load_settings(cwd, os.environ) if guard is None else guarded_load(cwd, os.environ, guard)
        self.workspace = Workspace(
            cwd=cwd, settings=settings, env=os.environ, command="pytest --retest", untrusted=guard
        )
        self._job = GateJob(
            workspace=self.workspace,
            options=RunOptions(offline=not config.getoption("retest_live")),
            baseline=config.getoption("retest_baseline"),
            waivers=read_waivers(waiver_file(cwd)),
            shown_cases=_ALL_CASES,
        )
        told: str | None = getattr(config, "workerinput", {}).get(_FOLDER)
        self._is_worker = told is not None
        self._folder = Path(told) if told else Path(tempfile.mkdtemp(prefix="retest-"))
        self._names: dict[str, Path] = {}
        self._selected: defaultdict[Path, set[str]] = defaultdict(set)
        self._outcomes: defaultdict[Path, dict[str, str]] = defaultdict(dict)

    def namesake(self, name: str, path: Path) -> Path | None:
        """Return the other file of this session whose suite has the same name, None for the first or only one."""
        first = self._names.setdefault(name, path)
        return None if first == path else first

    def verdict(self, path: Path) -> SuiteVerdict:
        """Return the verdict on the suite in a file; a worker reads what the controller decided."""
        file = self._folder / f"{content_hash(str(path))[:24]}.json"
        if not file.exists() and not self._is_worker:
            file.write_text(json.dumps(judge_suite(path, self._job, self._only(path)).document()), encoding="utf-8")
        if not file.exists():
            return SuiteVerdict.unjudged("the controller has not judged this suite")
        return SuiteVerdict.of(json.loads(file.read_text("utf-8")))

    def _only(self, path: Path) -> frozenset[str] | None:
        """Return the items that a live suite is narrowed to: without its gate, other cases are not paid for."""
        names = frozenset(self._selected[path])
        return None if self._job.options.offline or not names or GATE in names else names

    def _select(self, node_ids: Iterable[str]) -> None:
        for node_id in node_ids:
            found = split_node_id(node_id)
            if found is not None:
                self._selected[self._path(found[0])].add(found[1])

    def _path(self, shown: str) -> Path:
        return Path(os.path.normpath(self._config.rootpath / shown))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is selected; the controller of xdist collects nothing itself."""
        self._select(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where the verdicts will be."""
        node.workerinput[_FOLDER] = str(self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Judge what was selected: no worker is given a test before every worker has collected."""
        self._select(ids)
        for path in sorted(self._selected):
            if recognise_suite(path, self.workspace):
                self.verdict(path)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how items of suites ended."""
        found = split_node_id(report.nodeid)
        if found is not None and report.when == "call":
            self._outcomes[self._path(found[0])][found[1]] = report.outcome

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session in which every item of a suite was skipped: nothing of it was tested."""
        if self._is_worker or session.exitstatus != pytest.ExitCode.OK:
            return
        if any(set(outcomes.values()) == {"skipped"} for outcomes in self._outcomes.values()):
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which gates did not run although cases of their suites did."""
        for path, outcomes in sorted(self._outcomes.items()):
            if GATE in outcomes or not recognise_suite(path, self.workspace):
                continue
            shown = one_line(os.path.relpath(path, self._config.rootpath))
            why = "not reached" if GATE in self._selected[path] else "not selected"
            few = "; only the selected cases were run" if self._only(path) else ""
            terminalreporter.write_line(f"retest: the gate of {shown} did not run ({why}){few}", yellow=True)

    def pytest_unconfigure(self) -> None:
        """Take the verdicts away."""
        if not self._is_worker:
            shutil.rmtree(self._folder, ignore_errors=True)
