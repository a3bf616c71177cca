"""The arms of a suite: every prompt with every target and parameter set, with the effective model and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from retest.domain.json_value import JsonValue
from retest.domain.suite import Arm
from retest.errors import Location
from retest.suites.prompt_entries import BuiltPrompt
from retest.suites.prompt_params import param_problems
from retest.suites.scope import SuiteScope
from retest.suites.spec import MatrixEntry, ParamSetEntry, option_keys
from retest.suites.target_entries import BuiltTarget
from retest.suites.yaml_nodes import NodePath


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltArm:
    """An arm and what can change its answers."""

    arm: Arm
    identity: JsonValue


def build_arms(
    scope: SuiteScope, prompts: Sequence[BuiltPrompt], targets: Sequence[BuiltTarget], matrix: MatrixEntry | None
) -> list[BuiltArm]:
    """Return the arms in the suite's order; what is wrong is noted in `scope`."""
    sets: Sequence[ParamSetEntry | None] = matrix.params if matrix else (None,)
    _check_sets(scope, matrix)
    for prompt in prompts:
        for target in targets:
            _warn_shadowed(scope, prompt, target)
    arms = [_arm(prompt, target, params) for prompt in prompts for target in targets for params in sets]
    _check_models(scope, arms, targets)
    _check_names(scope, arms)
    return arms


def _arm(prompt: BuiltPrompt, target: BuiltTarget, params: ParamSetEntry | None) -> BuiltArm:
    model, effective = _effective(prompt, target, params)
    suffix = f":{params.name}" if params else ""
    arm = Arm(
        name=f"{prompt.prompt.name}/{target.spec.name}{suffix}",
        prompt=prompt.prompt,
        target=target.spec,
        model=model,
        params=effective,
    )
    return BuiltArm(arm=arm, identity=[prompt.prompt.content_hash, model, effective, target.identity])


def _effective(
    prompt: BuiltPrompt, target: BuiltTarget, params: ParamSetEntry | None
) -> tuple[str | None, dict[str, JsonValue]]:
    """Return model and parameters by precedence: front matter < target < matrix set < ``--set``."""
    fixed = {key: value for key, value in target.spec.params.items() if key in target.fixed_params}
    chosen = option_keys(params) if params else {}
    model = target.spec.model or prompt.prompt.model
    if params is not None and params.model is not None and not target.model_fixed:
        model = params.model
    return model, {**prompt.prompt.params, **target.spec.params, **chosen, **fixed}


def _warn_shadowed(scope: SuiteScope, prompt: BuiltPrompt, target: BuiltTarget) -> None:
    for key, value in target.spec.params.items():
        own = prompt.prompt.params.get(key, value)
        if own != value and key not in target.fixed_params:
            scope.warn(
                "param-shadowed",
                f"{key}: {value!r:.40} of target '{target.spec.name}' overrides {key}: {own!r:.40} of prompt "
                f"'{prompt.prompt.name}'",
                _param_place(scope, target.path, key),
                details=(f"the prompt's own value stands in {prompt.prompt.path or scope.at(*prompt.path)}",),
                fix="keep the parameter in one of the two places",
            )


def _param_place(scope: SuiteScope, path: NodePath, key: str) -> Location:
    own = (*path, "params", key)
    return scope.key(*own) if scope.node(*own) is not None else scope.key("defaults", "target", "params", key)


def _check_sets(scope: SuiteScope, matrix: MatrixEntry | None) -> None:
    for index, params in enumerate(matrix.params if matrix else ()):
        path: NodePath = ("matrix", "params", index)
        values = option_keys(params)
        scope.problems.extend(param_problems(values, partial(scope.key, *path)))
        if not values and params.model is None:
            scope.error(
                "suite-empty-set",
                f"the parameter set '{params.name}' sets nothing",
                scope.at(*path),
                fix="give it a parameter, such as temperature: 0",
            )


def _check_models(scope: SuiteScope, arms: Sequence[BuiltArm], targets: Sequence[BuiltTarget]) -> None:
    unmarked = (target for target in targets if not scope.has(*target.path, "model"))  # a wrong one is reported already
    needing = {target.spec.name for target in unmarked if target.info.needs_model}
    for name in sorted(needing):
        without = [built.arm for built in arms if built.arm.target.name == name and not built.arm.model]
        if without:
            prompts = ", ".join(dict.fromkeys(f"'{arm.prompt.name}'" for arm in without))
            scope.error(
                "suite-no-model",
                f"target '{name}' has no model, and neither has prompt {prompts}",
                without[0].target.where,
                fix="add `model: ...` to the target, or to the prompt's front matter",
            )


def _check_names(scope: SuiteScope, arms: Sequence[BuiltArm]) -> None:
    for name in sorted(_repeated([built.arm.name for built in arms])):
        scope.error(
            "suite-duplicate-name",
            f"two arms are called '{name}'",
            scope.tree.where,
            details=("an arm is called prompt/target, or prompt/target:set",),
            fix="give prompts, targets and parameter sets names that stay apart",
        )


def _repeated(names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield name
        seen.add(name)
