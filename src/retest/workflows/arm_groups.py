"""Which arms of a run are alternatives to one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunArm


def arm_groups(run: Run) -> list[list[int]]:
    """Return groups of arms by index: prompts on the same target, else all targets of the one prompt."""
    return _groups(run.arms)


def _groups(arms: Sequence[RunArm]) -> list[list[int]]:
    several_prompts = len({arm.prompt_name for arm in arms}) > 1
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, arm in enumerate(arms):
        key = (arm.target_name, content_hash(dict(arm.params))) if several_prompts and _same_params(arms) else ()
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def arm_pairs(run: Run) -> Iterator[tuple[int, int]]:
    """Return (baseline, candidate) by index, in the arms' order: each arm against the first of its group."""
    return paired_arms(run.arms)


def paired_arms(arms: Sequence[RunArm]) -> Iterator[tuple[int, int]]:
    """Yield the same for arms whose run has not begun."""
    first_of = {index: group[0] for group in _groups(arms) for index in group}
    for index in range(len(arms)):
        if first_of[index] != index:
            yield first_of[index], index


def _same_params(arms: Sequence[RunArm]) -> bool:
    """Return whether grouping by target and parameters leaves every group with more than one arm."""
    groups = [(arm.target_name, content_hash(dict(arm.params))) for arm in arms]
    return all(groups.count(group) > 1 for group in groups)
