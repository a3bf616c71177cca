"""JSON values and the one canonical hash that identifies content everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

# Made once: `json.dumps` with options makes one for every value.
_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def canonical_json(value: JsonValue) -> bytes:
    """Return the one UTF-8 spelling of a value: sorted keys, no spaces, non-ASCII kept.

    Lone surrogates (they occur in recorded outputs) are kept, so that no text is impossible to identify.
    """
    return _ENCODER.encode(value).encode("utf-8", "surrogatepass")


def content_hash(value: JsonValue) -> str:
    """Return the first 32 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:32]
