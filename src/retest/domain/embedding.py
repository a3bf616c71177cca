"""Embeddings as text: a ledger keeps text, and a vector as base64 takes a third of what it takes as JSON."""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from math import isfinite, sqrt

EMBEDDINGS_API = "embeddings"  # what a suite calls the interface of an endpoint that embeds
WORDLESS_APIS = frozenset({"moderations", EMBEDDINGS_API})  # interfaces that answer no question in words
_FLOAT = "f"  # 32 bits: what models compute with, so nothing is lost


class BadVectorError(ValueError):
    """This is no embedding: empty, of zeros, or not of finite numbers. The message says which."""


def pack_vector(values: Iterable[float]) -> str:
    """Return a vector as base64 of little-endian 32-bit floats.

    Raises:
        BadVectorError: a value is no number, or beyond 32 bits.
    """
    try:
        vector = array(_FLOAT, values)
    except (TypeError, OverflowError) as error:
        raise BadVectorError("the embedding holds something that is no number") from error
    return b64encode(_little(vector).tobytes()).decode("ascii")


def pack_vectors(vectors: Iterable[str]) -> str:
    """Return several packed vectors as one text."""
    return " ".join(vectors)


def unpack_vectors(text: str) -> list[array[float]]:
    """Return the vectors of a text, each of finite numbers that are not all 0.

    Raises:
        BadVectorError: one of them is no embedding.
    """
    return [_unpack(word) for word in text.split()]


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the cosine of two vectors, from -1 to 1.

    Raises:
        BadVectorError: they differ in length, or one of them is all 0.
    """
    if len(first) != len(second):
        raise BadVectorError(f"one embedding has {len(first)} dimensions, the other {len(second)}")
    product = sum(a * b for a, b in zip(first, second, strict=True))
    lengths = sqrt(sum(a * a for a in first)) * sqrt(sum(b * b for b in second))
    if not lengths:
        raise BadVectorError("the embedding is all 0")
    return max(-1.0, min(1.0, product / lengths))  # rounding may leave the range


def _unpack(word: str) -> array[float]:
    vector: array[float] = array(_FLOAT)
    try:
        vector.frombytes(b64decode(word, validate=True))
    except ValueError:
        raise BadVectorError("the embedding is no base64 of 32-bit numbers") from None
    vector = _little(vector)
    if not vector:
        raise BadVectorError("the embedding is empty")
    if not all(map(isfinite, vector)):
        raise BadVectorError("the embedding holds a number that is not finite")
    if not any(vector):
        raise BadVectorError("the embedding is all 0")
    return vector


def _little(vector: array[float]) -> array[float]:
    if sys.byteorder == "big":
        vector.byteswap()
    return vector
