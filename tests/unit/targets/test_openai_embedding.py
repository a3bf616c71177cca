"""The embeddings format: texts in, one vector each out."""

from __future__ import annotations

from base64 import b64encode
from struct import pack
from typing import Any

import pytest

from retest.domain.embedding import unpack_vectors
from retest.domain.sample import CallError, Response, Usage
from retest.targets.openai_embedding import EmbeddingFormat
from support.openai_server import OpenAIServer
from support.targets import make_request, open_with, response_of


def rows(*vectors: Any) -> dict[str, Any]:
    return {"data": [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]}


def parsed(data: Any) -> list[list[float]]:
    found = EmbeddingFormat().parse(data)
    assert isinstance(found, Response), found
    return [list(vector) for vector in unpack_vectors(found.output)]


def test_texts_are_sent_and_vectors_come_back() -> None:
    """Through the same connection, key and errors as any call; tokens are those of the prompt alone."""
    with OpenAIServer() as server:
        target = open_with("openai", {"base_url": server.base_url, "api": "embeddings"}, model="small")
        response = response_of(target, make_request("これは何?", model="small"))
        assert len(unpack_vectors(response.output)) == 1
        assert response.usage == Usage(input_tokens=1, output_tokens=0)
        assert server.requests[0].path == "/v1/embeddings"
        assert server.requests[0].body == {"model": "small", "input": ["これは何?"], "encoding_format": "float"}


def test_vectors_are_put_into_the_order_of_the_texts() -> None:
    """By their index, wherever they stand in the answer."""
    data = {"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]}
    assert parsed(data) == [[1.0], [2.0]]


def test_vectors_without_an_index_keep_their_order() -> None:
    """Some servers leave it out."""
    assert parsed({"data": [{"embedding": [1.0]}, {"embedding": [2]}]}) == [[1.0], [2.0]]


def test_vectors_in_base64_are_read() -> None:
    """Some servers send 32-bit numbers in base64 whatever they are asked for."""
    assert parsed(rows(b64encode(pack("<2f", 0.5, -1.0)).decode())) == [[0.5, -1.0]]


@pytest.mark.parametrize(
    "data",
    [
        [],
        "x",
        {},
        {"data": []},
        {"data": None},
        {"data": [1]},
        {"choices": [{"message": {"content": "hello"}}]},
        rows(None),
        rows([]),
        rows(["a"]),
        rows([True]),
        rows([None]),
        rows([1e300]),
        rows("two words"),
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": "0", "embedding": [1.0]}]},
        {"data": [{"index": 5, "embedding": [1.0]}]},
    ],
    ids=lambda data: str(data)[:40].replace(" ", ""),
)
def test_an_answer_without_embeddings_is_a_bad_response(data: Any) -> None:
    """It may be tried again."""
    found = EmbeddingFormat().parse(data)
    if isinstance(found, Response):  # beyond 32 bits: found out by whoever unpacks it
        with pytest.raises(ValueError, match="not finite"):
            unpack_vectors(found.output)
        return
    assert (found.kind, found.retryable) == ("bad_response", True)


def test_an_error_in_a_success_is_an_error() -> None:
    """As some gateways answer."""
    assert isinstance(EmbeddingFormat().parse({"error": {"message": "no"}}), CallError)
