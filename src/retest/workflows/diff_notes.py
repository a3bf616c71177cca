"""What stands beside the verdicts of two compared runs: prompts that changed, warnings, the age of the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from retest.domain.comparison import PromptChange
from retest.domain.run import RunArm
from retest.domain.scores import ArmCalls, RunScores
from retest.domain.sequential import SequentialDecision, read_decision
from retest.workflows.renewed_scores import SideLike
from retest.workflows.stored_decision import judged_together

OLD_AFTER = timedelta(days=30)
"""Age of the baseline's answers past which providers have often changed a model behind its name."""


def answers_age(baseline: RunScores, arms: Sequence[RunArm], now: datetime) -> timedelta | None:
    """Return how old the baseline's oldest answer is; None where it has none."""
    oldest = [moment for arm in arms if (moment := baseline.calls.get(arm.name, ArmCalls()).oldest) is not None]
    return now - min(oldest) if oldest else None


def prompt_changes(pairs: Sequence[tuple[RunArm, RunArm]]) -> Iterator[PromptChange]:
    """Yield each prompt that changed, once, however many arms use it."""
    seen: set[tuple[str, str]] = set()
    for first, second in pairs:
        hashes = (first.prompt_hash, second.prompt_hash)
        if first.prompt_hash != second.prompt_hash and hashes not in seen:
            seen.add(hashes)
            yield PromptChange(
                name=second.prompt_name,
                before=first.prompt_source,
                after=second.prompt_source,
                before_path=first.prompt_path,
                after_path=second.prompt_path,
            )


def comparison_warnings(
    baseline: SideLike, candidate: SideLike, pairs: Sequence[tuple[RunArm, RunArm]], age: timedelta | None
) -> Iterator[str]:
    """Yield what a reader must know before believing the verdicts."""
    if _is_one_run(baseline, candidate) and all(first.name == second.name for first, second in pairs):
        yield "both sides are the same run"
    for name, run in (("baseline", baseline.scores), ("candidate", candidate.scores)):
        if run.status != "complete":
            yield f"the {name} {run.label} is {run.status}: samples are missing that it planned"
    yield from _early_stops(baseline, candidate)
    if age is not None and age > OLD_AFTER:
        days = f"{age.days} days old"
        yield f"the baseline's answers are up to {days}; the model behind the name may have changed since: run it anew"


def _early_stops(baseline: SideLike, candidate: SideLike) -> Iterator[str]:
    """Yield which run was stopped by a decision that this comparison does not repeat: its means lean that way."""
    together = judged_together(baseline, candidate) is not None
    for name, side in (("baseline", baseline), ("candidate", candidate)):
        decision = None if side.run is None else read_decision(side.run.summary)
        if decision is None or not decision.stopped_early:
            continue
        # A baseline that was sampled beside its candidate has no decision of its own.
        if not together or (name == "baseline" and decision.against):
            against = f" against {decision.against}" if decision.against else ""
            yield (
                f"the {name} {side.scores.label} was sampled until a verdict{against} stood: "
                "its means lean towards that verdict, which no p-value here corrects"
            )


def look_notes(decision: SequentialDecision | None) -> tuple[str, ...]:
    """Return where the verdicts of a run that was sampled until decided come from."""
    if decision is None or not any(arm.metrics for arm in decision.arms):
        return ()
    looks = f"look {decision.looks} of {decision.looks_planned}"
    return (f"sampled until decided: the verdicts are those of {looks}, and are not tested again",)


def _is_one_run(baseline: SideLike, candidate: SideLike) -> bool:
    """Return whether both sides are the same run; a baseline file is the run that it was made from."""
    if baseline.run is not None and candidate.run is not None:
        return baseline.run.run_id == candidate.run.run_id
    return baseline.scores.label == candidate.scores.label


def repeat_notes(baseline: RunScores, candidate: RunScores, first: RunArm, second: RunArm) -> Iterator[str]:
    """Yield which side's repeats never differ although they should."""
    for name, run, arm in (("baseline", baseline, first), ("candidate", candidate, second)):
        calls = run.calls.get(arm.name, ArmCalls())
        if calls.identical_repeats and arm.params.get("temperature") != 0:
            yield f"the {name}'s repeats never differ: copies of one answer say no more than one answer"
