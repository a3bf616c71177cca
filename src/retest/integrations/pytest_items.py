"""Suites as pytest collects them: a file, an item for each case, an item for the gate."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retest.errors import RetestError
from retest.integrations.pytest_session import SuiteSession
from retest.report.escape import one_line
from retest.workflows.check import check_suites

_NAME = 120  # characters of a case id in a node id
_SECTIONS = ("prompt", "dataset", "target", "metrics", "preset")


def collect_suite(path: Path, parent: pytest.Collector) -> SuiteFile | None:
    """Return the collector of a suite, None for a file that is none or that stands in a folder put aside."""
    explicit = parent.session.isinitpath(path)
    if not explicit and (_is_aside(path, parent) or not _looks_like_suite(path)):
        return None
    return SuiteFile.from_parent(parent, path=path)


def _is_aside(path: Path, parent: pytest.Collector) -> bool:
    """Return whether the file or a folder below what the user named begins with ``_`` or a dot."""
    for part in (path, *path.parents):
        if part == parent.config.rootpath or parent.session.isinitpath(part):
            return False
        if part.name.startswith(("_", ".")):
            return True
    return False


def _looks_like_suite(path: Path) -> bool:
    """Return whether at least two sections of a suite begin a line; what is wrong with them is said later."""
    lines = path.read_text("utf-8-sig", "replace").splitlines()
    found = {section for section in _SECTIONS for line in lines if line.startswith(section)}
    return len(found) > 1


class SuiteFile(pytest.File):
    """A suite file; its mistakes are errors of the collection, each with its place."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the cases, then the gate."""
        session = self.config.pluginmanager.get_plugin("retest-suites")
        assert isinstance(session, SuiteSession), "registered with --retest"  # noqa: S101 - tells the type checker
        try:
            checked = check_suites([str(self.path)], session.workspace)
        except RetestError as error:
            raise self.CollectError(str(error)) from error
        if checked.errors or not checked.suites:
            raise self.CollectError("\n".join(str(problem) for problem in checked.errors))
        taken = {"gate"}
        for case in checked.suites[0].cases:
            name = _free_name(case.case_id, taken)
            yield SuiteItem.from_parent(self, name=name, case_id=case.case_id, judge=session)
        yield SuiteItem.from_parent(self, name="gate", case_id=None, judge=session)


def _free_name(case_id: str, taken: set[str]) -> str:
    base = one_line(case_id).replace("::", ":")[:_NAME] or "empty"
    name, number = base, 2
    while name in taken:
        name, number = f"{base}#{number}", number + 1
    taken.add(name)
    return name


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
            shown.reprcrash.path = os.path.relpath(self.path, self.config.rootpath)
            shown.reprcrash.lineno = 1
            shown.reprcrash.message = why
        return shown

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the item stands, and its name."""
        return self.path, None, self.name
