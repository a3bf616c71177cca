from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from retest.domain.sample import CallError, Response
from retest.targets.answers import prompt_text, read_answer
from retest.targets.prices import Price, PriceTable

PRICES = PriceTable(prices={"m": Price(input=1e6, output=1e6)})


def read(value: Any) -> Response:
    outcome = read_answer(value, PRICES)
    assert isinstance(outcome, Response), outcome
    return outcome


@pytest.mark.parametrize(("value", "output"), [("京都", "京都"), ("", ""), (3, "3"), (0.5, "0.5"), (True, "true")])
def test_a_plain_value_is_the_output(value: object, output: str) -> None:
    """Strings as they are, numbers and booleans as JSON."""
    assert read(value).output == output


def test_a_mapping_may_say_everything_about_the_answer() -> None:
    """Output, tool calls, usage, model, cost and more."""
    response = read(
        {
            "output": "x", "tool_calls": [{"name": "f", "args": {}}], "usage": {"prompt_tokens": 1, "output_tokens": 2},
            "model": "m", "latency_ms": 5, "finish_reason": "stop", "refusal": "r", "meta": {"k": 1},
        }
    )  # fmt: skip
    assert (response.output, response.model, response.latency_ms, response.refusal) == ("x", "m", 5.0, "r")
    assert (response.cost_usd, response.meta, len(response.tool_calls)) == (3.0, {"k": 1}, 1)


def test_a_stated_cost_comes_before_the_price_table() -> None:
    """The program knows best what it paid."""
    assert read({"output": "x", "model": "m", "cost_usd": 0.1}).cost_usd == 0.1


def test_an_output_that_is_no_string_is_its_json() -> None:
    """Structured answers can be scored by JSON metrics."""
    assert read({"output": {"名": 1}}).output == '{"名": 1}'


def test_a_message_object_as_langchain_returns_it() -> None:
    """Content, tool calls, usage and metadata are found under LangChain's names."""
    message = SimpleNamespace(
        content=[{"type": "text", "text": "a"}, "b"],
        tool_calls=[{"name": "f", "args": {"a": 1}, "id": "c"}],
        usage_metadata={"input_tokens": 1, "output_tokens": 2, "input_token_details": {"cache_read": 1}},
        response_metadata={"model_name": "m", "finish_reason": "stop"},
    )
    response = read(message)
    assert (response.output, response.model, response.finish_reason) == ("ab", "m", "stop")
    assert response.tool_calls == ({"name": "f", "arguments": {"a": 1}, "id": "c"},)
    assert (response.usage.cached_tokens, response.cost_usd) == (1, 3.0)


@pytest.mark.parametrize(
    "value", [None, object(), [], ["x"], b"x", {}, {"text": "x"}, {"output": None}, {"error": "no"}]
)
def test_what_is_no_answer_is_a_target_error(value: object) -> None:
    """Nothing is turned into an empty answer."""
    outcome = read_answer(value, PRICES)
    assert isinstance(outcome, CallError)
    assert (outcome.kind, outcome.retryable, outcome.fatal) == ("target_error", False, False)


def test_the_error_says_what_was_returned_and_what_is_expected() -> None:
    """A function without a return statement is understood at once."""
    outcome = read_answer(None, PRICES)
    assert isinstance(outcome, CallError)
    assert outcome.message.startswith("the target returned NoneType; expected a string")


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"role": "user", "content": "q"}], "q"),
        ([{"role": "system", "content": "s"}, {"role": "user", "content": "q"}], "q"),
        ([{"role": "user", "content": "1"}, {"role": "assistant"}, {"role": "user", "content": "3"}], "3"),
        ([{"role": "user", "content": "1"}, {"role": "assistant", "content": "2"}], "1"),
        ([{"role": "system", "content": "s"}], "s"),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]}], "a"),
        ([], ""),
    ],
)  # fmt: skip
def test_the_prompts_text_is_the_last_user_message(messages: list[dict[str, Any]], text: str) -> None:
    """Without one it is the last message; images have no text."""
    assert prompt_text(messages) == text
