"""What the commands below `retest baseline` share."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retest.cli.console import print_json, print_problems, stdout
from retest.cli.one_suite import find_suite
from retest.domain.run import Run
from retest.domain.suite import Suite
from retest.errors import Problem, UsageError
from retest.report.escape import one_line
from retest.workflows.baseline import Baseline, SuitePlace, resolve_baseline
from retest.workflows.baseline_file import baseline_path, read_baseline
from retest.workflows.find_runs import find_run
from retest.workflows.promote import baseline_text, examine, promote, refuse, write_text
from retest.workflows.waivers import read_waivers, waiver_file
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store


def say(text: str, style: str | None = None) -> None:
    """Print one line of plain text."""
    stdout().print(one_line(text), markup=False, style=style, soft_wrap=not stdout().is_terminal)


def choose_run(store: Store, run: str | None, suite: str | None, workspace: Workspace) -> Run:
    """Return the run that is named, or the latest of the suite.

    Raises:
        UsageError: there is no such run, or it is of another suite than the one named.
    """
    name = None if suite is None else find_suite(suite, workspace).name
    if run is None:
        return find_run(store, "latest") if name is None else _latest(store, name)
    found = find_run(store, run)
    if name is not None and found.suite != name:
        raise UsageError(
            Problem(
                slug="baseline-run-suite",
                message=f"{found.run_id} is a run of suite {found.suite}, not of {name}",
                fix=f"leave --suite out, or name a run of {name}: retest runs --suite {name}",
            )
        )
    return found


def _latest(store: Store, suite: str) -> Run:
    from retest.store.records import RunFilter

    runs = [run for run in store.list_runs(RunFilter(suite=suite, limit=100)) if run.suite == suite]
    if not runs:
        raise UsageError(
            Problem(slug="baseline-no-run", message=f"suite {suite} has no run yet", fix="run it first: retest run")
        )
    return runs[0]


def promote_run(store: Store, run: Run, workspace: Workspace, *, force: bool, verbose: bool) -> None:
    """Show what a run replaces and how the two compare, then make it the baseline unless something forbids it.

    Raises:
        UsageError: something does, and nobody forces it.
    """
    promotion = examine(store, run, read_waivers(waiver_file(workspace.cwd)), workspace)
    if promotion.replaces is None:
        say(f"suite {run.suite} has no baseline yet")
    else:
        say(f"replaces the baseline {promotion.replaces.label} of {promotion.replaces.side.scores.suite}")
    if promotion.comparison is not None:
        from retest.report.terminal_diff import run_comparison

        stdout().print(run_comparison(promotion.comparison, verbose=verbose))
    print_problems(
        Problem(slug="baseline-doubtful", message=warning, severity="warning") for warning in promotion.warnings
    )
    if not force:
        refuse(promotion)
    for place in promote(store, promotion):
        say(f"baseline of {run.suite} {place}")


def show_baseline(baseline: Baseline, now: datetime, *, as_json: bool) -> None:
    """Print one baseline."""
    document = _document(baseline, now)
    if as_json:
        print_json(document)
        return
    say(f"{document['suite']}: {document['baseline']}")
    for name in ("origin", "run", "cases", "samples_per_case", "arms", "metrics", "revision", "age_days"):
        value = document[name]
        say(f"  {name.replace('_', ' '):<17} {', '.join(value) if isinstance(value, list) else value}")


def _document(baseline: Baseline, now: datetime) -> dict[str, Any]:
    scores = baseline.side.scores
    oldest = [calls.oldest for calls in scores.calls.values() if calls.oldest is not None]
    return {
        "suite": scores.suite,
        "baseline": baseline.label,
        "origin": baseline.origin,
        "run": None if baseline.side.run is None else baseline.side.run.run_id,
        "cases": len(scores.cases),
        "samples_per_case": scores.samples_per_case,
        "arms": [arm.name for arm in scores.arms],
        "metrics": [metric.name for metric in scores.metrics],
        "revision": scores.revision,
        "started_at": scores.started_at.isoformat(),
        "age_days": round((now - min(oldest)) / timedelta(days=1), 1) if oldest else None,
    }


def list_baselines(store: Store, workspace: Workspace, *, as_json: bool) -> None:
    """Print every suite's baseline: the one that the gate would use."""
    from retest.workflows.check import check_suites

    rows: dict[str, dict[str, str]] = {}
    for named in store.baselines():
        rows[named.run.suite] = {"origin": "named", "baseline": named.run.run_id, "since": f"{named.set_at:%Y-%m-%d}"}
    for found in check_suites([], workspace).suites:
        path = baseline_path(found.path)
        if (workspace.cwd / path).is_file():
            rows[found.name] = {"origin": "file", "baseline": path, "since": ""}
    if as_json:
        print_json({"baselines": [{"suite": suite, **row} for suite, row in sorted(rows.items())]})
        return
    for suite, row in sorted(rows.items()):
        say(f"{suite}  {row['baseline']}  {row['origin']} {row['since']}".rstrip())
    if not rows:
        say("no suite has a baseline; `retest baseline set` makes the latest run one")


def clear_baseline(store: Store, suite: Suite, workspace: Workspace) -> None:
    """Forget the suite's baseline in the store, and say whether a file is left."""
    cleared = store.clear_baseline(suite.name)
    say(f"{suite.name}: {'the baseline is forgotten; the run stays' if cleared else 'none was named in the store'}")
    path = baseline_path(suite.path)
    if (workspace.cwd / path).is_file():
        say(f"{path} is still there, and the gate reads it: delete it with `git rm {path}` if it is not wanted")


def export_baseline(
    store: Store, workspace: Workspace, which: tuple[str | None, str | None], output: Path | None, *, outputs: bool
) -> None:
    """Write the suite's baseline, or the run named, as a baseline file.

    Raises:
        UsageError: there is no such run, or the answers are not in this store.
        NothingToJudgeError: the suite has no baseline.
    """
    suite, name = which
    if name is not None:
        run = choose_run(store, name, suite, workspace)
    else:
        found = find_suite(suite, workspace)
        named = store.baseline(found.name)
        place = SuitePlace(suite=found.name, path=found.path, cwd=workspace.cwd)
        run = named.run if named is not None else _run_behind(resolve_baseline(store, place))
    text = baseline_text(store, run, outputs=outputs)
    if output == Path("-"):
        sys.stdout.write(text)
        return
    path = workspace.cwd / (output or baseline_path(run.suite_path))
    write_text(path, text)
    say(f"wrote {output or baseline_path(run.suite_path)}: {run.run_id} of {run.suite}")


def _run_behind(baseline: Baseline) -> Run:
    if baseline.side.run is None:
        raise UsageError(
            Problem(
                slug="baseline-no-run",
                message=f"the run behind {baseline.label} is not in this store",
                fix="name a run: --run ID; or run the suite and `retest baseline set`",
            )
        )
    return baseline.side.run


def import_baseline(file: Path, suite: Suite, workspace: Workspace, *, force: bool) -> None:
    """Put a baseline file beside its suite.

    Raises:
        UsageError: it is not sound, is of another suite, or would replace a file that differs.
    """
    try:
        text = (workspace.cwd / file).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(slug="baseline-file-format", message=f"{file} cannot be read", details=(str(error),))
        raise UsageError(problem) from error
    read = read_baseline(text, str(file))
    if read.scores.suite != suite.name:
        message = f"{file} is the baseline of suite {read.scores.suite}, not of {suite.name}"
        raise UsageError(Problem(slug="baseline-run-suite", message=message, fix="name its suite with --suite"))
    shown = baseline_path(suite.path)
    target = workspace.cwd / shown
    if target.is_file() and target.read_bytes() != text.encode("utf-8") and not force:
        raise UsageError(
            Problem(slug="baseline-refused", message=f"{shown} is there already, and differs", fix="give --force")
        )
    write_text(target, text)
    say(f"wrote {shown}: {len(read.scores.cases)} cases of {suite.name}; commit it")
