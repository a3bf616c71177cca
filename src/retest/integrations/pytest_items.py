"""Suites as pytest collects them: a file, an item for each case, an item for the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retest.errors import RetestError
from retest.integrations.pytest_names import GATE, item_names
from retest.integrations.pytest_session import SuiteSession
from retest.report.escape import one_line
from retest.workflows.check import check_suites, recognise_suite, stands_with_suites


class NoSuiteWarning(pytest.PytestWarning):
    """A YAML file in the suites folder was passed over."""


def collect_suite(path: Path, parent: pytest.Collector, session: SuiteSession) -> SuiteFile | None:
    """Return the collector of a suite, None for a file that is none or that stands in a folder put aside."""
    if not parent.session.isinitpath(path):
        if _is_aside(path, parent):
            return None
        if not recognise_suite(path, session.workspace):
            if stands_with_suites(path, session.workspace):
                parent.warn(NoSuiteWarning(f"{_shown(path, parent)} is no suite; start the names of such files with _"))
            return None
    file: SuiteFile = SuiteFile.from_parent(parent, path=path, judge=session)
    return file


def _is_aside(path: Path, parent: pytest.Collector) -> bool:
    """Return whether the file or a folder below what the user named begins with ``_`` or a dot."""
    for part in (path, *path.parents):
        if part == parent.config.rootpath or parent.session.isinitpath(part):
            return False
        if part.name.startswith(("_", ".")):
            return True
    return False


def _shown(path: Path, node: pytest.Collector | pytest.Item) -> str:
    return os.path.relpath(path, node.config.rootpath)


class SuiteFile(pytest.File):
    """A suite file; its mistakes are errors of the collection, each with its place."""

    def __init__(self, *, judge: SuiteSession, **rest: Any) -> None:
        super().__init__(**rest)
        self._judge = judge

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the cases, then the gate."""
        try:
            checked = check_suites([str(self.path)], self._judge.workspace)
        except RetestError as error:
            raise self.CollectError(str(error)) from error
        if checked.errors or not checked.suites:
            raise self.CollectError("\n".join(str(problem) for problem in checked.errors))
        suite = checked.suites[0]
        twin = self._judge.namesake(suite.name, self.path)
        if twin is not None:
            other = _shown(twin, self)
            raise self.CollectError(f"two suites are called '{suite.name}', and their runs would mix: see {other}")
        for name, case_id in item_names(case.case_id for case in suite.cases):
            yield SuiteItem.from_parent(self, name=name, case_id=case_id, judge=self._judge)
        yield SuiteItem.from_parent(self, name=GATE, case_id=None, judge=self._judge)


class SuiteFailed(Exception):  # noqa: N818 - it is no mistake: a test that failed
    """A case or a gate failed; the text reads as a report."""


class SuiteItem(pytest.Item):
    """One case of a suite, or its gate."""

    def __init__(self, *, case_id: str | None, judge: SuiteSession, **rest: Any) -> None:
        super().__init__(**rest)
        self._case_id, self._judge = case_id, judge

    def runtest(self) -> None:
        """Fail where the one verdict on the suite says so."""
        verdict = self._judge.verdict(self.path)
        if self._case_id is not None and verdict.not_compared:
            pytest.skip(one_line(verdict.not_compared))
        text = verdict.gate if self._case_id is None else verdict.cases.get(self._case_id)
        if text:
            raise SuiteFailed(text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the failure as pytest shows its own, without a traceback; anything else as pytest does."""
        if not isinstance(excinfo.value, SuiteFailed):
            return super().repr_failure(excinfo, style)
        shown = excinfo.getrepr(style="value")
        text = str(excinfo.value)
        why = next((line[1:].strip() for line in text.splitlines() if line.startswith("E ")), text.splitlines()[0])
        if shown.reprcrash is not None:
            shown.reprcrash.path = _shown(self.path, self)
            shown.reprcrash.lineno = 1
            shown.reprcrash.message = why
        return shown

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the item stands, and its name."""
        return self.path, None, self.name
