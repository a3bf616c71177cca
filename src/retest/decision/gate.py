"""From verdicts to pass or fail: a pure function of what a run came to, what it is compared with, and a policy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from retest.decision.limits import run_exit_code
from retest.domain.comparison import ArmComparison, MetricComparison, RunComparison
from retest.domain.gate import GateReason, Outcome, ReasonKind, Waiver
from retest.domain.pairwise import PairwiseResult
from retest.domain.run import RunStatus
from retest.domain.suite import GatePolicy
from retest.domain.summary import ArmSummary, LimitResult, RunSummary
from retest.errors import ExitCode, worst_exit_code

_CODES: Mapping[ReasonKind, ExitCode] = {
    "regressed": ExitCode.GATE_FAILED,
    "limit": ExitCode.GATE_FAILED,
    "case_rule": ExitCode.GATE_FAILED,
    "cost": ExitCode.GATE_FAILED,
    "latency": ExitCode.GATE_FAILED,
    "judge": ExitCode.GATE_FAILED,
    "errors": ExitCode.INCOMPLETE,
    "not_comparable": ExitCode.NOTHING_TO_JUDGE,
    "baseline": ExitCode.NOTHING_TO_JUDGE,
    "unproven": ExitCode.INCONCLUSIVE,
}
_OUTCOMES: Mapping[ExitCode, Outcome] = {
    ExitCode.PASSED: "passed",
    ExitCode.GATE_FAILED: "failed",
    ExitCode.INCOMPLETE: "incomplete",
    ExitCode.NOTHING_TO_JUDGE: "nothing_to_judge",
    ExitCode.INCONCLUSIVE: "inconclusive",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedCase:
    """A case that `never_fail` names: `failed` of `samples` do not pass; 0 samples could not be judged at all."""

    arm: str
    case_id: str
    metric: str
    failed: int
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetJudge:
    """A judging metric whose judge may not gate, and why: below the agreement demanded, or never calibrated."""

    metric: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """Everything that a gate judges.

    Attributes:
        summary: of the candidate, its limits already judged.
        status: of the candidate.
        planned: samples that its plan held.
        comparison: with the baseline; None where there is none.
        guarded: the cases that must pass in every sample.
        judges: whose judges have not shown the agreement with people that the policy demands.
        latency_ms: arm -> mean latency of its answers; None where no answer says.
        waivers: of this suite.
        today: by which waivers expire.
    """

    summary: RunSummary
    status: RunStatus
    planned: int
    comparison: RunComparison | None
    guarded: tuple[GuardedCase, ...] = ()
    judges: tuple[UnmetJudge, ...] = ()
    latency_ms: Mapping[str, float | None] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    today: date = date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDecision:
    """The decision with every reason, the blocking ones first."""

    outcome: Outcome
    exit_code: ExitCode
    reasons: tuple[GateReason, ...]


def judge_gate(facts: GateFacts, policy: GatePolicy) -> GateDecision:
    """Decide whether a run passes; where several reasons block, the exit codes' order of precedence decides."""
    reasons = [_waived(reason, facts) for reason in _reasons(facts, policy)]
    codes = [_CODES[reason.kind] for reason in reasons if reason.blocking]
    # Whatever else a run alone fails by must not slip through here; limits are among the reasons, with their waivers.
    alone = replace(facts.summary, limits=(), pairwise=(*facts.summary.pairwise, *_pairwise(facts.comparison)))
    codes.append(run_exit_code(alone, policy, facts.planned))
    if facts.status == "interrupted":
        codes.append(ExitCode.INTERRUPTED)
    code = worst_exit_code(*codes)
    ordered = tuple(sorted(reasons, key=lambda reason: not reason.blocking))
    return GateDecision(outcome=_OUTCOMES[code], exit_code=code, reasons=ordered)


def _pairwise(comparison: RunComparison | None) -> Iterator[PairwiseResult]:
    """Yield what judges of pairs said; an arm that cannot be compared has a reason of its own."""
    for arm in () if comparison is None else comparison.arms:
        yield from arm.pairwise


def _reasons(facts: GateFacts, policy: GatePolicy) -> Iterator[GateReason]:
    if facts.comparison is None:
        yield _block("baseline", "there is no baseline to compare with")
    else:
        yield from comparison_reasons(facts.comparison, policy)
    for limit in facts.summary.limits:
        yield from _limit_reasons(limit, policy)
    for case in facts.guarded:
        yield from _guarded_reasons(case)
    for judge in facts.judges:
        yield replace(_block("judge", f"the judge may not gate: {judge.message}"), metric=judge.metric)
    yield from _cost_reasons(facts.summary.arms, policy)
    yield from _latency_reasons(facts.latency_ms, policy)
    yield from _completeness_reasons(facts, policy)


def _block(kind: ReasonKind, message: str, arm: str | None = None) -> GateReason:
    return GateReason(kind=kind, message=message, blocking=True, arm=arm)


# -- against the baseline ----------------------------------------------------------------------------------------------


def comparison_reasons(comparison: RunComparison, policy: GatePolicy) -> Iterator[GateReason]:
    """Yield what a comparison alone says for or against a run, before any waiver."""
    if not comparison.arms:
        yield _block("not_comparable", "no arm is in both the baseline and this run")
    for name in comparison.unpaired_arms:
        yield GateReason(kind="not_comparable", message=f"{name}: not compared", blocking=False)
    n_arms = sum(arm.is_comparable for arm in comparison.arms)
    for arm in comparison.arms:
        yield from _arm_reasons(arm, policy, n_arms)


def _arm_reasons(arm: ArmComparison, policy: GatePolicy, n_arms: int) -> Iterator[GateReason]:
    if not arm.is_comparable:
        notes = dict.fromkeys(metric.note for metric in arm.metrics if metric.note) or ["no case is in both runs"]
        yield _block("not_comparable", f"nothing could be compared: {'; '.join(notes)}", arm.candidate)
        return
    if arm.n_cases < policy.min_cases:
        few = f"{arm.n_cases} in common with the baseline, and gate.min_cases asks for {policy.min_cases}"
        yield _block("not_comparable", f"too few cases to judge: {few}", arm.candidate)
    yield from _unjudged_reasons(arm, policy)
    for metric in arm.metrics:
        reason = _metric_reason(metric, policy, n_arms)
        if reason is not None:
            yield replace(reason, arm=arm.candidate, metric=metric.metric)


def _unjudged_reasons(arm: ArmComparison, policy: GatePolicy) -> Iterator[GateReason]:
    """Yield what says that a judge failed on too many pairs of answers."""
    for result in arm.pairwise:
        tried = result.n_pairs + result.missing
        if tried and result.missing / tried > policy.max_error_rate:
            why = f": {result.failures[0]}" if result.failures else ""
            message = f"{result.missing} of {tried} pairs of answers could not be judged{why}"
            yield replace(_block("errors", message, arm.candidate), metric=result.metric)


def _metric_reason(metric: MetricComparison, policy: GatePolicy, n_arms: int) -> GateReason | None:
    if metric.verdict == "not_comparable":
        return _not_comparable(metric)
    if metric.verdict == "regressed":
        # Holm has corrected over the metrics of an arm; the gate alarms over all arms, hence their number as well.
        if metric.p_adjusted * n_arms <= policy.alpha:
            within = "; within the drift between equal runs" if metric.within_drift else ""
            return _block("regressed", f"regressed: {_change(metric)}, p {_p(metric.p_adjusted)}{within}")
        several = f"regressed taken alone, but not sure among {n_arms} arms: {_change(metric)}"
        return GateReason(kind="unproven", message=several, blocking=policy.block == "unproven")
    if metric.verdict == "inconclusive":
        message = f"inconclusive: {_change(metric)}; {_missed(metric)}"
        return GateReason(kind="unproven", message=message, blocking=policy.block == "unproven")
    return None


def _not_comparable(metric: MetricComparison) -> GateReason:
    """A metric that the suite no longer has needs no verdict; any other must have one."""
    gone = metric.note == "only in the baseline"
    message = f"not compared: {metric.note or 'no case has a score on both sides'}"
    return GateReason(kind="not_comparable", message=message, blocking=not gone)


def _change(metric: MetricComparison) -> str:
    before, after = _number(metric.baseline_mean), _number(metric.candidate_mean)
    if metric.delta is None:
        return f"{before} before, {after} now"
    signed = f"{'-' if metric.delta < 0 else '+'}{_number(abs(metric.delta))}"
    delta = f"{metric.delta:+.1%}" if metric.scale == "log" else signed
    return f"{before} before, {after} now ({delta})"


def _missed(metric: MetricComparison) -> str:
    kind = "rise" if metric.direction == "lower" else "drop"
    if metric.mde is None and metric.n_cases > 1:
        return f"which {kind} could have been missed cannot be told"
    if metric.mde is None:
        return f"a {kind} of any size could have been missed"
    size = f"{metric.mde:.1%}" if metric.scale == "log" else _number(metric.mde)
    return f"a {kind} of less than {size} could have been missed"


def _number(value: float | None) -> str:
    """Return three digits that count, and every digit before the point: 1,380 and no 1.38e+03."""
    if value is None:
        return "nothing"
    if value == 0 or not 1e-6 <= abs(value) < 1e15:  # noqa: PLR2004 - beyond, an exponent reads better
        return f"{value:.3g}"
    text = f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0")  # noqa: PLR2004 - three decimals


# -- on its own --------------------------------------------------------------------------------------------------------


def _limit_reasons(limit: LimitResult, policy: GatePolicy) -> Iterator[GateReason]:
    if limit.judgement == "pass":
        return
    side = "at least" if limit.limit == "min" else "at most"
    if limit.mean is None:  # nothing was tested, which is no pass whatever the policy
        why = "no answer has a score" if limit.subject == "mean" else "it cannot be computed from the scores there are"
        message = f"limit: the {limit.subject} must be {side} {_number(limit.value)}, and {why}"
        yield GateReason(kind="not_comparable", message=message, blocking=True, arm=limit.arm, metric=limit.metric)
        return
    what = f"the {limit.subject} must be {side} {_number(limit.value)} and is {_number(limit.mean)}"
    if limit.judgement == "fail":
        yield GateReason(kind="limit", message=f"limit: {what}", blocking=True, arm=limit.arm, metric=limit.metric)
        return
    interval = f"its interval [{_number(limit.low)}, {_number(limit.high)}] leaves open which"
    yield GateReason(
        kind="unproven",
        message=f"limit: {what}; {interval}",
        blocking=policy.block == "unproven",
        arm=limit.arm,
        metric=limit.metric,
    )


def _guarded_reasons(case: GuardedCase) -> Iterator[GateReason]:
    if case.samples and not case.failed:
        return
    kind: ReasonKind = "case_rule" if case.samples else "errors"
    message = f"must never fail, and fails in {case.failed} of {case.samples} samples"
    if not case.samples:
        message = "must never fail, and no sample of it could be judged"
    yield GateReason(kind=kind, message=message, blocking=True, arm=case.arm, metric=case.metric, case_id=case.case_id)


def _cost_reasons(arms: Sequence[ArmSummary], policy: GatePolicy) -> Iterator[GateReason]:
    if policy.max_cost_usd is None:
        return
    costs = [arm.cost_usd for arm in arms]
    if None in costs:
        yield _block("not_comparable", "gate.max_cost_usd cannot be judged: the price of some answers is unknown")
        return
    total = sum(cost for cost in costs if cost is not None)
    if total > policy.max_cost_usd:
        limit = f"gate.max_cost_usd allows ${policy.max_cost_usd:.4g}"
        yield _block("cost", f"the answers cost ${total:.4g}, {limit}")


def _latency_reasons(latency_ms: Mapping[str, float | None], policy: GatePolicy) -> Iterator[GateReason]:
    if policy.max_latency_ms is None:
        return
    limit = f"gate.max_latency_ms allows {policy.max_latency_ms:.4g}"
    for arm, mean in latency_ms.items():
        if mean is None:
            yield _block("not_comparable", "gate.max_latency_ms cannot be judged: no answer has a latency", arm)
        elif mean > policy.max_latency_ms:
            yield _block("latency", f"answers took {mean:.4g} ms on average, {limit}", arm)


def _completeness_reasons(facts: GateFacts, policy: GatePolicy) -> Iterator[GateReason]:
    stored = sum(arm.samples for arm in facts.summary.arms)
    if stored < facts.planned or facts.status != "complete":
        yield _block("errors", f"the run is {_short(facts.status)}: {stored} of {facts.planned} samples are there")
    for arm in facts.summary.arms:
        if arm.samples and arm.errors / arm.samples > policy.max_error_rate:
            limit = f"gate.max_error_rate allows {policy.max_error_rate:.3g}"
            yield _block("errors", f"{arm.errors} of {arm.samples} samples have no answer, {limit}", arm.name)
        for metric in arm.metrics:
            tried = metric.n_samples + metric.failures
            if tried and metric.failures / tried > policy.max_error_rate:
                message = f"{metric.failures} of {tried} answers could not be scored"
                yield replace(_block("errors", message, arm.name), metric=metric.name)


def _short(status: RunStatus) -> str:
    return "incomplete" if status == "complete" else status


# -- waivers -----------------------------------------------------------------------------------------------------------


def _waived(reason: GateReason, facts: GateFacts) -> GateReason:
    """Return the reason, lifted where an active waiver of its metric covers it."""
    if not reason.blocking or reason.metric is None or reason.kind not in {"regressed", "limit", "unproven"}:
        return reason
    own = [waiver for waiver in facts.waivers if waiver.metric == reason.metric]
    active = [waiver for waiver in own if waiver.is_active(facts.today)]
    if active:
        best = max(active, key=lambda waiver: waiver.expires)
        return replace(reason, blocking=False, waived_by=f"{best.reason} (until {best.expires})")
    if own:
        last = max(waiver.expires for waiver in own)
        return replace(reason, message=f"{reason.message}; its waiver expired on {last}")
    return reason
