"""JSON values and the one canonical hash that identifies content everywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _encoded() -> Callable[[JsonValue], str]:
    """Return what encodes a value, made once: `json.dumps` makes it anew for every value, which takes longest."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    # No check for circles: a value that holds itself is no JSON, and ends as one that is nested too deeply.
    quote = json.encoder.encode_basestring
    pieces = make(None, _ENCODER.default, quote, None, ":", ",", True, False, True)  # noqa: FBT003 - takes no keywords
    return lambda value: "".join(pieces(value, 0))


_encode = _encoded()


def canonical_json(value: JsonValue) -> bytes:
    """Return the one UTF-8 spelling of a value: sorted keys, no spaces, non-ASCII kept.

    Lone surrogates (they occur in recorded outputs) are kept, so that no text is impossible to identify.
    """
    return _encode(value).encode("utf-8", "surrogatepass")


def content_hash(value: JsonValue) -> str:
    """Return the first 32 hex digits of the SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:32]
