"""JSON as it crosses a wire or lies in a recording: fast, and tolerant of what real endpoints send."""

from __future__ import annotations

import json
from typing import Any

import orjson


def parse_json(data: bytes) -> Any:
    """Return the value; escaped lone surrogates, NaN and a byte order mark are accepted.

    Raises:
        ValueError: it is no JSON, or no UTF-8.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error


def dump_json(value: Any) -> bytes:
    """Return the value as ASCII or UTF-8 JSON; lone surrogates are escaped, so that any text can be sent.

    Raises:
        TypeError: a value has no JSON form.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value).encode("ascii")


def as_text(value: Any) -> str:
    """Return a string as it is and any other JSON value as its JSON text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
