"""Role lines, conversations and images: found in the template's text, never in a value put into it.

Each such line of the template is replaced by a mark before Jinja sees it, and the rendered text is cut at the marks.
A mark holds characters drawn at random when the process starts, so no dataset row or model output can contain one:
a value with a line ``system:`` stays text.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message

ROLES = ("system", "developer", "user", "assistant", "tool")

# Private-use characters: no filter (upper, trim, wordwrap...) changes them. 12 of 6,400 make about 150 random bits.
_NONCE = "".join(chr(0xE000 + secrets.randbelow(0x1900)) for _ in range(12))
_ROLE, _CONVERSATION, _IMAGE, _TARGET, _END, _KEEP = (_NONCE + chr(0xE000 + kind) for kind in range(6))

CONVERSATION_FILTER = "__conversation__"

_ROLE_LINE = re.compile(rf"^(\\?)({'|'.join(ROLES)})[ \t]*:[ \t]*$", re.MULTILINE | re.IGNORECASE)
_CONVERSATION_LINE = re.compile(r"^(\\?)messages:[ \t]*([^\W\d][\w.]*)[ \t]*$", re.MULTILINE)
_IMAGE_LINE = re.compile(r"^([ \t]*)(\\?)!\[([^\]\n]*)\]\((.+?)(?:[ \t]+\"[^\"\n]*\")?\)[ \t]*$", re.MULTILINE)

_CUT = re.compile(f"{_ROLE}(?P<role>.*?){_END}|{_CONVERSATION}(?P<conversation>.*?){_END}", re.DOTALL)
_IMAGE_MARK = re.compile(f"{_IMAGE}(.*?){_TARGET}(.*?){_END}", re.DOTALL)
_LEADING_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
_BLANK = " \t\n"

ImageReader = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedSource:
    """Template text with its marks; `has_roles` tells a chat from a file that is one user message."""

    text: str
    has_roles: bool


def mark_source(body: str) -> MarkedSource:
    """Replace role lines, ``messages: name`` lines and image lines by marks, line for line.

    A backslash before such a line keeps it as text.
    """
    marked = _ROLE_LINE.sub(_mark_role, body)
    marked = _CONVERSATION_LINE.sub(_mark_conversation, marked)
    has_roles = _ROLE in marked or _CONVERSATION in marked
    return MarkedSource(text=_IMAGE_LINE.sub(_mark_image, marked), has_roles=has_roles)


def _mark_role(match: re.Match[str]) -> str:
    if match[1]:
        return match[0][1:]
    return f"{_ROLE}{match[2].lower()}{_END}"


def _mark_conversation(match: re.Match[str]) -> str:
    if match[1]:
        return match[0][1:]
    return f"{_CONVERSATION}{{{{ {match[2]} | {CONVERSATION_FILTER} }}}}{_END}"


def _mark_image(match: re.Match[str]) -> str:
    if match[2]:
        return match[0].replace("\\", "", 1)
    return f"{_IMAGE}{match[3]}{_TARGET}{match[4]}{_END}"


def keep_blanks(value: str) -> str:
    """Return a value such that blanks at its ends, or its being empty, survive the trimming of messages."""
    if value and not value[0].isspace() and not value[-1].isspace():
        return value
    # The output of a macro already went through here piece by piece and may hold role marks.
    return value if _NONCE in value else f"{_KEEP}{value}{_KEEP}"


def unmarked(text: str) -> str:
    """Return text without the marks that `keep_blanks` adds."""
    return text.replace(_KEEP, "")


def split_messages(text: str, *, has_roles: bool, read_image: ImageReader) -> list[Message]:
    """Cut rendered text into messages.

    Without role lines it is one user message; text before the first role line is a system message, as in ``.prompty``.
    Blank lines that the template leaves around a message are dropped, those of a value are kept; a message that is
    blank in the template itself (an ``{% if %}`` that was false) is no message.
    """
    if not has_roles:
        return list(_message("user", text, read_image))
    return list(_messages(text, read_image))


def _messages(text: str, read_image: ImageReader) -> Iterator[Message]:
    role, start = "system", 0
    for cut in _CUT.finditer(text):
        yield from _message(role, text[start : cut.start()], read_image)
        start = cut.end()
        if cut["role"] is None:
            yield from json.loads(cut["conversation"])
            role = "user"
        else:
            role = cut["role"].lower()
    yield from _message(role, text[start:], read_image)


def _message(role: str, raw: str, read_image: ImageReader) -> Iterator[Message]:
    if role == "user" and _IMAGE in raw:
        yield {"role": role, "content": list(_parts(raw, read_image))}
        return
    content = _trimmed(_IMAGE_MARK.sub(r"![\1](\2)", raw))
    if content is not None:
        yield {"role": role, "content": content}


def _parts(raw: str, read_image: ImageReader) -> Iterator[JsonValue]:
    pieces = _IMAGE_MARK.split(raw)  # text, alt, target, text, alt, target, ..., text
    for index in range(0, len(pieces), 3):
        text = _trimmed(pieces[index])
        if text is not None:
            yield {"type": "text", "text": text}
        if index + 2 < len(pieces):
            url = read_image(unmarked(pieces[index + 2]).strip())
            yield {"type": "image_url", "image_url": {"url": url}}


def _trimmed(raw: str) -> str | None:
    """Return the text without the template's blank lines around it; None where there is nothing but them."""
    text = _LEADING_BLANK_LINES.sub("", raw).rstrip(_BLANK)
    return unmarked(text) if text else None
