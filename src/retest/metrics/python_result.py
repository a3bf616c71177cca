"""What a user's metric function returns, made a score; anything else is a failure that names what came."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Literal

from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Score, ScoreOutcome
from retest.metrics.references import clipped

_VALUE_KEYS = ("score", "value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a function declares about its values; None where a limit is open."""

    low: float | None = 0.0
    high: float | None = 1.0
    direction: Literal["higher", "lower"] = "higher"
    binary: bool = False

    @property
    def range_text(self) -> str:
        """Return the range as ``0..1``, ``0..`` or ``..0``."""
        low, high = ("" if limit is None else f"{limit:g}" for limit in (self.low, self.high))
        return f"{low}..{high}"


def outcome_of(result: object, declared: Declared) -> ScoreOutcome:
    """Return the score that a number, a bool, ``{score, reason, details}`` or a `Score` stands for."""
    if isinstance(result, MetricFailure):
        return result
    if isinstance(result, Score):
        return _checked(result.value, result.reason, result.details, declared)
    if isinstance(result, Mapping):
        return _from_mapping(result, declared)
    return _checked(result, None, None, declared)


def _from_mapping(result: Mapping[object, object], declared: Declared) -> ScoreOutcome:
    key = next((key for key in _VALUE_KEYS if key in result), None)
    if key is None:
        return _bad(f"{clipped(dict(result))} without 'score'")
    reason, details = result.get("reason"), result.get("details")
    rest = {name: value for name, value in result.items() if name not in {key, "reason", "details"}}
    if details is not None and not isinstance(details, Mapping):
        details = {"details": details}
    merged = {**(details or {}), **rest}
    return _checked(result[key], None if reason is None else str(reason), merged or None, declared)


def _checked(
    value: object,
    reason: str | None,
    details: Mapping[object, object] | Mapping[str, JsonValue] | None,
    declared: Declared,
) -> ScoreOutcome:
    number = _number(value)
    if number is None:
        return _bad(_named(value))
    if not math.isfinite(number):
        return _bad(f"{number}, which is no score")
    low, high = declared.low, declared.high
    if (low is not None and number < low) or (high is not None and number > high):
        return _bad(f"{number:g}, outside its range {declared.range_text}; declare `range` if that is meant")
    return Score(value=number, reason=reason, details=None if details is None else _plain(details))


def _number(value: object) -> float | None:
    if isinstance(value, Real | Decimal):
        return _as_float(value)
    item = getattr(value, "item", None)
    # NumPy and PyTorch scalars; an array of several values raises here.
    if callable(item):
        try:
            value = item()
        except (ValueError, TypeError, RuntimeError):
            return None
        if isinstance(value, Real):
            return _as_float(value)
    return None


def _as_float(value: Real | Decimal) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.inf


def _named(value: object) -> str:
    if value is None:
        return "None; return a number, a bool or {'score': ..., 'reason': ...}"
    return f"{_shown(value)} of type {type(value).__name__}; return a number, a bool or {{'score': ..., 'reason': ...}}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the user's class may raise anything
        return "a value"
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - a line's worth


def _bad(what: str) -> MetricFailure:
    return MetricFailure(kind="bad_result", message=f"the function returned {what}")


def _plain(details: Mapping[object, object] | Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the details as plain JSON; what JSON cannot hold is kept as its text."""
    try:
        plain: dict[str, JsonValue] = json.loads(json.dumps(dict(details), default=_shown, skipkeys=True))
    except (ValueError, RecursionError):
        return {"details": _shown(details)}
    return plain
