"""Which arms of a run are alternatives to one another."""

from __future__ import annotations

from collections.abc import Iterator

from retest.domain.json_value import content_hash
from retest.domain.run import Run


def arm_groups(run: Run) -> list[list[int]]:
    """Return groups of arms by index: prompts on the same target, else all targets of the one prompt."""
    several_prompts = len({arm.prompt_name for arm in run.arms}) > 1
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, arm in enumerate(run.arms):
        key = (arm.target_name, content_hash(dict(arm.params))) if several_prompts and _same_params(run) else ()
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def arm_pairs(run: Run) -> Iterator[tuple[int, int]]:
    """Yield (baseline, candidate) by index, in the arms' order: each arm against the first of its group."""
    first_of = {index: group[0] for group in arm_groups(run) for index in group}
    for index in range(len(run.arms)):
        if first_of[index] != index:
            yield first_of[index], index


def _same_params(run: Run) -> bool:
    """Return whether grouping by target and parameters leaves every group with more than one arm."""
    groups = [(arm.target_name, content_hash(dict(arm.params))) for arm in run.arms]
    return all(groups.count(group) > 1 for group in groups)
