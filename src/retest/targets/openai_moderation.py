"""The moderations format: the text in, the endpoint's judgment of it out, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, Response
from retest.targets.base import Request
from retest.targets.call_errors import bad_response, error_in_success
from retest.targets.openai_format import content_text, text_or_none
from retest.targets.wire_json import as_text


class ModerationFormat:
    """``POST /moderations``: the output is the first result's JSON (`flagged`, `categories`, `category_scores`)."""

    path = "/moderations"

    def body(self, request: Request) -> dict[str, JsonValue]:
        """Return model, parameters and the last message's text; the endpoint knows no roles."""
        body: dict[str, JsonValue] = {name: value for name, value in request.params.items() if value is not None}
        if request.model is not None:
            body["model"] = request.model
        body["input"] = content_text(request.messages[-1].get("content")) if request.messages else ""
        return body

    def parse(self, data: Any) -> Response | CallError:
        """Return the first result as the output."""
        if not isinstance(data, Mapping):
            return bad_response(f"the server's answer is no JSON object: {as_text(data)[:100]}", status=200)
        if data.get("error"):
            return error_in_success(data)
        results = data.get("results")
        first = results[0] if isinstance(results, list) and results else None
        if not isinstance(first, Mapping):
            return bad_response("the server's answer has no moderation results", status=200)
        return Response(output=json.dumps(first, ensure_ascii=False), model=text_or_none(data.get("model")))

    def delta(self, event: Any) -> str | CallError:
        """Return nothing: a moderation is not streamed."""
        del event
        return ""
