"""The one suite that an option names."""

from __future__ import annotations

from collections.abc import Sequence

from retest.domain.suite import Suite
from retest.errors import Problem, SuiteError, UsageError
from retest.workflows.check import check_suites
from retest.workflows.workspace import Workspace


def find_suite(selector: str | None, workspace: Workspace, overrides: Sequence[str] = ()) -> Suite:
    """Return the suite that a file or name selects; without a selector, the project's only one.

    Raises:
        SuiteError: a suite that is selected is not sound.
        UsageError: it selects none, or several.
    """
    checked = check_suites([] if selector is None else [selector], workspace, overrides)
    if checked.errors:
        raise SuiteError(*checked.errors)
    if len(checked.suites) != 1:
        names = [suite.name for suite in checked.suites]
        raise UsageError(
            Problem(
                slug="suite-not-one",
                message=f"one suite is needed, and there are {len(names)}",
                details=(f"suites: {', '.join(names[:20])}",),
                fix="name one: --suite evals/NAME.yaml",
            )
        )
    return checked.suites[0]
