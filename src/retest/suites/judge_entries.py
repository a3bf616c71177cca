"""A suite's judges: endpoints written like targets, with limits of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retest.domain.json_value import JsonValue, content_hash
from retest.domain.judge import JudgeLimits, JudgeSpec
from retest.domain.target import TargetSpec
from retest.suites.arms import BuiltArm
from retest.suites.scope import RawEntry, SuiteScope
from retest.suites.spec import JudgeEntry, TargetEntry
from retest.suites.target_entries import BuiltTarget, build_targets
from retest.suites.untrusted_checks import limited

_JUDGE_KEYS = tuple(key for key in JudgeEntry.model_fields if key not in TargetEntry.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltJudge:
    """A checked judge; `identity` is what can change its verdicts."""

    spec: JudgeSpec
    identity: JsonValue


def build_judges(scope: SuiteScope, entries: Sequence[RawEntry]) -> list[BuiltJudge]:
    """Return the checked judges; what is wrong is noted in `scope`."""
    own = {path: {key: value for key, value in entry.items() if key in _JUDGE_KEYS} for path, entry in entries}
    like_targets = [
        (path, {key: value for key, value in entry.items() if key not in _JUDGE_KEYS}) for path, entry in entries
    ]
    built = build_targets(scope, like_targets, None, kind="judge")
    _check_models(scope, built)
    return [_judge(scope, target, own[target.path]) for target in built]


def _judge(scope: SuiteScope, target: BuiltTarget, own: dict[str, Any]) -> BuiltJudge:
    spec = JudgeSpec(
        target=target.spec,
        limits=JudgeLimits(**(own.get("limits") or {})),
        structured=own.get("structured"),
        same_model=bool(own.get("same_model")),
    )
    # Not its name: what a judge says does not change with what the suite calls it.
    return BuiltJudge(
        spec=limited(scope, spec),
        identity=[target.identity, target.spec.model, dict(target.spec.params), spec.structured],
    )


def _check_models(scope: SuiteScope, judges: Sequence[BuiltTarget]) -> None:
    for judge in judges:
        if judge.info.needs_model and not judge.spec.model:
            scope.error(
                "suite-no-model",
                f"judge '{judge.spec.name}' has no model",
                judge.spec.where,
                details=("a judge's model is always named in the suite",),
                fix="add `model: ...` to the judge",
            )


def check_same_model(scope: SuiteScope, judges: Sequence[JudgeSpec], arms: Sequence[BuiltArm]) -> None:
    """Note judges that are the model under test without the suite saying so.

    A model rates its own answers higher than others do (Panickssery et al. 2024), so that is a choice to be made.
    """
    for judge in judges:
        under_test = next((built.arm for built in arms if _is_same(judge.target, built)), None)
        if under_test is not None and not judge.same_model:
            named = judge.target.model or judge.target.provider
            scope.error(
                "suite-judge-under-test",
                f"judge '{judge.name}' is the model under test: {named} also answers as '{under_test.name}'",
                judge.target.where,
                details=("a model tends to prefer its own answers",),
                fix="name another model, or add `same_model: true` to the judge",
            )


def _is_same(judge: TargetSpec, built: BuiltArm) -> bool:
    arm = built.arm
    if judge.model is not None or arm.model is not None:
        return judge.model == arm.model
    return judge.provider == arm.target.provider and content_hash(dict(judge.options)) == content_hash(
        dict(arm.target.options)
    )
