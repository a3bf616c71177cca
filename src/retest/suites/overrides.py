"""``--set path=value``: changes a suite's tree before it is checked, so that an override is checked like the file.

A path goes through keys, list positions, and names of prompts, targets and metrics. ``target.KEY`` means every target;
a model parameter may leave ``params`` out (``target.temperature=0``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from retest.errors import Location, Problem, SuiteError
from retest.suites.prompt_params import KNOWN_PARAMS
from retest.suites.spec import TargetEntry
from retest.suites.suggestions import did_you_mean, listing
from retest.suites.yaml_nodes import Entry, ListNode, MapNode, Node, NodePath, ScalarNode, find, scalar
from retest.suites.yaml_reader import read_yaml

_PLURAL = {"prompt": "prompts", "target": "targets"}
_SHORTHAND = {"prompts": "path", "metrics": "metric", "dataset": "path", "pass_if": "min", "subset": "size"}
_LATE = frozenset({"pass_if", "subset"})  # kept short as long as nothing inside them is set
_NAME_KEYS = ("name", "path", "model", "metric", "provider")
_TARGET_DEPTH = 2  # ("targets", index)

OptionKeys: TypeAlias = "Callable[[str], Collection[str]]"  # provider -> keys of its options


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """One ``--set``: where it goes, in words, and the value."""

    parts: tuple[str, ...]
    value: Node
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Overridden:
    """A tree with overrides applied, the paths they wrote, and those that fit nothing."""

    tree: MapNode
    paths: frozenset[NodePath]
    problems: tuple[Problem, ...]


def parse_override(text: str) -> Override:
    """Read ``path=value``; the value is a YAML 1.2 scalar, or a list or mapping in brackets.

    Raises:
        SuiteError: no ``=``, an empty part, or an unreadable value.
    """
    path, equals, value = text.partition("=")
    where = Location(path=f"--set {path}")  # without the value, which may be private
    parts = tuple(path.strip().split("."))
    if not equals or not all(parts):
        raise SuiteError(
            Problem(
                slug="suite-override",
                message=f"--set wants path=value, found '{path}'",
                fix="such as --set samples=3 or --set target.temperature=0",
            )
        )
    stripped = value.strip()
    if stripped.startswith(("[", "{", '"', "'")):
        return Override(parts=parts, value=read_yaml(stripped, where.path), where=where)
    return Override(parts=parts, value=scalar(stripped, where), where=where)


def apply_overrides(tree: MapNode, overrides: Sequence[Override], option_keys: OptionKeys) -> Overridden:
    """Apply overrides in order; one that fits nothing is a problem and changes nothing."""
    tree = _spelled_out(tree)
    paths: set[NodePath] = set()
    problems: list[Problem] = []
    for override in overrides:
        try:
            for path in _resolve(tree, override, option_keys):
                tree = _spelled_out(_as_map(_write(tree, path, override)))
                paths.add(path)
        except _NothingFitsError as error:
            problems.append(error.problem)
    return Overridden(tree=tree, paths=frozenset(paths), problems=tuple(problems))


class _NothingFitsError(Exception):
    def __init__(self, override: Override, message: str, name: str = "", known: Collection[str] = ()) -> None:
        super().__init__(message)
        self.problem = Problem(
            slug="suite-override",
            message=message,
            where=override.where,
            details=(f"there is: {listing(known)}",) if known else (),
            fix=did_you_mean(name, known),
        )


def _spelled_out(tree: MapNode) -> MapNode:
    """Return the tree with short forms written out: plural keys, lists of mappings, ``{path: ...}`` for a bare text."""
    entries: dict[str, Entry] = {}
    for key, entry in tree.entries.items():
        plural = _PLURAL.get(key, key)
        name = key if plural in tree.entries else plural  # both are a mistake, which is reported as the file has it
        entries[name] = replace(entry, node=_spelled_entry(name, entry.node))
    return replace(tree, entries=entries)


def _spelled_entry(key: str, node: Node) -> Node:
    if key in {"prompts", "targets", "judges", "metrics"}:
        items = node.items if isinstance(node, ListNode) else (node,)
        return ListNode(items=tuple(_spelled_map(key, item) for item in items), where=node.where)
    return _spelled_map(key, node) if key == "dataset" else node


def _spelled_map(key: str, node: Node) -> Node:
    if isinstance(node, MapNode):
        return node
    filled = _SHORTHAND.get(key)
    if key == "dataset" and isinstance(node, ListNode) and any(isinstance(item, MapNode) for item in node.items):
        filled = "cases"
    if filled is None or (isinstance(node, ScalarNode) and node.value is None):
        return node
    return MapNode(entries={filled: Entry(key=node.where, node=node)}, where=node.where)


def _resolve(tree: MapNode, override: Override, option_keys: OptionKeys) -> list[NodePath]:
    """Return the paths in the tree that an override means; singular keys mean every entry."""
    first, *rest = override.parts
    plural = _PLURAL.get(first)
    if plural is None or not rest:
        return [_walk(tree, (plural or first,), rest, override, option_keys)]
    node = find(tree, (plural,))
    count = len(node.items) if isinstance(node, ListNode) else 0
    if count == 0:
        raise _NothingFitsError(override, f"the suite has no {plural}")
    return [_walk(tree, (plural, index), rest, override, option_keys) for index in range(count)]


def _walk(tree: MapNode, path: NodePath, rest: Sequence[str], override: Override, option_keys: OptionKeys) -> NodePath:
    """Return the path that `rest` leads to from `path`; the last steps may be new keys."""
    rest = list(rest)
    while rest:
        node = find(tree, path)
        if isinstance(node, ListNode):
            index, used = _position(node, path, rest, override)
            path, rest = (*path, index), rest[used:]
        elif isinstance(node, MapNode) or node is None or _has_short_form(node, path):
            if _is_target(path) and _is_param(node, rest[0], option_keys):
                path = (*path, "params")
                node = find(tree, path)
            used = _key_length(node, rest)
            path, rest = (*path, ".".join(rest[:used])), rest[used:]
        else:
            raise _NothingFitsError(override, f"'{_dotted(path)}' is a single value, and has no '{rest[0]}'")
    return path


def _position(node: ListNode, path: NodePath, rest: Sequence[str], override: Override) -> tuple[int, int]:
    """Return the position meant in a list, and how many parts name it (names may hold dots: gpt-4.1)."""
    names = [_entry_name(item) for item in node.items]
    for used in range(len(rest), 0, -1):
        name = ".".join(rest[:used])
        if name in names:
            return names.index(name), used
    if rest[0].isdecimal() and int(rest[0]) < len(names):
        return int(rest[0]), 1
    known = [name for name in names if name]
    raise _NothingFitsError(override, f"nothing in '{_dotted(path)}' is called '{rest[0]}'", rest[0], known)


def _entry_name(node: Node) -> str:
    if not isinstance(node, MapNode):
        return node.text if isinstance(node, ScalarNode) else ""
    values = (node.entries[key].node for key in _NAME_KEYS if key in node.entries)
    return next((value.text for value in values if isinstance(value, ScalarNode)), "")


def _has_short_form(node: ScalarNode, path: NodePath) -> bool:
    """Return whether a value stands for a mapping: an empty one, or one with a single key."""
    return node.value is None or path[-1] in _LATE


def _key_length(node: Node | None, rest: Sequence[str]) -> int:
    """Return how many parts make the next key: the longest that exists, else one."""
    known = node.entries if isinstance(node, MapNode) else {}
    return next((used for used in range(len(rest), 0, -1) if ".".join(rest[:used]) in known), 1)


def _is_target(path: NodePath) -> bool:
    return path[0] in {"targets", "judges"} and len(path) == _TARGET_DEPTH


def _is_param(node: Node | None, key: str, option_keys: OptionKeys) -> bool:
    """Return whether a key of a target is meant for its params."""
    provider = find(node, ("provider",)) if node is not None else None
    options = option_keys(provider.text) if isinstance(provider, ScalarNode) else ()
    return key in KNOWN_PARAMS and key not in TargetEntry.model_fields and key not in options


def _write(node: Node | None, path: NodePath, override: Override) -> Node:
    """Return a copy of the tree with the value at a path; missing mappings on the way are made."""
    if not path:
        return override.value
    part, rest = path[0], path[1:]
    if isinstance(node, ListNode) and isinstance(part, int):
        items = list(node.items)
        items[part] = _write(items[part], rest, override)
        return replace(node, items=tuple(items))
    entries = dict(node.entries) if isinstance(node, MapNode) else {}
    old = entries.get(str(part))
    before = old.node if old is not None else None
    if before is not None and rest and part in _LATE:
        before = _spelled_map(str(part), before)
    key = old.key if old and rest else override.where
    entries[str(part)] = Entry(key=key, node=_write(before, rest, override))
    return MapNode(entries=entries, where=node.where if node is not None else override.where)


def _as_map(node: Node) -> MapNode:
    if not isinstance(node, MapNode):  # a path is never empty, so the root stays a mapping
        raise TypeError("the root of a suite is a mapping")
    return node


def _dotted(path: NodePath) -> str:
    return ".".join(str(part) for part in path)
