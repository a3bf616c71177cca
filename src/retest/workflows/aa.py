"""Runs a suite against itself, each time with fresh draws, and says how far its own verdicts can be trusted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retest.domain.run import Run
from retest.domain.self_test import FEWEST_RUNS, SelfTest
from retest.domain.suite import Suite
from retest.errors import ExitCode, Problem, UsageError
from retest.workflows.compare_revisions import completeness
from retest.workflows.measured_drift import TAG, is_judged, runs_against_itself
from retest.workflows.run import RunOptions, RunOutcome
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

_SERIES = "aa"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestWish:
    """What a person asks: how many runs, how often to deal the pooled samples (None: by the suite's size), limits.

    `run` holds the samples per case and the limits, which are for all runs together.
    """

    runs: int = FEWEST_RUNS
    splits: int | None = None
    run: RunOptions = field(default_factory=RunOptions)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestOutcome:
    """How it ended: `found` is None where not all runs came to their end, and `last` then says why."""

    exit_code: ExitCode
    found: SelfTest | None = None
    last: RunOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """Runs that belong together: `done` are complete, oldest first."""

    name: str
    done: tuple[Run, ...] = ()


def run_against_itself(
    suite: Suite, wish: SelfTestWish, workspace: Workspace, run_once: Callable[[RunOptions], RunOutcome]
) -> SelfTestOutcome:
    """Make the runs that are missing, one after the other, and compare them all.

    A measurement that was left unfinished goes on: its complete runs count, and the one that was cut short is resumed.
    A suite whose targets are all recordings is run once, for a recording has no fresh draw.

    Args:
        suite: checked.
        wish: what to do.
        workspace: where.
        run_once: runs the suite with the options given.

    Raises:
        RetestError: whatever is wrong before the first call, or a store that fails midway.
    """
    if wish.runs < FEWEST_RUNS:
        raise UsageError(
            Problem(
                slug="aa-too-few-runs",
                message=f"a drift between runs cannot be told from {wish.runs} of them",
                fix=f"give --runs {FEWEST_RUNS} or more",
            )
        )
    recorded = all(arm.target.provider == "replay" for arm in suite.arms)
    wanted = 1 if recorded else wish.runs
    with workspace.open_store() as store:
        session = _open_session(store, suite, wish, workspace)
    runs = list(session.done)
    calls, cost_usd = 0, 0.0
    while len(runs) < wanted:
        limited = _limited(wish.run, calls, cost_usd)
        outcome = run_once(
            replace(
                limited,
                fresh=not recorded,
                series=_SERIES,
                tags=(TAG,),
                metadata={**limited.metadata, _SERIES: {"session": session.name, "run": len(runs) + 1, "of": wanted}},
            )
        )
        code = completeness(outcome)
        if outcome.run is None or code is not ExitCode.PASSED:
            return SelfTestOutcome(exit_code=code, last=outcome)
        runs.append(outcome.run)
        calls += outcome.run.counts.calls
        cost_usd += outcome.run.counts.cost_usd or 0.0
    return _judge(suite, runs, wish, workspace)


def _judge(suite: Suite, runs: Sequence[Run], wish: SelfTestWish, workspace: Workspace) -> SelfTestOutcome:
    from retest.workflows.aa_numbers import judge_runs  # loads NumPy and SciPy, after the calls

    with workspace.open_store() as store:
        found = judge_runs(store, suite, runs, splits=wish.splits, workspace=workspace)
    code = ExitCode.PASSED if found.says_anything else ExitCode.NOTHING_TO_JUDGE
    return SelfTestOutcome(exit_code=code, found=found)


def _open_session(store: Store, suite: Suite, wish: SelfTestWish, workspace: Workspace) -> _Session:
    """Return the measurement of this very content that was left unfinished, else a new one."""
    samples = wish.run.samples or suite.samples
    own = [
        run
        for run in runs_against_itself(store, suite.name)
        if run.fingerprint == suite.fingerprint and run.samples_per_case == samples
    ]
    name = _session_name(own[0]) if own else None
    members = [run for run in own if _session_name(run) == name]
    if name is None or any(is_judged(run) for run in members):
        return _Session(name=workspace.new_run_id())
    return _Session(name=name, done=tuple(run for run in reversed(members) if _counts(run)))


def _counts(run: Run) -> bool:
    """Return whether a run is whole: at its end, and not without too many of its answers."""
    short = {int(ExitCode.INCOMPLETE), int(ExitCode.NOTHING_TO_JUDGE)}
    return run.status == "complete" and run.exit_code not in short


def _session_name(run: Run) -> str | None:
    about: Any = run.metadata.get(_SERIES)
    name = about.get("session") if isinstance(about, dict) else None
    return name if isinstance(name, str) else None


def _limited(options: RunOptions, calls: int, cost_usd: float) -> RunOptions:
    """Return the options with what the earlier runs spent taken off the limits."""
    left_calls = None if options.max_calls is None else max(0, options.max_calls - calls)
    left_usd = None if options.max_cost_usd is None else max(0.0, options.max_cost_usd - cost_usd)
    return replace(options, max_calls=left_calls, max_cost_usd=left_usd)


def what_is_missing(outcome: SelfTestOutcome) -> list[Problem]:
    """Return why the exit code is not 0; nothing where it is."""
    if outcome.exit_code is ExitCode.PASSED:
        return []
    if outcome.last is None:
        return [
            Problem(
                slug="aa-nothing-to-compare",
                message="nothing could be compared: there are neither fresh draws nor two samples of any case",
                fix="record at least two samples a case and give --samples 2 or more, or use a target that answers",
            )
        ]
    last = outcome.last
    details = [last.stop_message] if last.stop_message else []
    if last.run is not None:
        answered = last.run.counts.samples - last.run.counts.errors
        details.append(f"{answered:,} of {last.run.planned:,} samples of run {last.run.run_id} have an answer")
    return [
        Problem(
            slug="aa-incomplete",
            message="the suite was not run often enough to be compared with itself",
            details=tuple(details),
            fix=f"when that is mended, the same command goes on: {last.command}",
        )
    ]
