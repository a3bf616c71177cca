"""What two runs have in common: which arms, cases and metrics pair, what differs, and what forbids a comparison.

Everything here is decided from fingerprints, before any statistic.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from retest.domain.comparison import Difference, UnpairedCase
from retest.domain.json_value import JsonValue
from retest.domain.pairwise import PAIRWISE
from retest.domain.run import RunArm, RunMetric
from retest.domain.scores import ArmCalls, RunScores, ScoredCase
from retest.domain.suite import SameKey
from retest.errors import Problem, UsageError

Rescoring = Literal["none", "changed_cases", "baseline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmPairs:
    """Arms to compare, and the arms that are left over with the reason."""

    pairs: tuple[tuple[RunArm, RunArm], ...]
    unpaired: tuple[str, ...] = ()


def pair_arms(baseline: RunScores, candidate: RunScores, chosen: tuple[str, str] | None = None) -> ArmPairs:
    """Pair arms of equal name, or the two that are named; one arm on each side pairs whatever the names.

    Raises:
        UsageError: a run has no arm of the name given.
    """
    if chosen is not None:
        return ArmPairs(pairs=((_named_arm(baseline, chosen[0]), _named_arm(candidate, chosen[1])),))
    if len(baseline.arms) == len(candidate.arms) == 1:
        return ArmPairs(pairs=((baseline.arms[0], candidate.arms[0]),))
    pairs = [(first, second) for first in baseline.arms if (second := candidate.arm(first.name)) is not None]
    paired = {first.name for first, _ in pairs}
    left_over = [
        f"arm {arm.name}: only in the {side}"
        for side, run in (("baseline", baseline), ("candidate", candidate))
        for arm in run.arms
        if arm.name not in paired
    ]
    return ArmPairs(pairs=tuple(pairs), unpaired=tuple(left_over))


def _named_arm(run: RunScores, name: str) -> RunArm:
    arm = run.arm(name)
    if arm is not None:
        return arm
    names = [known.name for known in run.arms]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    raise UsageError(
        Problem(
            slug="arm-unknown",
            message=f"run {run.label} has no arm '{name}'",
            details=(f"it has: {', '.join(names)}",),
            fix=f"did you mean '{close[0]}'?" if close else None,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePairs:
    """Cases that pair, in the candidate's order; those that do not, with the reason.

    `reworded` are the paired cases whose expected answer differs: their scores must be made anew before they compare.
    """

    paired: tuple[str, ...]
    unpaired: tuple[UnpairedCase, ...] = ()
    reworded: frozenset[str] = frozenset()


def pair_cases(baseline: Mapping[str, ScoredCase], candidate: Mapping[str, ScoredCase]) -> CasePairs:
    """Pair cases by id where their content is equal."""
    paired = [case_id for case_id, case in candidate.items() if _same_content(baseline.get(case_id), case)]
    return CasePairs(
        paired=tuple(paired),
        unpaired=tuple(_unpaired(baseline, candidate)),
        reworded=frozenset(
            case_id for case_id in paired if baseline[case_id].expected_hash != candidate[case_id].expected_hash
        ),
    )


def _same_content(first: ScoredCase | None, second: ScoredCase) -> bool:
    return first is not None and first.content_hash == second.content_hash


def _unpaired(baseline: Mapping[str, ScoredCase], candidate: Mapping[str, ScoredCase]) -> Iterator[UnpairedCase]:
    for case_id, case in baseline.items():
        other = candidate.get(case_id)
        if other is None:
            yield UnpairedCase(case_id=case_id, reason="only in the baseline")
        elif other.content_hash != case.content_hash:
            yield UnpairedCase(case_id=case_id, reason="edited: its variables differ")
    for case_id in candidate:
        if case_id not in baseline:
            yield UnpairedCase(case_id=case_id, reason="only in the candidate")


def unsampled(pairs: CasePairs, sides: Mapping[str, Collection[str]]) -> tuple[UnpairedCase, ...]:
    """Return the paired cases that have no score on a side.

    Args:
        pairs: of the two runs.
        sides: ``baseline`` and ``candidate`` -> the cases with a score of the arm in question.
    """
    found = []
    for case_id in pairs.paired:
        empty = [side for side, scored in sides.items() if case_id not in scored]
        if empty:
            found.append(UnpairedCase(case_id=case_id, reason=f"no sample in the {' and the '.join(empty)}"))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """How a metric becomes comparable.

    Attributes:
        metric: the candidate's definition, by which both sides are judged.
        rescoring: which stored outputs must be scored anew first.
        refusal: why it can never be compared; None where it can.
    """

    metric: RunMetric
    rescoring: Rescoring = "none"
    refusal: str | None = None


def plan_metrics(
    baseline: RunScores, candidate: RunScores, pairs: CasePairs, wanted: Sequence[str] = ()
) -> tuple[MetricPlan, ...]:
    """Return every metric of either run (or those wanted) with what must be scored anew.

    Raises:
        UsageError: neither run has a metric that is asked for.
    """
    known = {metric.name: metric for metric in (*baseline.metrics, *candidate.metrics)}
    for name in wanted:
        if name not in known:
            raise _unknown_metric(name, list(known))
    return tuple(_plan(baseline, candidate, pairs, name) for name in known if not wanted or name in wanted)


def _plan(baseline: RunScores, candidate: RunScores, pairs: CasePairs, name: str) -> MetricPlan:
    before, after = baseline.metric(name), candidate.metric(name)
    if after is None:
        assert before is not None, "the name is one run's or the other's"  # noqa: S101 - tells the type checker
        return MetricPlan(metric=before, refusal="only in the baseline")
    if after.metric == PAIRWISE:
        return MetricPlan(metric=after)  # it scores no answer alone, so there is nothing to score anew
    if before is None or before.signature != after.signature:
        return MetricPlan(metric=after, rescoring="baseline")
    return MetricPlan(metric=after, rescoring="changed_cases" if pairs.reworded else "none")


def _unknown_metric(name: str, known: Sequence[str]) -> UsageError:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return UsageError(
        Problem(
            slug="metric-not-in-run",
            message=f"neither run has a metric '{name}'",
            details=(f"they have: {', '.join(known)}",),
            fix=f"did you mean '{close[0]}'?" if close else None,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmSide:
    """One side of a pair of arms: the arm, and what its provider returned."""

    arm: RunArm
    calls: ArmCalls = field(default_factory=ArmCalls)


def arm_differences(
    before: ArmSide, after: ArmSide, require_same: Sequence[SameKey] = ()
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Return what differs between two arms, and what changed without being asked for.

    Prompt, model and parameters are what people compare: they are declared, and block only by `require_same`. The same
    model name that answers under another id is a change behind the user's back.
    """
    first, second = before.arm, after.arm
    found = [
        Difference(what="arm", before=first.name, after=second.name) if first.name != second.name else None,
        _difference("prompt", first.prompt_hash[:12], second.prompt_hash[:12]),
        _difference("model", first.model, second.model, blocking="model" in require_same),
        *_target_differences(first, second),
        *(_params(first.params, second.params, blocking="params" in require_same)),
    ]
    return tuple(item for item in found if item is not None), tuple(_silent_changes(before, after))


def _target_differences(first: RunArm, second: RunArm) -> Iterator[Difference | None]:
    """Yield what differs of the targets: the provider, else the parts of their identities (endpoint, code, file)."""
    if first.provider != second.provider:
        yield _difference("provider", first.provider, second.provider)
        return
    before, after = _leaves(first.identity), _leaves(second.identity)
    for name in dict.fromkeys([*before, *after]):
        yield _difference(f"target {name}".rstrip(), before.get(name), after.get(name))


def _leaves(value: JsonValue, name: str = "") -> dict[str, JsonValue]:
    """Return dotted name -> value of everything in nested mappings."""
    if not isinstance(value, Mapping):
        return {name: value}
    found: dict[str, JsonValue] = {}
    for key, item in value.items():
        found |= _leaves(item, f"{name}.{key}" if name else str(key))
    return found


def _params(
    before: Mapping[str, JsonValue], after: Mapping[str, JsonValue], *, blocking: bool
) -> Iterator[Difference | None]:
    for name in dict.fromkeys([*before, *after]):
        yield _difference(f"parameter {name}", before.get(name), after.get(name), blocking=blocking)


def _difference(what: str, before: JsonValue, after: JsonValue, *, blocking: bool = False) -> Difference | None:
    if before == after:
        return None
    return Difference(what=what, before=_spell(before), after=_spell(after), blocking=blocking)


def _spell(value: JsonValue) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _silent_changes(before: ArmSide, after: ArmSide) -> Iterator[str]:
    """Yield changes of what the provider returned under the same model name."""
    if before.arm.model != after.arm.model:
        return
    name = f"model {after.arm.model}" if after.arm.model else f"target {after.arm.target_name}"
    for what, first, second in (
        ("answered as", before.calls.models, after.calls.models),
        ("ran with the system fingerprint", before.calls.fingerprints, after.calls.fingerprints),
    ):
        if first and second and set(first) != set(second):
            yield f"{name} {what} {', '.join(first)} in the baseline and {', '.join(second)} in the candidate"


def run_differences(baseline: RunScores, candidate: RunScores, pairs: CasePairs) -> tuple[Difference, ...]:
    """Return what differs between two runs as wholes."""
    found = [
        _difference("suite", baseline.suite, candidate.suite),
        _dataset(baseline, candidate, pairs),
        _difference("samples per case", baseline.samples_per_case, candidate.samples_per_case),
        _difference("draw", baseline.draw, candidate.draw),
        *(_metric_difference(baseline, candidate, metric.name) for metric in candidate.metrics),
    ]
    return tuple(item for item in found if item is not None)


def _dataset(baseline: RunScores, candidate: RunScores, pairs: CasePairs) -> Difference | None:
    if baseline.dataset_fingerprint == candidate.dataset_fingerprint and not pairs.unpaired and not pairs.reworded:
        return None
    common = f"{len(pairs.paired)} in common"
    return Difference(
        what="dataset", before=f"{len(baseline.cases)} cases", after=f"{len(candidate.cases)} cases, {common}"
    )


def _metric_difference(baseline: RunScores, candidate: RunScores, name: str) -> Difference | None:
    before, after = baseline.metric(name), candidate.metric(name)
    if before is None or after is None:
        return None
    return _difference(f"metric {name}", before.signature, after.signature)


def blocked_by(differences: Sequence[Difference]) -> str | None:
    """Return why two arms must not be compared; None where nothing forbids it."""
    blocking = [item.what for item in differences if item.blocking]
    if not blocking:
        return None
    return f"gate.require_same forbids it: {', '.join(blocking)} {'differ' if len(blocking) > 1 else 'differs'}"
