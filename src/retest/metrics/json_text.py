"""JSON in a model's output: what it says, or in plain words why it is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

from pydantic import Field

from retest.domain.json_value import JsonValue
from retest.metrics.base import MetricOptions
from retest.metrics.references import quoted

_SPACE = " \t\r\n"
_FENCE = re.compile(r"`{3,}|~{3,}")
_LANGUAGE = re.compile(r"[A-Za-z][\w+-]*(?=\s)")
_FENCED_BLOCK = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^[ \t]*\1|\Z)", re.DOTALL | re.MULTILINE)
_START = re.compile(r"[{\[]")
# A text of nothing but brackets would be tried at each of them.
_MAX_STARTS = 1000

_TOO_DEEP = "the JSON is nested too deeply"

_ODD_CHARACTERS = {
    "\u3000": ("a full-width space", "an ordinary space"),
    "\u00a0": ("a no-break space", "an ordinary space"),
    "、": ("a Japanese comma '、'", "','"),
    "'": ("a single quote", "'\"'"),
} | {char: (f"a typographic quote '{char}'", "'\"'") for char in "“”„‟‘’「」『』"}


class NotJsonError(ValueError):
    """The text is no JSON; the message says why."""


class JsonOptions(MetricOptions):
    """Options of the metrics that read JSON."""

    strict: bool = Field(
        default=True,
        description="The output is JSON, in a code fence or bare; `false` also finds it in surrounding text: "
        "the first code fence with JSON, else the longest object or list",
    )
    duplicate_keys: Literal["refuse", "last"] = Field(
        "refuse", description="A key twice in one object makes the JSON invalid, or its last value counts"
    )


class JsonReader:
    """Reads outputs as the options say."""

    __slots__ = ("_decoder", "_strict")

    def __init__(self, options: JsonOptions) -> None:
        self._strict = options.strict
        hook = _refuse_duplicates if options.duplicate_keys == "refuse" else None
        self._decoder = json.JSONDecoder(object_pairs_hook=hook, parse_constant=_refuse_constant)

    def read(self, text: str) -> JsonValue:
        """Return the value of a text.

        Raises:
            NotJsonError: there is none.
        """
        text = text.strip(_SPACE)
        if not text:
            raise NotJsonError("the output is empty")
        try:
            return self._value(_without_fence(text))
        except NotJsonError as error:
            if self._strict:
                raise
            return self._search(text, error)

    def _value(self, text: str) -> JsonValue:
        try:
            value: JsonValue = self._decoder.decode(text)
        except json.JSONDecodeError as error:
            raise NotJsonError(_explanation(text, error)) from None
        except NotJsonError:
            raise
        except ValueError:
            raise NotJsonError("a number with thousands of digits") from None
        except RecursionError:
            raise NotJsonError(_TOO_DEEP) from None
        return value

    def _search(self, text: str, why_not: NotJsonError) -> JsonValue:
        for block in _FENCED_BLOCK.finditer(text):
            try:
                return self._value(block[2])
            except NotJsonError:
                continue
        longest = max(self._objects(text), key=lambda found: found[0], default=None)
        if longest is None:
            raise why_not
        return longest[1]

    def _objects(self, text: str) -> Iterator[tuple[int, JsonValue]]:
        """Yield length and value of each object or list that stands in the text by itself.

        Raises:
            NotJsonError: one is cut off, nested too deeply or refused; its parts are not taken for the answer.
        """
        position = 0
        for _ in range(_MAX_STARTS):
            start = _START.search(text, position)
            if start is None:
                return
            try:
                value, position = self._decoder.raw_decode(text, start.start())
            except json.JSONDecodeError as error:
                if error.pos >= len(text.rstrip(_SPACE)) or error.msg.startswith("Unterminated"):
                    raise NotJsonError(_explanation(text, error)) from None
                position = start.end()
                continue
            except RecursionError:
                raise NotJsonError(_TOO_DEEP) from None
            yield position - start.start(), value


def _without_fence(text: str) -> str:
    """Return what a code fence around the whole text holds, else the text."""
    fence = _FENCE.match(text)
    if fence is None or len(text) < 2 * fence.end() or not text.endswith(fence[0]):
        return text
    body = text[fence.end() : -fence.end()]
    language = _LANGUAGE.match(body)
    return (body[language.end() :] if language else body).strip(_SPACE)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise NotJsonError(f"the key {quoted(key)} occurs twice in one object")
        seen.add(key)
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is no JSON number")


def _explanation(text: str, error: json.JSONDecodeError) -> str:
    place = f"at line {error.lineno} column {error.colno}"
    if error.pos >= len(text):
        return f"the JSON ends too early, {place}"
    wrong_sign = _wrong_sign(text[error.pos], place)
    if wrong_sign is not None:
        return wrong_sign
    if text.startswith(("```", "~~~")):
        closed = text.find(text[:3], 3) > 0
        return "there is more than one code fence with JSON" if closed else "the code fence is not closed"
    if error.msg == "Extra data":
        return f"text after the JSON {place}: {quoted(text[error.pos :], 40)}"
    if error.pos == 0:
        return f"does not start as JSON: {quoted(text, 40)}"
    message = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
    return f"{message} {place}, found {quoted(text[error.pos :], 20)}"


def _wrong_sign(char: str, place: str) -> str | None:
    """Return what to say where a sign stands that looks like one of JSON's, or cannot be seen."""
    if char == "\ufeff":
        return f"a byte order mark (U+FEFF) {place}, which JSON does not allow"
    odd = _odd(char)
    return None if odd is None else f"{odd[0]} (U+{ord(char):04X}) {place}; JSON needs {odd[1]}"


def _odd(char: str) -> tuple[str, str] | None:
    if "！" <= char <= "～":
        return f"full-width '{char}'", f"'{chr(ord(char) - 0xFEE0)}'"
    return _ODD_CHARACTERS.get(char)
