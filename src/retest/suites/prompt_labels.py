"""The labels in a prompt's front matter: left out of what makes its version, and changed with all else as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"---[ \t]*\r?\n")
_CLOSING = re.compile(r"^---[ \t]*(?:\r?\n|\Z)", re.MULTILINE)
_PLAIN = re.compile(r"[^\W\d][\w.-]*")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})  # which some readers take for others
_KEY = "labels"


class LabelsError(ValueError):
    """The labels cannot be changed in place; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """Front matter in its text: `start` to `end` is the YAML, `body` where the prompt begins."""

    text: str
    start: int
    end: int
    body: int

    @property
    def yaml(self) -> str:
        return self.text[self.start : self.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """Where `labels` stands in the text, from the start of its first line to behind its last line's end.

    Attributes:
        value: of what stands behind the colon; of a block list, of all its lines' items.
        items: start and end of each label, in order.
        block: it is a list of lines with dashes.
    """

    start: int
    end: int
    value: tuple[int, int]
    items: tuple[tuple[int, int], ...]
    labels: tuple[str, ...]
    block: bool


def without_labels(text: str) -> str:
    """Return a prompt's text as it would be had it never carried labels: what its version is made of.

    Front matter of labels alone goes with them, so that a plain prompt stays the same version when it is labelled.
    """
    if _KEY not in text[: text.find("\n---", 3) + 1]:
        return text
    header = _header(text)
    entry = None if header is None else _entry(header)
    if header is None or entry is None:
        return text
    return _cut(header, entry)


def with_labels(text: str, labels: Sequence[str]) -> str:
    """Return a prompt's text with these labels in place of its own, every other byte as it was.

    Raises:
        LabelsError: its front matter is written in a form that cannot be changed in place.
    """
    header = _header(text)
    newline = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"
    if header is None:
        if _FENCE.match(text.removeprefix("\ufeff")):
            raise LabelsError("its front matter has no closing '---'")
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        block = f"---{newline}{_KEY}: {_flow(labels)}{newline}---{newline}"
        return f"{mark}{block}{text.removeprefix(mark)}" if labels else text
    entry = _entry(header)
    if entry is None:
        if header.yaml.lstrip().startswith("{"):
            raise LabelsError("its front matter is written in braces")
        before = "" if not header.yaml or header.yaml.endswith("\n") else newline
        line = f"{before}{_KEY}: {_flow(labels)}{newline}"
        return text[: header.end] + line + text[header.end :] if labels else text
    if not labels and not _comment(header, entry):
        return _cut(header, entry)
    if entry.block and labels:
        return _with_lines(text, entry, labels, newline)
    return text[: entry.value[0]] + _gap(text, entry) + _flow(labels) + text[entry.value[1] :]


def _header(text: str) -> _Header | None:
    mark = 1 if text.startswith("\ufeff") else 0
    opening = _FENCE.match(text, mark)
    closing = None if opening is None else _CLOSING.search(text, opening.end())
    if opening is None or closing is None:
        return None
    return _Header(text=text, start=opening.end(), end=closing.start(), body=closing.end())


def _entry(header: _Header) -> _Entry | None:
    """Return where the labels stand; None where there are none, or the front matter is no YAML in lines."""
    import yaml

    try:
        tree = yaml.compose(header.yaml, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError):
        return None
    if not isinstance(tree, yaml.MappingNode) or tree.flow_style:
        return None
    key, value = next(((key, value) for key, value in tree.value if key.value == _KEY), (None, None))
    if key is None or value is None:
        return None
    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value] if value.value else []
    items = tuple((header.start + one.start_mark.index, header.start + one.end_mark.index) for one in nodes)
    block = isinstance(value, yaml.SequenceNode) and not value.flow_style
    # A block list ends for YAML where the next key starts, comments between them included.
    last = items[-1][1] if block else header.start + value.end_mark.index
    line_end = header.text.find("\n", last, header.end)
    return _Entry(
        start=header.text.rfind("\n", 0, header.start + key.start_mark.index) + 1,
        end=header.end if line_end < 0 else line_end + 1,
        value=(header.start + value.start_mark.index, last),
        items=items,
        labels=tuple(str(one.value) for one in nodes),
        block=block,
    )


def _cut(header: _Header, entry: _Entry) -> str:
    text = header.text
    rest = text[header.start : entry.start] + text[entry.end : header.end]
    body = text[header.body :]
    if rest.strip() or _FENCE.match(body):
        return text[: entry.start] + text[entry.end :]
    return ("\ufeff" if text.startswith("\ufeff") else "") + body


def _comment(header: _Header, entry: _Entry) -> bool:
    """Return whether somebody wrote something beside the labels, which is kept."""
    return "#" in header.text[entry.value[1] : entry.end]


def _gap(text: str, entry: _Entry) -> str:
    """Return the blank that is missing behind the colon of a key without a value."""
    return " " if text[entry.value[0] - 1 : entry.value[0]] == ":" else ""


def _with_lines(text: str, entry: _Entry, labels: Sequence[str], newline: str) -> str:
    """Return the text with lines of a block list taken out and added; the others stay as they are."""
    first = text.rfind("\n", 0, entry.items[0][0]) + 1
    dash = text[first : entry.items[0][0]]
    added = [label for label in labels if label not in entry.labels]
    lines = "".join(f"{dash}{_scalar(label)}{newline}" for label in added)
    changed = text[: entry.end] + lines + text[entry.end :]
    for (start, stop), label in reversed(list(zip(entry.items, entry.labels, strict=True))):
        if label not in labels:
            line = changed.rfind("\n", 0, start) + 1
            changed = changed[:line] + changed[changed.find("\n", stop) + 1 :]
    return changed


def _flow(labels: Sequence[str]) -> str:
    return f"[{', '.join(map(_scalar, labels))}]"


def _scalar(label: str) -> str:
    plain = _PLAIN.fullmatch(label) and label.lower() not in _WORDS
    return label if plain else json.dumps(label, ensure_ascii=False)
