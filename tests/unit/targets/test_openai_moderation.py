"""The moderations format: a text in, one judgment out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retest.domain.sample import CallError, Response
from retest.targets.openai_moderation import ModerationFormat
from support.openai_server import OpenAIServer, Reply
from support.targets import make_request, open_with, response_of

RESULT = {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.01}}


def test_the_text_is_sent_and_the_first_result_comes_back() -> None:
    """Through the same connection, key and errors as any call; no messages, no roles."""
    body = json.dumps({"id": "m", "model": "omni-2", "results": [RESULT]}).encode()
    with OpenAIServer([Reply(raw=body)]) as server:
        target = open_with("openai", {"base_url": server.base_url, "api": "moderations"}, model="omni")
        response = response_of(target, make_request("これは何?", model="omni"))
        assert json.loads(response.output) == RESULT
        assert response.model == "omni-2"
        assert server.requests[0].path == "/v1/moderations"
        assert server.requests[0].body == {"model": "omni", "input": "これは何?"}


@pytest.mark.parametrize("data", [[], "x", {}, {"results": []}, {"results": [1]}, {"results": None}])
def test_an_answer_without_a_result_is_a_bad_response(data: Any) -> None:
    """It may be tried again."""
    found = ModerationFormat().parse(data)
    assert isinstance(found, CallError)
    assert (found.kind, found.retryable) == ("bad_response", True)


def test_an_error_in_a_success_is_an_error() -> None:
    """As some gateways answer."""
    assert isinstance(ModerationFormat().parse({"error": {"message": "no"}}), CallError)
    assert isinstance(ModerationFormat().parse({"results": [RESULT]}), Response)
