"""What goes into a column and what comes out again: text, JSON, responses, errors, scores.

Text: PostgreSQL refuses NUL, SQLite's text functions stop at it, and neither takes a lone surrogate. Those characters
are written as U+0010 and four hex digits (U+0010 itself too); all other text stays as it is and can be searched.

JSON: orjson where it can (it turns NaN and infinities into null). What it cannot write, such as lone surrogates and
integers past 64 bits, is written by the standard library behind one leading space, which tells the reader to use the
standard library too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, MetricFailure, Response, Score, ScoreOutcome, Usage

_ESCAPE = "\x10"
_UNSTORABLE = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10([0-9a-f]{4})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PAID_BY = "run"  # under which a response's JSON names the run that called for it

ScoreCells = tuple[float | None, str | None, str | None, bytes | None]  # value, failure, reason, details


def encode_text(text: str) -> str:
    """Return the text as both databases take it; `decode_text` gives it back exactly."""
    if _is_storable(text):
        return text
    return _UNSTORABLE.sub(lambda match: f"{_ESCAPE}{ord(match[0]):04x}", text)


def _is_storable(text: str) -> bool:
    """Return whether the pattern is not found; three times as fast as the pattern, and asked for every answer."""
    if "\x00" in text or _ESCAPE in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode_text(text: str) -> str:
    """Return the text that `encode_text` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def encode_optional(text: str | None) -> str | None:
    """Encode a text that may be absent."""
    return None if text is None else encode_text(text)


def decode_optional(text: str | None) -> str | None:
    """Decode a text that may be absent."""
    return None if text is None else decode_text(text)


def encode_json(value: Any) -> bytes:
    """Return the value as JSON; what is no JSON value is written as its `repr`, for nothing paid for may be lost."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        return b" " + _patient_json(value).encode("ascii")


def decode_json(body: bytes) -> Any:
    """Return the value that `encode_json` was given (tuples come back as lists)."""
    if body[:1] == b" ":
        return json.loads(body)
    return orjson.loads(body)


def _patient_json(value: Any) -> str:
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:  # odd keys, a circle, nested without end
        return json.dumps({"unstorable": f"{type(error).__name__}: {error}"})


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | AbstractSet):
        return list(value)
    if hasattr(value, "tolist"):  # NumPy's numbers and arrays
        return value.tolist()
    return repr(value)


def encode_time(moment: datetime) -> int:
    """Return microseconds since 1970.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def decode_time(microseconds: int) -> datetime:
    """Return the moment in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def encode_response(response: Response, run: str = "") -> tuple[str, bytes | None]:
    """Return the output as text and all else as JSON (None where there is nothing else).

    Args:
        response: what came back.
        run: the id of the run that paid for it, kept beside it.
    """
    rest: dict[str, JsonValue] = {PAID_BY: run} if run else {}
    if response.tool_calls:
        rest["tool_calls"] = response.tool_calls
    if response.meta:
        rest["meta"] = response.meta
    for name in ("refusal", "finish_reason", "model", "fingerprint", "latency_ms", "cost_usd"):
        value = getattr(response, name)
        if value is not None:
            rest[name] = value
    usage = response.usage
    tokens = [usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens]
    if tokens != [None, None, None, None]:
        rest["usage"] = tokens
    return encode_text(response.output), encode_json(rest) if rest else None


def decode_response(output: str, payload: bytes | None) -> Response:
    """Return the response that `encode_response` was given."""
    text = decode_text(output)
    if payload is None:
        return Response(output=text)
    rest = decode_json(payload)
    rest.pop(PAID_BY, None)
    rest["tool_calls"] = tuple(rest.get("tool_calls", ()))
    tokens = rest.pop("usage", None)
    if tokens is not None:
        into, out, cached, reasoning = tokens
        rest["usage"] = Usage(input_tokens=into, output_tokens=out, cached_tokens=cached, reasoning_tokens=reasoning)
    return Response(output=text, **rest)


def encode_error(error: CallError) -> tuple[str, str, bytes]:
    """Return kind, message and all else as JSON."""
    rest = [error.status, error.retryable, error.fatal, error.retry_after_s, error.attempts]
    return encode_text(error.kind), encode_text(error.message), encode_json(rest)


def decode_error(kind: str, message: str, rest: bytes) -> CallError:
    """Return the error that `encode_error` was given."""
    status, retryable, fatal, retry_after_s, attempts = decode_json(rest)
    return CallError(
        kind=decode_text(kind),
        message=decode_text(message),
        status=status,
        retryable=retryable,
        fatal=fatal,
        retry_after_s=retry_after_s,
        attempts=attempts,
    )


def encode_score(score: ScoreOutcome) -> ScoreCells:
    """Return value, failure, reason and details; NaN is stored as an absent value without a failure."""
    if isinstance(score, MetricFailure):
        return None, encode_text(score.kind), encode_text(score.message), None
    # Metrics return ints, bools and NumPy scalars too; the databases want floats.
    value = float(score.value)
    details = None if score.details is None else encode_json(score.details)
    return None if math.isnan(value) else value, None, encode_optional(score.reason), details


def decode_score(cells: ScoreCells) -> ScoreOutcome:
    """Return the score or failure that `encode_score` was given."""
    value, failure, reason, details = cells
    if failure is not None:
        return MetricFailure(kind=decode_text(failure), message=decode_text(reason or ""))
    return Score(
        value=math.nan if value is None else value,
        reason=decode_optional(reason),
        details=None if details is None else decode_json(details),
    )
