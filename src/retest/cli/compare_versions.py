"""What `retest compare` does once its flags are read: run the versions, compare them, show it, exit."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass

from retest.cli.console import print_json, print_problems, stderr, stdout
from retest.cli.progress import RunProgress
from retest.cli.run_suites import Display
from retest.cli.signals import INTERRUPTS
from retest.domain.comparison import RunComparison
from retest.domain.pairwise import PairwiseRanking
from retest.domain.ranking import Ranking
from retest.errors import ExitCode, Problem, worst_exit_code
from retest.report.decided_text import decided_lines, run_decision
from retest.report.escape import one_line
from retest.report.json_report import decision_json, plan_document, run_comparison_document
from retest.report.numbers import plural
from retest.runner.events import Listener
from retest.runner.stopping import StopSignal
from retest.workflows.compare_prompts import are_prompt_files, check_prompts, run_prompts
from retest.workflows.compare_revisions import (
    Contender,
    common_suites,
    compare_pair,
    completeness,
    exit_code,
    run_sides,
    unchanged_arms,
)
from retest.workflows.rank_versions import rank_pairs, rank_versions
from retest.workflows.revision_sides import open_sides
from retest.workflows.run import RunOptions
from retest.workflows.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """All versions of one suite, compared; `comparisons` are against the first, in order, empty after a dry run."""

    contenders: Sequence[Contender]
    comparisons: Sequence[RunComparison] = ()
    rankings: Sequence[Ranking] = ()
    pairwise: Sequence[PairwiseRanking] = ()
    code: ExitCode = ExitCode.PASSED


def compare_versions(
    names: Sequence[str], selectors: Sequence[str], options: RunOptions, workspace: Workspace, display: Display
) -> ExitCode:
    """Run and compare revisions, or prompt files, and return the exit code.

    Raises:
        RetestError: nothing could be run.
    """
    if are_prompt_files(names, workspace.cwd):
        found = [_compare_prompts(names, selectors, options, workspace, display)]
    else:
        found = _compare_revisions(names, selectors, options, workspace, display)
    code = worst_exit_code(*(each.code for each in found))
    if display.as_json:
        documents = [_document(each) for each in found]
        print_json(documents[0] if len(documents) == 1 else {"suites": documents, "exit_code": int(code)})
    return code


def _compare_revisions(
    names: Sequence[str], selectors: Sequence[str], options: RunOptions, workspace: Workspace, display: Display
) -> list[Compared]:
    found: list[Compared] = []
    with open_sides(names, selectors, workspace) as sides:
        common, left_out = common_suites(sides)
        if not display.quiet:
            print_problems(sides[-1].warnings)  # nobody can mend what an older revision warns of
            for line in left_out:
                stderr().print(f"not compared: {one_line(line)}", markup=False, soft_wrap=True)
        for name in common:

            async def run(listener: Listener, stop: StopSignal, suite: str = name) -> list[Contender]:
                return await run_sides(sides, suite, options, listener, stop)

            found.append(_finish(run_with_progress(run, display), display))
            if found[-1].code is ExitCode.INTERRUPTED:
                break
    return found


def _compare_prompts(
    files: Sequence[str], selectors: Sequence[str], options: RunOptions, workspace: Workspace, display: Display
) -> Compared:
    checked = check_prompts(files, selectors, workspace)
    if not display.quiet:
        print_problems(checked.warnings)

    async def run(listener: Listener, stop: StopSignal) -> list[Contender]:
        return await run_prompts(checked.suites[0], files, options, workspace, (listener, stop))

    return _finish(run_with_progress(run, display), display)


def run_with_progress(
    run: Callable[[Listener, StopSignal], Awaitable[list[Contender]]], display: Display
) -> list[Contender]:
    """Run with progress on stderr; Ctrl-C and SIGTERM stop all versions in order."""

    async def main(listener: Listener) -> list[Contender]:
        stop = StopSignal()
        with INTERRUPTS.telling(stop):
            return await run(listener, stop)

    quiet = display.quiet or (display.as_json and not stderr().is_terminal)
    # What a metric or target of the user prints must not get between the results (or into the JSON) on stdout.
    with RunProgress(quiet=quiet, verbose=display.verbose) as progress, redirect_stdout(sys.stderr):
        return asyncio.run(main(progress))


def _finish(contenders: list[Contender], display: Display) -> Compared:
    """Compare what was run, and show it unless JSON is wanted."""
    if all(contender.outcome.run is None for contender in contenders):  # a dry run
        return Compared(contenders=contenders)
    with contenders[0].side.workspace.open_store(read_only=True) as store, redirect_stdout(sys.stderr):
        comparisons = [compare_pair(store, contenders[0], other) for other in contenders[1:]]
        several = len(contenders) > 2  # noqa: PLR2004 - two are a comparison, more are a ranking
        rankings = rank_versions(store, contenders, comparisons) if several else ()
        pairwise = rank_pairs(store, contenders, comparisons) if several else ()
    compared = Compared(
        contenders=contenders,
        comparisons=comparisons,
        rankings=rankings,
        pairwise=pairwise,
        code=exit_code(contenders, comparisons),
    )
    if not display.as_json:
        _show(compared, display)
    _say_what_is_missing(compared)
    return compared


def _show(compared: Compared, display: Display) -> None:
    from retest.report.terminal_diff import run_comparison
    from retest.report.terminal_pairwise import pairwise_ranking
    from retest.report.terminal_ranking import ranking_table

    for line in _head_lines(compared):
        stdout().print(line, markup=False, soft_wrap=True)
    stdout().print()
    for ranking in compared.rankings:
        stdout().print(ranking_table(ranking))
        stdout().print()
    for duels in compared.pairwise:
        stdout().print(pairwise_ranking(duels))
        stdout().print()
    if len(compared.comparisons) == 1 or display.verbose:
        for comparison in compared.comparisons:
            stdout().print(run_comparison(comparison, verbose=display.verbose))
    else:
        stdout().print("the cases behind it: --verbose, or compare two of them", style="dim")


def _head_lines(compared: Compared) -> list[str]:
    """Return which version is which run, and what the comparison cost."""
    lines = [
        f"{one_line(contender.label)}  {contender.side.commit[:8] if contender.side.commit else 'files on disk'}"
        f"  {contender.outcome.plan.run_id}"
        for contender in compared.contenders
    ]
    outcomes = _distinct_runs(compared)
    calls, known = (sum(counts) for counts in zip(*outcomes, strict=True))
    lines.append(f"{plural(calls, 'call')} made, {plural(known, 'answer')} already paid for")
    return [*lines, *_decided_lines(compared), *_unchanged_lines(compared)]


def _decided_lines(compared: Compared) -> Iterator[str]:
    """Yield how far each version was sampled until the verdicts stood, and what that saved."""
    runs = {each.outcome.plan.run_id: each for each in compared.contenders}
    for contender in runs.values():
        decision = run_decision(contender.outcome.run)
        name = "" if len(runs) == 1 else f"{one_line(contender.label)}: "
        yield from (f"{name}{line}" for line in (decided_lines(decision) if decision is not None else ()))


def _unchanged_lines(compared: Compared) -> Iterator[str]:
    """Yield what the versions have in common and is therefore not asked twice."""
    first = compared.contenders[0]
    for other in compared.contenders[1:]:
        if other.prompt is not None or first.outcome.run is None or other.outcome.run is None:
            continue
        same = unchanged_arms(first.outcome.run, other.outcome.run)
        if first.outcome.suite.fingerprint == other.outcome.suite.fingerprint:
            yield f"{one_line(first.label)} and {one_line(other.label)}: nothing that the suite uses differs"
        elif same:
            yield f"unchanged in {one_line(other.label)}: {one_line(', '.join(same))}; one answer serves both"


def _distinct_runs(compared: Compared) -> list[tuple[int, int]]:
    runs = {each.outcome.run.run_id: each.outcome.run for each in compared.contenders if each.outcome.run is not None}
    return [(run.counts.calls, run.counts.ledger_hits) for run in runs.values()]


def _say_what_is_missing(compared: Compared) -> None:
    """Say on stderr why the exit code is not 0."""
    if compared.code is ExitCode.NOTHING_TO_JUDGE:
        versions = " and ".join(dict.fromkeys(each.label for each in compared.contenders))
        message = f"{versions} have nothing in common that can be compared"
        print_problems([Problem(slug="compare-not-comparable", message=message)])
    for contender in {each.outcome.plan.run_id: each for each in compared.contenders}.values():
        if completeness(contender.outcome) in {ExitCode.INTERRUPTED, ExitCode.INCOMPLETE}:
            print_problems([_incomplete(contender)])


def _incomplete(contender: Contender) -> Problem:
    """Return what a run lacks: answers, or scores of answers that came."""
    outcome = contender.outcome
    details = [outcome.stop_message] if outcome.stop_message else []
    if outcome.run is not None:
        answered = outcome.run.counts.samples - outcome.run.counts.errors
        details.append(f"{answered:,} of {outcome.run.planned:,} samples have an answer")
    details += [
        f"{arm.name}: {metric.name} could not score {plural(metric.failures, 'answer')}"
        for arm in (outcome.summary.arms if outcome.summary else ())
        for metric in arm.metrics
        if metric.failures
    ]
    return Problem(
        slug="compare-incomplete",
        message=f"the run of {contender.label} ({outcome.plan.run_id}) is not complete",
        details=tuple(details),
        fix=f"when that is mended, the same command goes on: {outcome.command}",
    )


def _document(compared: Compared) -> dict[str, object]:
    """Return one suite as JSON: as `retest diff` for two versions; a list of comparisons and rankings for more."""
    from dataclasses import asdict

    if not compared.comparisons:
        plans = [{**plan_document(each.outcome.plan), "label": each.label} for each in compared.contenders]
        return {"dry_run": True, "versions": plans, "exit_code": int(compared.code)}
    versions = [
        {
            "label": each.label,
            "git_commit": each.side.commit,
            "run": each.outcome.plan.run_id,
            "calls": each.outcome.run.counts.calls if each.outcome.run else 0,
            "ledger_hits": each.outcome.run.counts.ledger_hits if each.outcome.run else 0,
            "until_decided": decision_json(each.outcome.run),
        }
        for each in compared.contenders
    ]
    documents = [run_comparison_document(comparison, compared.code) for comparison in compared.comparisons]
    suite = compared.contenders[0].outcome.suite.name
    if len(documents) == 1:
        return {"suite": suite, "versions": versions, **documents[0]}
    return {
        "suite": suite,
        "versions": versions,
        "rankings": [asdict(ranking) for ranking in compared.rankings],
        "pairwise_rankings": [asdict(ranking) for ranking in compared.pairwise],
        "comparisons": documents,
        "exit_code": int(compared.code),
    }
