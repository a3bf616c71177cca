"""Makes a run the baseline of its suite: what speaks against it, what it replaces, and where it is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retest.domain.comparison import RunComparison
from retest.domain.gate import GateReason, Waiver
from retest.domain.run import Run
from retest.domain.sequential import read_decision
from retest.errors import ExitCode, Problem, UsageError
from retest.workflows.baseline import Baseline, SuitePlace, find_baseline
from retest.workflows.baseline_file import baseline_path, read_outputs, write_baseline
from retest.workflows.diff import stored_side
from retest.workflows.gate import Terms, judge_run
from retest.workflows.measured_drift import read_drifts
from retest.workflows.read_scores import read_run_scores
from retest.workflows.stored_gate import read_stored_gate
from retest.workflows.whole_files import write_whole
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

_FEW_REPEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A run on its way to being a baseline.

    Attributes:
        replaces: the baseline until now; None where there is none.
        comparison: of the run with it.
        objections: what forbids it without force.
        warnings: what a person should know.
    """

    run: Run
    replaces: Baseline | None
    comparison: RunComparison | None
    objections: tuple[str, ...]
    warnings: tuple[str, ...]


def examine(store: Store, run: Run, waivers: tuple[Waiver, ...], workspace: Workspace) -> Promotion:
    """Return what speaks for and against making a run the baseline of its suite; nothing is changed."""
    from retest.workflows.inspect import load_view

    place = place_of(run, workspace.cwd)
    replaces = find_baseline(store, place)
    fitting = replaces if replaces is not None and replaces.side.scores.suite == run.suite else None
    terms = Terms(
        policy=read_stored_gate(run),
        waivers=waivers,
        cwd=workspace.cwd,
        now=workspace.clock(),
        run_code=workspace.untrusted is None,
    )
    judged = judge_run(stored_side(store, run), load_view(store, run).summary, fitting, terms)
    failing = judged.decision.exit_code is ExitCode.GATE_FAILED
    return Promotion(
        run=run,
        replaces=replaces,
        comparison=judged.comparison,
        objections=tuple(_objections(run, judged.decision.reasons if failing else ())),
        warnings=tuple(_warnings(store, run)),
    )


def place_of(run: Run, cwd: Path) -> SuitePlace:
    """Return where a run's suite is."""
    return SuitePlace(suite=run.suite, path=run.suite_path, cwd=cwd)


def _objections(run: Run, reasons: tuple[GateReason, ...]) -> Iterator[str]:
    if run.status != "complete":
        yield f"the run is {run.status}: {run.counts.samples} of {run.planned} samples are there"
    if run.counts.errors:
        yield f"{run.counts.errors} of its {run.counts.samples} samples are errors"
    for reason in reasons:
        if reason.blocking and reason.kind != "baseline":  # the first baseline has none to be compared with
            about = " · ".join(part for part in (reason.arm, reason.metric, reason.case_id) if part)
            yield ": ".join(part for part in ("the gate fails", about, reason.message) if part)


def _warnings(store: Store, run: Run) -> Iterator[str]:
    if run.samples_per_case < _FEW_REPEATS:
        few = "1 sample" if run.samples_per_case == 1 else f"{run.samples_per_case} samples"
        yield f"it has {few} a case: with 10 a later drop is found far more often, and they are paid for once"
    decision = read_decision(run.summary)
    if decision is not None and decision.stopped_early:
        yield (
            "it was sampled until a verdict stood, so that its means lean towards that verdict, and it has few samples:"
            " run the suite in one go for a baseline"
        )
    equal = _equal_runs(store, run)
    if equal and _is_best(run, equal):
        count = len(equal) + 1
        yield (
            f"it is the best of {count} runs of the same version: chance made it so, and the next run looks worse"
            " (with the best of five equal runs, 17 of 100 unchanged candidates look regressed)"
        )


def _equal_runs(store: Store, run: Run) -> list[Run]:
    """Return complete runs of the same version with other answers: a draw's answers are the same in every run."""
    from retest.store.records import RunFilter

    others = store.list_runs(RunFilter(suite=run.suite, limit=100))
    return [
        other
        for other in others
        if other.suite == run.suite
        and other.fingerprint == run.fingerprint
        and other.status == "complete"
        and other.draw != run.draw
    ]


def _is_best(run: Run, others: list[Run]) -> bool:
    if not run.metrics or not run.arms:
        return False
    sign = 1.0 if run.metrics[0].direction == "higher" else -1.0
    own = _mean(run)
    rest = [mean for other in others if (mean := _mean(other)) is not None]
    return own is not None and bool(rest) and all(sign * own > sign * mean for mean in rest)


def _mean(run: Run) -> float | None:
    """Return the stored mean of the first metric of the first arm."""
    arms = cast("Mapping[str, Any]", run.summary.get("arms") or {})
    metrics = arms.get(run.arms[0].name, {}).get("metrics", {})
    mean = metrics.get(run.metrics[0].name, {}).get("mean")
    return float(mean) if isinstance(mean, int | float) else None


def promote(store: Store, promotion: Promotion) -> tuple[str, ...]:
    """Make the run the baseline wherever the suite keeps it; return the places.

    The store always knows it; a file beside the suite, which comes before the store, is written anew.
    """
    run, replaces = promotion.run, promotion.replaces
    places = [f"named in the store: {run.run_id}"]
    if replaces is not None and replaces.path is not None:
        shown = baseline_path(run.suite_path)
        export_run(store, run, replaces.path, outputs=replaces.has_outputs)
        places.append(f"written to {shown}: commit it")
    store.set_baseline(run.run_id)
    return tuple(places)


def export_run(store: Store, run: Run, path: Path, *, outputs: bool) -> None:
    """Write a run as a baseline file; a file that is there is replaced as a whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    write_text(path, baseline_text(store, run, outputs=outputs))


def baseline_text(store: Store, run: Run, *, outputs: bool) -> str:
    """Return a stored run as a baseline file, with the drift that was measured of its suite."""
    answers = read_outputs(store, run) if outputs else None
    drifts = read_drifts(store, run.suite).values()
    return write_baseline(read_run_scores(store, run), run.run_id, answers, drifts)


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        write_whole(path, text)
    except OSError as error:
        raise UsageError(
            Problem(slug="baseline-not-written", message=f"{path} cannot be written", details=(str(error),))
        ) from error


def refuse(promotion: Promotion) -> None:
    """Refuse a promotion with objections.

    Raises:
        UsageError: there are any.
    """
    if promotion.objections:
        raise UsageError(
            Problem(
                slug="baseline-refused",
                message=f"{promotion.run.run_id} is not made the baseline of {promotion.run.suite}",
                details=promotion.objections[:10],
                fix="fix what it names and run again; or say that you mean it: --force",
            )
        )
