"""Embeddings as text, and the cosine of two of them."""

from __future__ import annotations

from base64 import b64encode
from struct import pack

import pytest

from retest.domain.embedding import BadVectorError, cosine, pack_vector, pack_vectors, unpack_vectors


def test_vectors_survive_packing() -> None:
    """Several of them, each with its own length."""
    text = pack_vectors([pack_vector([1.0, -0.5]), pack_vector([0.25])])
    assert [list(vector) for vector in unpack_vectors(text)] == [[1.0, -0.5], [0.25]]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([float("nan"), 1.0], "not finite"),
        ([float("inf")], "not finite"),
        ([0.0, -0.0], "all 0"),
    ],
    ids=["nan", "infinity", "zeros"],
)
def test_what_is_no_embedding_is_refused(values: list[float], said: str) -> None:
    """No cosine can be made of it."""
    with pytest.raises(BadVectorError, match=said):
        unpack_vectors(b64encode(pack(f"<{len(values)}f", *values)).decode())


@pytest.mark.parametrize("text", ["!", "AAA", "AAAAAA==", "日本"])
def test_what_is_no_packed_vector_is_refused(text: str) -> None:
    """A stored text of another kind is never taken for one."""
    with pytest.raises(BadVectorError):
        unpack_vectors(text)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [([1, 0], [1, 0], 1.0), ([1, 0], [0, 2], 0.0), ([1, 1], [-3, -3], -1.0), ([3, 4], [4, 3], 0.96)],
    ids=["same", "right angle", "opposite", "close"],
)
def test_a_cosine_is_the_angle_alone(first: list[float], second: list[float], value: float) -> None:
    """Lengths have no part in it."""
    assert cosine(first, second) == pytest.approx(value)


def test_a_cosine_never_leaves_its_range() -> None:
    """Whatever rounding does: 0.1 thirty times over is no more like itself than 1."""
    assert cosine([0.1] * 30, [0.1] * 30) <= 1.0


def test_vectors_of_different_length_have_no_cosine() -> None:
    """They come from different models."""
    with pytest.raises(BadVectorError, match="2 dimensions, the other 1"):
        cosine([1.0, 2.0], [1.0])
