"""Tool calls: the right tools with the right arguments."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from retest.domain.sample import MetricFailure, Response, Score
from retest.errors import SuiteError
from retest.metrics.tool_calls import ToolCalls
from support.scoring import built, calling, case, json_lines

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "tau_airline"

BOOK = {"name": "book", "arguments": {"seat": 1, "name": "猫"}}
PAY = {"name": "pay", "arguments": {}}
SEARCH_TOOL = {
    "type": "function",
    "function": {
        "name": "search",
        "parameters": {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}},
    },
}


def outcome(options: dict[str, Any], expected: Any, *calls: Any) -> Score:
    scored = built(ToolCalls, **options).score(case(expected), calling(*calls))
    assert isinstance(scored, Score), scored
    return scored


@pytest.mark.parametrize(
    ("options", "calls", "score"),
    [
        ({}, [BOOK, PAY], 1),
        ({}, [PAY, BOOK], 1),
        ({"ordered": True}, [PAY, BOOK], 0),
        ({}, [BOOK], 0),
        ({}, [], 0),
        ({}, [BOOK, PAY, PAY], 0),
        ({"extra_calls": "allow"}, [BOOK, PAY, PAY], 1),
        ({"mode": "subset"}, [PAY, BOOK, PAY], 1),
        ({"mode": "subset", "ordered": True}, [PAY, BOOK, PAY], 1),
        ({"mode": "subset", "ordered": True}, [PAY, BOOK], 0),
        ({"mode": "subset", "extra_calls": "refuse"}, [PAY, BOOK, PAY], 0),
        ({}, [{"name": "book", "arguments": '{"name": "猫", "seat": 1.0}'}, {"name": "pay", "arguments": ""}], 1),
        ({}, [{"name": "book", "kwargs": BOOK["arguments"]}, {"name": "pay"}], 1),
        ({}, [{"type": "function", "function": {"name": "book", "arguments": json.dumps(BOOK["arguments"])}}, PAY], 1),
        ({}, [{"name": "book", "arguments": {"seat": 1, "name": "猫", "x": 0}}, PAY], 0),
        ({"mode": "subset"}, [{"name": "book", "arguments": {"seat": 1, "name": "猫", "x": 0}}, PAY], 1),
        ({"ignore_arguments": ["x"]}, [{"name": "book", "arguments": {"seat": 1, "name": "猫", "x": 0}}, PAY], 1),
        ({}, [{"name": "book", "arguments": {"seat": True, "name": "猫"}}, PAY], 0),
        ({}, [{"name": "book", "arguments": "{bad"}, PAY], 0),
        ({"mode": "names"}, [{"name": "book", "arguments": "{bad"}, PAY], 1),
        ({"ignore": ["look"]}, [{"name": "look", "arguments": {}}, BOOK, PAY], 1),
        ({"partial": True}, [BOOK], 2 / 3),
        ({"partial": True}, [BOOK, PAY, PAY], 0.8),
        ({"partial": True, "mode": "subset"}, [BOOK, {"name": "x"}], 2 / 3),
        ({}, [5, None, "x"], 0),
    ],
)
def test_tool_calls(options: dict[str, Any], calls: list[Any], score: float) -> None:
    """Names and arguments match as mode, order and extra calls allow."""
    assert outcome(options, [BOOK, PAY], *calls).value == pytest.approx(score)


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([], 'missing: book({"seat": 1, "name": "猫"}); the response calls no tool'),
        ([PAY], 'missing: book({"seat": 1, "name": "猫"})'),
        ([{"name": "book", "arguments": {"seat": 2, "name": "猫"}}, PAY], "book: argument 'seat': expected 1, got 2"),
        ([{"name": "book", "arguments": {"seat": 1}}, PAY], "book: argument 'name' is missing"),
        ([BOOK, PAY, {"name": "cry"}], "not expected: cry({})"),
    ],
)
def test_the_reason_names_the_first_difference(calls: list[Any], reason: str) -> None:
    """Down to the argument that differs."""
    assert outcome({}, [BOOK, PAY], *calls).reason == reason


@pytest.mark.parametrize(
    "expected",
    [[BOOK], {"actions": [BOOK], "outputs": []}, {"tool_calls": [BOOK]}, BOOK, json.dumps([BOOK])],
)
def test_forms_of_expected(expected: Any) -> None:
    """A list, an object that holds one, one call, or their JSON text."""
    assert outcome({}, expected, BOOK).value == 1


def test_no_call_can_be_what_is_expected() -> None:
    """An empty list expects that no tool is called."""
    assert outcome({}, []).value == 1
    assert outcome({}, {"actions": []}, BOOK).value == 0


def test_calls_may_be_an_option() -> None:
    """The same calls for every case need no dataset field."""
    assert outcome({"calls": [PAY]}, None, PAY).value == 1


@pytest.mark.parametrize(
    ("expected", "kind"),
    [
        (None, "no_expected"),
        (5, "bad_expected"),
        ("search", "bad_expected"),
        ({"a": 1}, "bad_expected"),
        ([5], "bad_expected"),
        ([{"arguments": {}}], "bad_expected"),
        ([{"name": "x", "arguments": "{bad"}], "bad_expected"),
    ],
)
def test_expected_of_another_form_is_a_failure(expected: Any, kind: str) -> None:
    """The message says what came."""
    failure = built(ToolCalls).score(case(expected), calling(BOOK))
    assert isinstance(failure, MetricFailure)
    assert failure.kind == kind


def test_arguments_by_schema() -> None:
    """With `mode: schema` the expected arguments are a schema for the call's."""
    expected = [{"name": "search", "arguments": {"required": ["q"], "properties": {"q": {"pattern": "猫"}}}}]
    assert outcome({"mode": "schema"}, expected, {"name": "search", "arguments": {"q": "黒猫"}}).value == 1
    assert outcome({"mode": "schema"}, expected, {"name": "search", "arguments": {"q": "犬"}}).value == 0


def test_a_wrong_schema_in_a_case_is_a_failure_of_that_case() -> None:
    """One bad row does not end the run."""
    failure = built(ToolCalls, mode="schema").score(
        case([{"name": "x", "arguments": {"type": "strin"}}]), calling(BOOK)
    )
    assert isinstance(failure, MetricFailure)
    assert failure.kind == "bad_expected"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"name": "search", "arguments": '{"q": "猫"}'}, None),
        ({"name": "serch", "arguments": {}}, "there is no tool 'serch' (did you mean 'search'?)"),
        ({"name": "search", "arguments": {}}, "search: $: 'q' is a required property"),
    ],
)
def test_calls_that_the_tools_allow(tmp_path: Path, call: Any, reason: str | None) -> None:
    """Tool definitions alone can be checked, without any expected call."""
    (tmp_path / "tools.json").write_text(json.dumps([SEARCH_TOOL]), "utf-8")
    scored = built(ToolCalls, tmp_path, mode="schema", tools="tools.json").score(case(), calling(call))
    assert isinstance(scored, Score)
    assert scored.reason == reason


@pytest.mark.parametrize(
    "tools", [[{}], [{"function": {"name": 5}}], [{"name": "x", "parameters": {"type": "q"}}], "no.json"]
)
def test_wrong_tool_definitions_are_found_before_any_call(tools: Any) -> None:
    """They would judge nothing."""
    with pytest.raises(SuiteError):
        built(ToolCalls, tools=tools)


def test_calls_in_the_text() -> None:
    """A model without tool calls of its own may write them as JSON."""
    metric = built(ToolCalls, from_output=True)
    scored = metric.score(case([PAY]), Response(output='Calling: [{"name": "pay", "arguments": {}}]'))
    assert isinstance(scored, Score)
    assert scored.value == 1


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
def test_recorded_airline_tasks() -> None:
    """Expected actions against the calls of a real agent: the match tells most solved tasks from the others."""
    cases = {row["id"]: case(row["expected"]) for row in json_lines(DATA / "cases.jsonl")}
    metric = built(ToolCalls, mode="subset")
    table: Counter[tuple[bool, float]] = Counter()
    for row in json_lines(DATA / "outputs.jsonl"):
        scored = metric.score(cases[row["case_id"]], calling(*row["tool_calls"], output=row["output"]))
        assert isinstance(scored, Score)
        table[row["label"], scored.value] += 1
    assert table == {(True, 1): 28, (True, 0): 3, (False, 1): 7, (False, 0): 62}
