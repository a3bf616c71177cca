"""Reports of a gate: what a format is, and which there are.

A format is one module with one class. Importing this module imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Protocol, cast

from retest.domain.gate import GateReport


class Reporter(Protocol):
    """One format of report; it shows what was decided and decides nothing."""

    @property
    def name(self) -> str:
        """Return the name that ``--report`` knows it by."""
        ...

    def render(self, reports: Sequence[GateReport]) -> str | bytes:
        """Return the whole document, for all suites of one gate."""
        ...


REPORTERS: Mapping[str, tuple[str, str]] = {
    "github": ("retest.report.github", "GitHubReporter"),
    "html": ("retest.report.html.reporter", "HtmlReporter"),
    "json": ("retest.report.gate_json", "JsonReporter"),
    "junit": ("retest.report.junit", "JUnitReporter"),
    "markdown": ("retest.report.markdown", "MarkdownReporter"),
    "sarif": ("retest.report.sarif", "SarifReporter"),
}
"""Name -> module and class."""


def reporter(name: str) -> Reporter:
    """Return the reporter of that name.

    Raises:
        KeyError: there is none.
    """
    module, member = REPORTERS[name]
    return cast("Callable[[], Reporter]", getattr(import_module(module), member))()
