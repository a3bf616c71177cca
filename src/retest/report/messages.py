"""Rendered messages on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.json_value import JsonValue
from retest.report.escape import visible

_ROLE_STYLE = {"system": "magenta", "developer": "magenta", "user": "cyan", "assistant": "green", "tool": "yellow"}


def rendered_prompt(entry: Mapping[str, object]) -> RenderableType:
    """Return one rendered prompt: where it belongs, its parameters, its messages by role."""
    head = Text(visible(str(entry["arm"])), "bold")
    if entry["case_id"] is not None:
        head.append(f"  case {visible(str(entry['case_id']))}")
    settings = {"model": entry["model"], **_mapping(entry["params"])}
    known = {name: value for name, value in settings.items() if value is not None}
    if known:
        head.append(f"\n{visible(json.dumps(known, ensure_ascii=False, default=str))}", "dim")
    messages = entry["messages"]
    return Group(head, *message_parts(messages if isinstance(messages, list) else []))


def message_parts(messages: Sequence[Mapping[str, JsonValue]]) -> list[RenderableType]:
    """Return messages with their role above each."""
    parts: list[RenderableType] = []
    for message in messages:
        role = str(message.get("role", "?"))
        parts.append(Text(f"{visible(role)}:", _ROLE_STYLE.get(role, "bold")))
        parts.append(Text(visible(message_text(message))))
    return parts


def message_text(message: Mapping[str, JsonValue]) -> str:
    """Return a message's content as text; parts that are no text are named."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list | tuple):
        return "\n".join(_part_text(part) for part in content)
    rest = {name: value for name, value in message.items() if name != "role"}
    return json.dumps(rest, ensure_ascii=False, default=str)


def _part_text(part: JsonValue) -> str:
    if isinstance(part, Mapping):
        if isinstance(part.get("text"), str):
            return str(part["text"])
        return f"[{part.get('type', 'part')}{_source(part)}]"
    return str(part)


def _source(part: Mapping[str, JsonValue]) -> str:
    """Return where an image is; one that is sent along is named by its size, not by its bytes."""
    url = _mapping(part.get("image_url")).get("url")
    if not isinstance(url, str):
        return ""
    head, _, data = url.partition(",")
    return f" {head},… {len(data):,} characters" if url.startswith("data:") else f" {url}"


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
