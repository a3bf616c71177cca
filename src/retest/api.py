"""The Python API: what the command line does, for notebooks and production code."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from retest.cli.config import open_workspace
from retest.domain.prompt import Prompt
from retest.errors import SuiteError
from retest.runner.plan import CaseSelection
from retest.suites.prompt_entries import prompts_root
from retest.suites.prompt_files import read_prompt
from retest.workflows.check import check_suites
from retest.workflows.run import RunOptions, RunOutcome, run_suite


def load_prompt(path: str | Path) -> Prompt:
    """Return the prompt in a file; ``.render(**variables)`` gives the messages exactly as a run sends them.

    Raises:
        SuiteError: everything that is wrong with the file.
    """
    full = Path(path).resolve()
    return read_prompt(full, display=str(path), root=prompts_root(full))


def run(  # noqa: PLR0913 - one keyword per thing a caller may ask for, as in `retest run`
    suite: str | Path,
    *,
    samples: int | None = None,
    cases: Sequence[str] = (),
    limit: int | None = None,
    overrides: Sequence[str] = (),
    offline: bool = False,
    fresh: bool = False,
    batch: bool = False,
    store: str | None = None,
) -> RunOutcome:
    """Check and run one suite as ``retest run`` does; `overrides` are ``KEY=VALUE`` as for ``--set``.

    Must not be called from a running event loop; there, await `retest.workflows.run.run_suite`.

    Raises:
        SuiteError: everything that is wrong with the suite, before any call.
        RetestError: a store that fails, nothing to judge.
    """
    workspace = replace(open_workspace(store=store), command="retest.run()")
    checked = check_suites([str(suite)], workspace, overrides)
    if checked.errors:
        raise SuiteError(*checked.errors)
    options = RunOptions(
        samples=samples,
        selection=CaseSelection(ids=frozenset(cases), limit=limit),
        offline=offline,
        fresh=fresh,
        batch=batch,
    )
    return asyncio.run(run_suite(checked.suites[0], options, workspace))
