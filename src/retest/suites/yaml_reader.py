"""Reads YAML text or bytes into nodes.

The scanner is libyaml's (through PyYAML), whose errors, limits and version are hidden here.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from retest.errors import Location, Problem, SuiteError
from retest.suites.yaml_nodes import (
    Entry,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    YamlScalar,
    resolve_scalar,
    yaml_problem,
)

MAX_DEPTH = 100  # levels of nesting: real files stay below 10, and recursion over the tree stays safe
MAX_ALIASED = 1_000_000  # characters and nodes that aliases may repeat: no small file unfolds to gigabytes

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAKS_OF_YAML_1_1 = ("\x85", "\u2028", "\u2029")  # ordinary characters since YAML 1.2, line breaks to libyaml
_CORE_TAGS = {f"tag:yaml.org,2002:{kind}": kind for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def read_yaml(data: bytes | str, path: str, *, first_line: int = 1) -> Node:
    """Read one YAML document.

    Args:
        data: the file's bytes (UTF-8, or UTF-16 with a byte order mark) or its text.
        path: the name that locations carry.
        first_line: the line of the file on which `data` starts, for front matter.

    Raises:
        SuiteError: not text, not YAML, more or less than one document, a key twice, an unknown tag, or an alias bomb.
    """
    text = _decode(data, path, first_line) if isinstance(data, bytes) else data.removeprefix("\ufeff")
    _refuse_unprintable(text, path, first_line)
    text, restore = _hide_old_breaks(text)
    return _Composer(path=path, first_line=first_line, text=text, restore=restore).compose()


def _decode(data: bytes, path: str, first_line: int) -> str:
    encoding, bom = next(((name, mark) for mark, name in _BOMS if data.startswith(mark)), ("utf-8", b""))
    body = data[len(bom) :]
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(encoding, "replace")
        where = _place_after(before, path, first_line)
        raise yaml_problem(
            "yaml-encoding",
            f"the file is not valid {encoding.upper()}: byte 0x{body[error.start]:02x} cannot stand here",
            where,
            "save the file as UTF-8",
        ) from None


def _refuse_unprintable(text: str, path: str, first_line: int) -> None:
    found = _UNPRINTABLE.search(text)
    if found is None:
        return
    name = "a NUL character" if found[0] == "\0" else f"the control character U+{ord(found[0]):04X}"
    raise yaml_problem(
        "yaml-encoding",
        f"{name} cannot stand in YAML",
        _place_after(text[: found.start()], path, first_line),
        'remove it, or write it as an escape in double quotes, such as "\\u0007"',
    )


def _place_after(before: str, path: str, first_line: int) -> Location:
    lines = re.split("\r\n|\r|\n", before)
    return Location(path=path, line=first_line + len(lines) - 1, column=len(lines[-1]) + 1)


def _hide_old_breaks(text: str) -> tuple[str, dict[int, str]]:
    """Swap characters that only YAML 1.1 takes for line breaks with private ones; return the way back too."""
    swap: dict[int, int] = {}
    unused = (code for code in range(0xF8FF, 0xDFFF, -1) if chr(code) not in text)
    for old in _BREAKS_OF_YAML_1_1:
        if old in text:
            swap[ord(old)] = next(unused)
    return text.translate(swap) if swap else text, {new: chr(old) for old, new in swap.items()}


class _Mark(Protocol):
    """Where libyaml stands, counted from 0; its own class and PyYAML's are unrelated."""

    @property
    def index(self) -> int: ...

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class _Frame:
    """A mapping or list that is still open; `size` is what it unfolds to, in nodes and characters."""

    where: Location
    anchor: str | None
    is_map: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: ScalarNode | None = None
    size: int = 1

    def close(self) -> Node:
        if self.is_map:
            return MapNode(entries=self.entries, where=self.where)
        return ListNode(items=tuple(self.items), where=self.where)


@dataclass(slots=True, kw_only=True)
class _Composer:
    """Builds the tree from libyaml's events without recursion."""

    path: str
    first_line: int
    text: str
    restore: Mapping[int, str]
    stack: list[_Frame] = field(default_factory=list)
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)
    root: Node | None = None
    documents: int = 0
    aliased: int = 0
    problems: list[Problem] = field(default_factory=list)

    def compose(self) -> Node:
        """Return the root."""
        for event in self._events():
            self._take(event)
        if self.problems:
            raise SuiteError(*self.problems)
        if self.root is None:
            where = Location(path=self.path, line=self.first_line, column=1)
            raise yaml_problem("yaml-empty", "the file is empty", where)
        return self.root

    def _events(self) -> Iterator[yaml.events.Event]:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            yield from yaml.parse(self.text, Loader=loader)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_problem(error) from None
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            where = Location(path=self.path, line=self.first_line, column=1)
            raise yaml_problem("yaml-syntax", f"this is not YAML: {error}", where) from None

    def _syntax_problem(self, error: yaml.MarkedYAMLError) -> SuiteError:
        mark = error.problem_mark or error.context_mark
        message = error.problem or "unreadable"
        if mark is None:
            return yaml_problem("yaml-syntax", f"this is not YAML: {message}", Location(path=self.path))
        message, fix = self._explain(message, mark)
        return yaml_problem("yaml-syntax", f"this is not YAML: {message}", self._at(mark), fix)

    def _explain(self, message: str, mark: _Mark) -> tuple[str, str | None]:
        if "mapping values are not allowed" in message:
            return "a second ': ' in one line", "quote a text that holds ': ', and check the indentation"
        if "cannot start any token" not in message:
            return message, None
        found = self.text[mark.index : mark.index + 1]
        if found == "\t":
            return "a tab stands where YAML wants spaces", "indent with spaces"
        return f"a value cannot start with {found!r}", "put the value in quotes"

    def _at(self, mark: _Mark | None) -> Location:
        if mark is None:
            return Location(path=self.path)
        return Location(path=self.path, line=self.first_line + mark.line, column=mark.column + 1)

    def _take(self, event: yaml.events.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add_scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            frame = self.stack.pop()
            self._place(frame.close(), frame.size, frame.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self._add_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise yaml_problem(
                    "yaml-documents", "a second document starts here", self._at(event.start_mark), "keep one per file"
                )

    def _add_scalar(self, event: yaml.ScalarEvent) -> None:
        where = self._at(event.start_mark)
        text = event.value.translate(self.restore) if self.restore else event.value
        kind = self._kind(event.tag, where)
        if kind is None:
            value = resolve_scalar(text, where) if event.implicit[0] else text
        else:
            value = self._tagged(kind, text, where)
        self._place(ScalarNode(value=value, text=text, where=where), 1 + len(text), event.anchor)

    def _tagged(self, kind: str, text: str, where: Location) -> YamlScalar:
        if kind == "str":
            return text
        value = resolve_scalar(text, where)
        value = float(value) if kind == "float" and type(value) is int else value
        names = {"int": int, "float": float, "bool": bool, "null": type(None)}
        if type(value) is not names.get(kind):
            self.problems.append(Problem(slug="yaml-tag", message=f"{text!r} is no !!{kind}", where=where))
        return value

    def _kind(self, tag: str | None, where: Location) -> str | None:
        if tag is None or tag == "!":
            return None if tag is None else "str"
        if tag not in _CORE_TAGS:
            short = tag.replace("tag:yaml.org,2002:", "!!")
            self.problems.append(
                Problem(slug="yaml-tag", message=f"unknown tag {short!r}", where=where, fix="remove the tag")
            )
            return None
        return _CORE_TAGS[tag]

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        where = self._at(event.start_mark)
        if len(self.stack) >= MAX_DEPTH:
            raise yaml_problem("yaml-too-deep", f"more than {MAX_DEPTH} levels of nesting", where)
        self._kind(event.tag, where)
        if event.anchor is not None:
            self.anchors[event.anchor] = None  # open: an alias to it from inside would never end
        is_map = isinstance(event, yaml.MappingStartEvent)
        self.stack.append(_Frame(where=where, anchor=event.anchor, is_map=is_map))

    def _add_alias(self, event: yaml.AliasEvent) -> None:
        where = self._at(event.start_mark)
        known = self.anchors.get(event.anchor or "")
        if known is None:
            inside = event.anchor in self.anchors
            reason = "contains itself" if inside else "has no anchor before it"
            raise yaml_problem("yaml-alias", f"the alias '*{event.anchor}' {reason}", where)
        node, size = known
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            raise yaml_problem("yaml-alias", "aliases unfold to more than a million nodes and characters", where)
        self._place(node, size, None, where)

    def _place(self, node: Node, size: int, anchor: str | None, where: Location | None = None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, size)
        if not self.stack:
            self.root = node
            return
        frame = self.stack[-1]
        frame.size += size
        if not frame.is_map:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._as_key(node, where or node.where)
        else:
            self._add_entry(frame, frame.key, node)
            frame.key = None

    def _as_key(self, node: Node, where: Location) -> ScalarNode:
        if isinstance(node, ScalarNode) and node.value is not None:
            if node.text == "<<":
                self.problems.append(
                    Problem(
                        slug="yaml-merge-key",
                        message="YAML 1.2 has no merge key '<<'",
                        where=where,
                        fix="write the keys out; in a suite, `defaults:` holds what targets or metrics share",
                    )
                )
            return ScalarNode(value=node.text, text=node.text, where=where)
        what = "nothing" if isinstance(node, ScalarNode) else "a list or mapping"
        raise yaml_problem(
            "yaml-key",
            f"a key must be text, found {what}",
            where,
            "quote a text that starts with { or [, such as '{{ question }}'",
        )

    def _add_entry(self, frame: _Frame, key: ScalarNode, node: Node) -> None:
        first = frame.entries.get(key.text)
        if first is not None:
            self.problems.append(
                Problem(
                    slug="yaml-duplicate-key",
                    message=f"the key {key.text!r} stands twice in one mapping",
                    where=key.where,
                    details=(f"first at {first.key}",),
                    fix="keep one of them",
                )
            )
        frame.entries[key.text] = Entry(key=key.where, node=node)
