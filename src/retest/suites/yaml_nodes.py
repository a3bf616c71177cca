"""YAML as a tree whose every key and value knows where it stands.

What plain scalars mean is decided here, by the core schema of YAML 1.2.2 (section 10.3.2), because PyYAML follows
YAML 1.1, where ``Yes``, ``on`` and ``12:30:45`` are not text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem, SuiteError

NodePath: TypeAlias = "tuple[str | int, ...]"
YamlScalar: TypeAlias = "bool | int | float | str | None"

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, YamlScalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """A single value; `text` is how the file spells it (without quotes)."""

    value: YamlScalar
    text: str
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    """A sequence."""

    items: tuple[Node, ...]
    where: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key's place and its value."""

    key: Location
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A mapping; keys are text, in the file's order."""

    entries: Mapping[str, Entry]
    where: Location


Node: TypeAlias = "ScalarNode | ListNode | MapNode"


def plain(node: Node) -> JsonValue:
    """Return the node as dicts, lists and scalars."""
    if isinstance(node, MapNode):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def step(node: Node, part: str | int) -> Entry | None:
    """Return the entry of a mapping or list one step down, or None where there is none."""
    if isinstance(node, MapNode):
        return node.entries.get(str(part))
    if isinstance(node, ListNode) and isinstance(part, int) and part < len(node.items):
        item = node.items[part]
        return Entry(key=item.where, node=item)
    return None


def find(node: Node, path: Sequence[str | int]) -> Node | None:
    """Return the node at a path of keys and indices, or None where the path leads nowhere."""
    for part in path:
        entry = step(node, part)
        if entry is None:
            return None
        node = entry.node
    return node


def locate(node: Node, path: Sequence[str | int], *, key: bool = False) -> Location:
    """Return where the value (or the key) at a path stands, as far as the path leads."""
    where = node.where
    for part in path:
        entry = step(node, part)
        if entry is None:
            return where
        node = entry.node
        where = entry.key if key else node.where
    return where


def scalar(text: str, where: Location) -> ScalarNode:
    """Return a plain scalar read by the core schema.

    Raises:
        SuiteError: a number that does not fit.
    """
    return ScalarNode(value=resolve_scalar(text, where), text=text, where=where)


def yaml_problem(slug: str, message: str, where: Location, fix: str | None = None) -> SuiteError:
    """Return the error of one YAML problem."""
    return SuiteError(Problem(slug=slug, message=message, where=where, fix=fix))


def resolve_scalar(text: str, where: Location) -> YamlScalar:
    """Return what a plain scalar means in the core schema of YAML 1.2.

    Raises:
        SuiteError: a number that does not fit.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _integer(text, where)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            raise yaml_problem("yaml-number", "the number is too large", where, "quote it if it is meant as text")
        return number
    return text


def _integer(text: str, where: Location) -> int:
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    try:
        return int(text)
    except ValueError:  # Python refuses more than some thousands of digits, which take quadratic time
        message = f"the number has {len(text)} digits"
        raise yaml_problem("yaml-number", message, where, "quote it if it is meant as text") from None
