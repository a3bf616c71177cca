"""The pytest plugin: with ``--retest``, suites are collected beside Python tests; without it nothing is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

_PLUGIN = "retest-suites"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("retest", "regression tests for prompts")
    group.addoption("--retest", action="store_true", help="Collect suites: one item a case, one gate item a suite.")
    group.addoption("--retest-live", action="store_true", help="Let suites call their targets; else only recorded.")
    group.addoption(
        "--retest-baseline", metavar="RUN|FILE|git:REV", help="Compare with this, not with each suite's own baseline."
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register what collects and runs suites, where it is asked for."""
    if not config.getoption("retest"):
        if config.getoption("retest_live") or config.getoption("retest_baseline"):
            raise pytest.UsageError("--retest-live and --retest-baseline need --retest")
        return
    from retest.errors import RetestError
    from retest.integrations.pytest_session import SuiteSession

    try:
        config.pluginmanager.register(SuiteSession(config), _PLUGIN)
    except RetestError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of a file that is a suite."""
    if file_path.suffix.lower() not in {".yaml", ".yml"} or not parent.config.getoption("retest"):
        return None
    from retest.integrations.pytest_items import collect_suite
    from retest.integrations.pytest_session import SuiteSession

    session = parent.config.pluginmanager.get_plugin(_PLUGIN)
    return collect_suite(file_path, parent, session) if isinstance(session, SuiteSession) else None
