"""From what an HTTP endpoint did wrong to a `CallError`: its kind, whether to retry, whether all is lost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from retest.domain.sample import CallError
from retest.targets.credentials import CUT
from retest.targets.wire_json import as_text, parse_json

_UNAUTHORIZED, _PAYMENT_REQUIRED, _FORBIDDEN, _NOT_FOUND = 401, 402, 403, 404
_REQUEST_TIMEOUT, _CONFLICT, _TOO_MANY, _SERVER_ERROR = 408, 409, 429, 500
_FIRST_ERROR, _LAST_ERROR = 400, 599
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "responsibleaipolicyviolation"})
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "insufficient_balance"})
_LONGEST_MESSAGE = 500
_SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorBody:
    """What an error body says: a message for people, codes for programs (lower case)."""

    message: str
    codes: frozenset[str] = frozenset()
    status: int | None = None


def read_error_body(body: bytes) -> ErrorBody:
    """Return the message and codes of an error body in any of the usual forms, or its text."""
    try:
        value = parse_json(body)
    except ValueError:
        return ErrorBody(message=shorten(body.decode("utf-8", "replace")))
    return describe_error(value)


def describe_error(value: Any) -> ErrorBody:
    """Return the message and codes of a parsed error body."""
    if isinstance(value, list) and value:  # Gemini wraps its error object in a list
        value = value[0]
    inner = value.get("error", value) if isinstance(value, Mapping) else value
    if not isinstance(inner, Mapping):
        return ErrorBody(message=shorten(as_text(inner)))
    message = inner.get("message") or inner.get("detail") or inner.get("error") or inner
    nested = inner.get("innererror")
    found = [inner.get("code"), inner.get("type"), nested.get("code") if isinstance(nested, Mapping) else None]
    status = next((code for code in found if type(code) is int and _FIRST_ERROR <= code <= _LAST_ERROR), None)
    codes = frozenset(code.lower() for code in found if isinstance(code, str))
    return ErrorBody(message=shorten(as_text(message)), codes=codes, status=status)


def shorten(text: str) -> str:
    """Return a text on one line, short enough for a message."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_MESSAGE else f"{line[:_LONGEST_MESSAGE]}{CUT}"


def beginning(body: bytes) -> str:
    """Return how a body begins, on one line."""
    shown = " ".join(body[:_SHOWN_BYTES].decode("utf-8", "replace").split())
    return shown if len(body) <= _SHOWN_BYTES else f"{shown}{CUT}"


def status_error(status: int, body: ErrorBody, headers: Mapping[str, str], now: float) -> CallError:
    """Return the error for a refused request; `now` (Unix time) turns a Retry-After date into seconds."""
    kind, retryable, fatal = _classify(status, body.codes)
    return CallError(
        kind=kind,
        message=f"HTTP {status}: {body.message}" if body.message else f"HTTP {status}",
        status=status,
        retryable=retryable,
        fatal=fatal,
        retry_after_s=retry_after_s(headers, now) if retryable else None,
    )


def _classify(status: int, codes: frozenset[str]) -> tuple[str, bool, bool]:
    """Return kind, retryable, fatal."""
    if codes & _FILTER_CODES and status < _SERVER_ERROR:
        return "content_filter", False, False
    if codes & _QUOTA_CODES:
        return "rate_limit", False, True
    fatal_kinds = {
        _UNAUTHORIZED: "authentication",
        _PAYMENT_REQUIRED: "permission",
        _FORBIDDEN: "permission",
        _NOT_FOUND: "not_found",
    }
    if status in fatal_kinds:
        return fatal_kinds[status], False, True
    retryable_kinds = {_REQUEST_TIMEOUT: "timeout", _CONFLICT: "server_error", _TOO_MANY: "rate_limit"}
    if status in retryable_kinds or status >= _SERVER_ERROR:
        return retryable_kinds.get(status, "server_error"), True, False
    return "bad_request", False, False


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return how long the server asks to wait: ``retry-after-ms``, or ``Retry-After`` in seconds or as a date.

    A date counts from the server's own `Date`, where it sends one: our clock may be off by a day.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    until = _date_s(text)
    sent = _date_s(headers.get("date", ""))
    return None if until is None else max(0.0, until - (now if sent is None else sent))


def _date_s(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def bad_response(message: str, *, status: int | None = None) -> CallError:
    """Return the error for an answer that cannot be used; another attempt may bring a better one."""
    return CallError(kind="bad_response", message=message, status=status, retryable=True)


def error_in_success(value: Any) -> CallError:
    """Return the error for a 200 whose body is an error object; gateways put the upstream's status into its code."""
    body = describe_error(value)
    if body.status is not None or body.codes & (_FILTER_CODES | _QUOTA_CODES):
        return status_error(body.status or _FIRST_ERROR, body, {}, 0.0)
    return bad_response(f"the server answered 200 with an error: {body.message}", status=200)
