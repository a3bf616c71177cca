from __future__ import annotations

import pytest

from retest.targets.tool_calls import normalise_tool_calls

CALL = {"name": "find", "arguments": {"city": "京都"}, "id": "c1"}


@pytest.mark.parametrize(
    "given",
    [
        {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"city": "京都"}'}},
        {"call_id": "c1", "id": "fc_9", "name": "find", "arguments": '{"city": "京都"}'},
        {"name": "find", "args": {"city": "京都"}, "id": "c1"},
        CALL,
    ],
)
def test_every_form_becomes_one(given: dict[str, object]) -> None:
    """Chat completions, the responses API, LangChain and our own form agree."""
    assert normalise_tool_calls([given]) == (CALL,)


@pytest.mark.parametrize("text", ["{broken", "", "plain"])
def test_arguments_that_are_no_json_stay_as_written(text: str) -> None:
    """A model's mistake is kept for the metric to see."""
    (call,) = normalise_tool_calls([{"name": "f", "arguments": text}])
    assert call == {"name": "f", "arguments": text, "id": None}


@pytest.mark.parametrize("given", [None, "x", {}, 3, [None, 3]])
def test_what_holds_no_calls_gives_none(given: object) -> None:
    """Nonsense from a server is no crash."""
    assert normalise_tool_calls(given) == ()
