"""Chat arrays: prompts written as JSON or YAML lists of messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from retest.errors import Location, Problem, SuiteError
from retest.suites.front_matter import Place
from retest.suites.prompt_marks import CONVERSATION_FILTER, ROLES
from retest.suites.suggestions import did_you_mean, listing
from retest.suites.yaml_nodes import locate, plain
from retest.suites.yaml_reader import read_yaml

_MESSAGE_KEYS = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal", "audio", "function_call")
_JINJA = ("{{", "{%", "{#")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatArray:
    """A chat array and, where the file is an object around it, the other keys of that object.

    `place` gives the location of a path from the top of the file; `prefix` is the path of the array.
    """

    messages: list[Any]
    place: Place
    header: Mapping[str, Any] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def where(self, index: int) -> Location:
        """Return the place of a message."""
        return self.place((*self.prefix, index))


def read_array(text: str, *, display: str, is_json: bool) -> ChatArray:
    """Read a list of messages, or an object with `messages` and the keys of front matter.

    Raises:
        SuiteError: bad JSON or YAML, another shape.
    """
    value, place = _read_json(text, display) if is_json else _read_yaml(text, display)
    if isinstance(value, list):
        return ChatArray(messages=value, place=place)
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        header = {key: item for key, item in value.items() if key != "messages"}
        return ChatArray(messages=value["messages"], header=header, place=place, prefix=("messages",))
    raise SuiteError(
        Problem(
            slug="prompt-array",
            message="a .json or .yaml prompt must be a list of messages, or an object with a list `messages`",
            where=Location(path=display, line=1),
            fix='write [{"role": "user", "content": "{{ question }}"}]',
        )
    )


def message_problems(array: ChatArray) -> list[Problem]:
    """Return what is wrong with the messages' shape."""
    if not array.messages:
        return [Problem(slug="prompt-empty", message="the prompt has no messages", where=array.place(()))]
    problems = []
    for index, message in enumerate(array.messages):
        found = _message_fault(message)
        if found is not None:
            fault, fix = found
            problems.append(
                Problem(
                    slug="prompt-array",
                    message=f"message {index + 1} {fault}",
                    where=array.where(index),
                    fix=fix,
                )
            )
    return problems


def has_jinja(text: str) -> bool:
    """Return whether a string needs Jinja at all."""
    return any(mark in text for mark in _JINJA)


def conversation_source(name: str) -> str:
    """Return the template that writes the conversation in a variable as JSON."""
    return f"{{{{ {name} | {CONVERSATION_FILTER} }}}}"


def _message_fault(message: Any) -> tuple[str, str | None] | None:
    if not isinstance(message, dict):
        return "must be an object with role and content", None
    if set(message) == {"messages"}:
        name = message["messages"]
        ok = isinstance(name, str) and all(part.isidentifier() for part in name.split("."))
        return None if ok else ("must name a variable, as in {messages: history}", None)
    unknown = [key for key in message if key not in _MESSAGE_KEYS]
    if unknown:
        return f"has the unknown key '{unknown[0]}' (known: {listing(_MESSAGE_KEYS)})", did_you_mean(
            unknown[0], _MESSAGE_KEYS
        )
    role = message.get("role")
    if role not in ROLES:
        fix = did_you_mean(role, ROLES) if isinstance(role, str) else None
        return f"has the role {role!r} (known: {', '.join(ROLES)})", fix
    return _content_fault(message)


def _content_fault(message: Mapping[str, Any]) -> tuple[str, str | None] | None:
    content = message.get("content")
    if content is None and "tool_calls" not in message:
        return "has no content", None
    if not isinstance(content, str | list | None):
        return "must have text or a list of parts as content", None
    if isinstance(content, list) and not all(isinstance(part, dict) and "type" in part for part in content):
        return "must have parts that are objects with a type", 'write {"type": "text", "text": "..."}'
    return None


def _read_yaml(text: str, display: str) -> tuple[Any, Place]:
    node = read_yaml(text, display)
    return plain(node), lambda path: locate(node, path, key=True)


def _read_json(text: str, display: str) -> tuple[Any, Place]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = Location(path=display, line=error.lineno, column=error.colno)
        raise SuiteError(
            Problem(slug="prompt-json", message=f"this is not valid JSON: {error.msg}", where=where)
        ) from None
    except (RecursionError, ValueError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else "has a number of too many digits"
        raise SuiteError(
            Problem(slug="prompt-json", message=f"this JSON {what}", where=Location(path=display, line=1))
        ) from None
    places = list(_item_places(text, display)) if isinstance(value, list) else []
    start = Location(path=display, line=1)
    return value, lambda path: places[path[0]] if path and places and isinstance(path[0], int) else start


def _item_places(text: str, display: str) -> Iterator[Location]:
    """Yield the places of the items of a top-level array of valid JSON."""
    decoder = json.JSONDecoder()
    position = _after_separators(text, text.index("[") + 1)
    while text[position] != "]":
        line = text.count("\n", 0, position) + 1
        yield Location(path=display, line=line, column=position - text.rfind("\n", 0, position))
        _, end = decoder.raw_decode(text, position)
        position = _after_separators(text, end)


def _after_separators(text: str, position: int) -> int:
    while text[position] in " \t\n,":
        position += 1
    return position
