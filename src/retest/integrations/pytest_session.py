"""What a pytest session knows of suites: each is run and judged once, under xdist by the controller alone."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from retest.domain.json_value import content_hash
from retest.integrations.pytest_verdicts import SuiteVerdict, judge_suite
from retest.workflows.gate_suite import GateJob
from retest.workflows.run import RunOptions
from retest.workflows.settings import load_settings
from retest.workflows.waivers import read_waivers, waiver_file
from retest.workflows.workspace import Workspace

_FOLDER = "retest_folder"  # key of what a worker is told: where the controller puts the verdicts
_ALL_CASES = 1_000_000


class SuiteSession:
    """The verdicts of a session, each made once, when first asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        cwd = config.invocation_params.dir
        self.workspace = Workspace(
            cwd=cwd, settings=load_settings(cwd, os.environ), env=os.environ, command="pytest --retest"
        )
        told: str | None = getattr(config, "workerinput", {}).get(_FOLDER)
        self._is_worker = told is not None
        self._folder = Path(told) if told else Path(tempfile.mkdtemp(prefix="retest-"))
        self._outcomes: set[str] = set()

    def verdict(self, path: Path) -> SuiteVerdict:
        """Return the verdict on the suite in a file; a worker reads what the controller decided."""
        file = self._folder / f"{content_hash(str(path))[:24]}.json"
        if not file.exists() and not self._is_worker:
            file.write_text(json.dumps(judge_suite(path, self._job()).document()), encoding="utf-8")
        if not file.exists():
            return SuiteVerdict.unjudged("the controller has not judged this suite")
        return SuiteVerdict.of(json.loads(file.read_text("utf-8")))

    def _job(self) -> GateJob:
        return GateJob(
            workspace=self.workspace,
            options=RunOptions(offline=not self._config.getoption("retest_live")),
            baseline=self._config.getoption("retest_baseline"),
            waivers=read_waivers(waiver_file(self.workspace.cwd)),
            shown_cases=_ALL_CASES,
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of xdist where the verdicts will be."""
        node.workerinput[_FOLDER] = str(self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Judge what was selected: no worker is given a test before every worker has collected."""
        files = {name.partition("::")[0] for name in ids}
        for name in sorted(files):
            if name.lower().endswith((".yaml", ".yml")):
                self.verdict(self._config.rootpath / name)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember how items of suites ended."""
        if report.nodeid.partition("::")[0].lower().endswith((".yaml", ".yml")) and report.when == "call":
            self._outcomes.add(report.outcome)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session in which every item of every suite was skipped: nothing was tested."""
        if self._is_worker:
            return
        if self._outcomes == {"skipped"} and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_unconfigure(self) -> None:
        """Take the verdicts away."""
        if not self._is_worker:
            shutil.rmtree(self._folder, ignore_errors=True)
