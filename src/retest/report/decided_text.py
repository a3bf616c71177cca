"""What a run that was sampled until decided came to, in plain sentences that every format shares."""

from __future__ import annotations

from collections.abc import Iterator

from retest.domain.run import Run
from retest.domain.sequential import MetricStand, SequentialDecision, read_decision
from retest.report.numbers import format_p, plural


def run_decision(run: Run | None) -> SequentialDecision | None:
    """Return what the looks at a run came to, None where it was sampled in one go."""
    return None if run is None else read_decision(run.summary)


def decided_lines(decision: SequentialDecision) -> list[str]:
    """Return how far it was sampled and what that saved, then why it could not stop earlier."""
    notes = [] if decision.stopped_early else list(decision.notes)
    again = [_again(decision)] if decision.rechecked else []
    return [_extent(decision), *again, *notes]


def verdict_lines(decision: SequentialDecision) -> Iterator[str]:
    """Yield the verdict of each metric as the last look left it."""
    several = len(decision.arms) > 1
    for arm in decision.arms:
        for metric in arm.metrics:
            name = f"{arm.candidate} · {metric.metric}" if several else metric.metric
            yield f"{name}: {metric.verdict.replace('_', ' ')} {_against(arm.baseline, decision)} ({_p(metric)})"


def _again(decision: SequentialDecision) -> str:
    suspects = plural(decision.rechecked, "suspected case")
    return f"{suspects} sampled again with what was saved: {plural(decision.rechecked_samples, 'sample')}"


def _extent(decision: SequentialDecision) -> str:
    if decision.stopped_early:
        per_case = _per_case(decision)
        left = decision.samples_planned - decision.samples - decision.rechecked_samples
        if decision.calls_saved == left:
            return f"decided after {per_case}: {left:,} of {plural(decision.samples_planned, 'call')} saved"
        saved = f"{plural(decision.calls_saved, 'call')} saved, the ledger has the others"
        return f"decided after {per_case}: {left:,} of {plural(decision.samples_planned, 'sample')} not needed; {saved}"
    if decision.looks_planned == 0:
        return "not decided while it was sampled: every sample was taken"
    looks = f"{decision.looks} of {plural(decision.looks_planned, 'look')}"
    if decision.outcome == "undecided":
        return f"undecided: cut short after {looks}"
    if decision.outcome == "inconclusive":
        return f"not decided after {looks}: every sample was taken, no call saved"
    return "decided at the last look: every sample was taken, no call saved"


def _per_case(decision: SequentialDecision) -> str:
    share = decision.samples / max(1, decision.samples_planned)
    taken = f"{share * decision.samples_per_case:.1f}".removesuffix(".0")
    return f"{taken} of {plural(decision.samples_per_case, 'sample')} a case (look {decision.looks})"


def _against(baseline: str, decision: SequentialDecision) -> str:
    return f"against {decision.against or baseline}"


def _p(metric: MetricStand) -> str:
    improved = metric.verdict == "improved"
    p = format_p(metric.p_better if improved else metric.p_adjusted)
    return f"p {p} over all looks"
