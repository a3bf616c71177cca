"""From a suite's tree to its spec, going on past mistakes so that all of them are found at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from retest.suites.literal_secrets import secret_problems
from retest.suites.scope import RawEntry, SuiteScope
from retest.suites.spec import MetricEntry, PromptEntry, SuiteSpec
from retest.suites.spec_problems import Subject, spec_problems
from retest.suites.yaml_nodes import ListNode, Node, NodePath, plain

_LISTS = ("prompts", "targets", "judges", "metrics", "redact")
_ATTEMPTS = 4  # leaving parts out can bring new mistakes, which are no news to the user
_TWINS = (("prompts", "prompt"), ("targets", "target"))
_SHORTHAND = {"prompts": PromptEntry.shorthand, "prompt": PromptEntry.shorthand, "metrics": MetricEntry.shorthand}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSpec:
    """A suite's spec without the parts that are wrong; `dropped` names those by their paths."""

    spec: SuiteSpec
    dropped: frozenset[NodePath]
    scope: SuiteScope

    def entries(self, *keys: str) -> list[RawEntry]:
        """Return the entries under a key (or its singular), each with its path, as mappings without what is wrong."""
        key = next((key for key in keys if self.scope.has(key) and (key,) not in self.dropped), None)
        node = self.scope.node(key) if key is not None else None
        if key is None or node is None:
            return []
        items: list[tuple[NodePath, Node]] = [((key,), node)]
        if isinstance(node, ListNode):
            items = [((key, index), item) for index, item in enumerate(node.items)]
        sound = [(path, item) for path, item in items if path not in self.dropped]
        return [(path, _as_mapping(key, _without(plain(item), self.dropped, path))) for path, item in sound]


def read_spec(scope: SuiteScope) -> ReadSpec:
    """Check the suite's form; every mistake is noted in `scope`."""
    _check_twins(scope)
    scope.problems.extend(secret_problems(scope.tree))
    data: Any = plain(scope.tree)
    dropped: set[NodePath] = set()
    for attempt in range(_ATTEMPTS):
        try:
            spec = SuiteSpec.model_validate(_without(data, dropped))
        except ValidationError as error:
            if attempt == 0:
                scope.problems.extend(spec_problems(error, Subject(model=SuiteSpec, scope=scope)))
            whole = attempt == _ATTEMPTS - 2
            dropped |= {detail["loc"][:1] if whole else _part(data, detail["loc"]) for detail in error.errors()}
        else:
            return ReadSpec(spec=spec, dropped=frozenset(dropped), scope=scope)
    return ReadSpec(spec=SuiteSpec(), dropped=frozenset((key,) for key in data), scope=scope)


def _check_twins(scope: SuiteScope) -> None:
    for plural, singular in _TWINS:
        if scope.has(plural) and scope.has(singular):
            scope.error(
                "suite-both-keys",
                f"the suite has both '{plural}' and '{singular}'",
                scope.key(singular),
                details=(f"'{plural}' at {scope.key(plural)}",),
                fix=f"keep one; several go under '{plural}'",
            )


def _part(data: Any, loc: NodePath) -> NodePath:
    """Return the part to leave out for a mistake: the innermost key, or the whole entry of a list."""
    path: NodePath = ()
    for key in loc:
        entry_of_list = len(path) == 1 and path[0] in _LISTS and isinstance(data, list) and isinstance(key, int)
        if not entry_of_list and not (isinstance(data, dict) and key in data):
            break
        path, data = (*path, key), data[key]
    return path


def _without(data: Any, dropped: Collection[NodePath], path: NodePath = ()) -> Any:
    """Return a copy without the dropped parts; a list that loses its last entry goes too."""
    if isinstance(data, dict):
        kept = {key: value for key, value in data.items() if (*path, key) not in dropped}
        inner = {key: _without(value, dropped, (*path, key)) for key, value in kept.items()}
        return {key: value for key, value in inner.items() if value != [] or data[key] == []}
    if isinstance(data, list) and len(path) == 1 and path[0] in _LISTS:
        kept_items = [(index, item) for index, item in enumerate(data) if (*path, index) not in dropped]
        return [_without(item, dropped, (*path, index)) for index, item in kept_items]
    return data


def _as_mapping(key: str, value: Any) -> Any:
    shorthand = _SHORTHAND.get(key)
    return {shorthand: value} if shorthand is not None and isinstance(value, str) else value
