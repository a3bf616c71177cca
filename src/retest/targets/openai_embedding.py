"""The embeddings format: texts in, one vector of each out, packed as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from retest.domain.embedding import BadVectorError, pack_vector, pack_vectors
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, Response, Usage
from retest.targets.base import Request
from retest.targets.call_errors import bad_response, error_in_success
from retest.targets.openai_format import content_text, count, text_or_none
from retest.targets.wire_json import as_text


class EmbeddingFormat:
    """``POST /embeddings``: the output is a packed vector of each message's text, in their order."""

    path = "/embeddings"

    def body(self, request: Request) -> dict[str, JsonValue]:
        """Return model, parameters and the texts; each message is one text, whatever its role."""
        body: dict[str, JsonValue] = {"encoding_format": "float"}
        body |= {name: value for name, value in request.params.items() if value is not None}
        if request.model is not None:
            body["model"] = request.model
        body["input"] = [content_text(message.get("content")) for message in request.messages]
        return body

    def parse(self, data: Any) -> Response | CallError:
        """Return the vectors in the order of the texts, each number checked to be one."""
        if not isinstance(data, Mapping):
            return bad_response(f"the server's answer is no JSON object: {as_text(data)[:100]}", status=200)
        if data.get("error"):
            return error_in_success(data)
        try:
            vectors = [_packed(item) for item in _in_order(data.get("data"))]
        except BadVectorError as error:
            return bad_response(f"the server's answer has no embeddings: {error}", status=200)
        usage = data.get("usage")
        tokens = count(usage.get("prompt_tokens")) if isinstance(usage, Mapping) else None
        return Response(
            output=pack_vectors(vectors),
            model=text_or_none(data.get("model")),
            usage=Usage(input_tokens=tokens, output_tokens=None if tokens is None else 0),
        )

    def delta(self, event: Any) -> str | CallError:
        """Return nothing: embeddings are not streamed."""
        del event
        return ""


def _in_order(items: Any) -> Sequence[Mapping[str, Any]]:
    """Return the items by their `index`; servers that leave it out keep the order."""
    if not isinstance(items, list) or not items:
        raise BadVectorError("`data` is no list of them")
    rows = [item for item in items if isinstance(item, Mapping)]
    if len(rows) < len(items):
        raise BadVectorError("an item of `data` is no object")
    indices = [row.get("index") for row in rows]
    if all(index is None for index in indices):
        return rows
    if sorted(index if type(index) is int else -1 for index in indices) != list(range(len(rows))):
        raise BadVectorError("the indices in `data` are not 0 to its length")
    return sorted(rows, key=lambda row: int(row["index"]))


def _packed(item: Mapping[str, Any]) -> str:
    """Return a vector, which some servers send as base64 whatever they are asked for."""
    vector = item.get("embedding")
    if isinstance(vector, str) and vector.isascii() and not any(map(str.isspace, vector)):
        return vector
    if not isinstance(vector, list) or not vector:
        raise BadVectorError("an embedding is empty or no list of numbers")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in vector):
        raise BadVectorError("an embedding holds something that is no number")
    return pack_vector(vector)
