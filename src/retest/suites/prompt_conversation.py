"""A conversation that a row carries, placed into a prompt by a ``messages: name`` line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Undefined

from retest.suites.prompt_errors import RenderError
from retest.suites.prompt_marks import ROLES

_SHAPE = 'a list such as [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]'


def conversation_json(value: Any) -> str:
    """Return a conversation as ASCII JSON.

    Raises:
        RenderError: it is not a list of messages.
    """
    if isinstance(value, Undefined):
        str(value)  # raises, with the name
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise _bad(f"a conversation must be {_SHAPE}, not {_kind(value)}")
    return json.dumps([_message(index, message) for index, message in enumerate(value)])


def _message(index: int, message: Any) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise _bad(f"message {index + 1} of the conversation must be an object with role and content")
    role = message.get("role")
    if role not in ROLES:
        raise _bad(f"message {index + 1} of the conversation has the role {role!r}; known: {', '.join(ROLES)}")
    content = message.get("content")
    if not isinstance(content, str | list | None) or (content is None and "tool_calls" not in message):
        raise _bad(f"message {index + 1} of the conversation must have text (or a list of parts) as content")
    return dict(message)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"text ({value[:40]!r})"
    return "an object" if isinstance(value, Mapping) else type(value).__name__


def _bad(message: str) -> RenderError:
    return RenderError(slug="prompt-conversation", message=message, fix=f"give the variable {_SHAPE}")
