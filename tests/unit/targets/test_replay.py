from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.sample import CallError, Response
from retest.errors import UsageError
from retest.targets.base import Target
from support.targets import ask, error_of, identity_of, make_request, open_with, response_of

DATA = Path(__file__).parents[3].parent / "shared" / "data"


def replay(folder: Path, *rows: Any, **options: Any) -> Target:
    (folder / "r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return open_with("replay", {"path": "r.jsonl", **options}, base_dir=folder)


def test_everything_recorded_is_in_the_response(tmp_path: Path) -> None:
    """Fields of common names are taken without being named."""
    row = {
        "case_id": "1", "repeat": 0, "output": "京都", "model": "m", "finish_reason": "stop", "latency_ms": 12,
        "cost_usd": 0.25, "prompt_tokens": 3, "completion_tokens": 4,
        "tool_calls": [{"name": "f", "arguments": "{}"}],
    }  # fmt: skip
    response = response_of(replay(tmp_path, row))
    assert (response.output, response.model, response.finish_reason) == ("京都", "m", "stop")
    assert (response.latency_ms, response.cost_usd) == (12.0, 0.25)
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 4)
    assert response.tool_calls == ({"name": "f", "arguments": {}, "id": None},)


def test_what_was_not_recorded_is_unknown(tmp_path: Path) -> None:
    """Latency and cost are None, never 0."""
    response = response_of(replay(tmp_path, {"id": "1", "output": "x"}))
    assert (response.latency_ms, response.cost_usd, response.usage.output_tokens) == (None, None, None)


@pytest.mark.parametrize("value", [-1, "3", True, None, float("nan"), [], float("inf")])
def test_a_number_that_is_none_is_unknown(tmp_path: Path, value: object) -> None:
    """A broken latency does not become one."""
    assert response_of(replay(tmp_path, {"id": "1", "output": "x", "latency_s": value})).latency_ms is None


def test_a_latency_in_seconds_is_converted(tmp_path: Path) -> None:
    """A 7,923 s latency is a real one."""
    assert response_of(replay(tmp_path, {"id": "1", "output": "x", "latency_s": 7923.0})).latency_ms == 7_923_000


def test_an_empty_output_is_an_answer(tmp_path: Path) -> None:
    """The model said nothing: that is a response."""
    assert response_of(replay(tmp_path, {"id": "1", "output": ""})).output == ""


@pytest.mark.parametrize("more", [{"output": None}, {}])
def test_a_null_or_absent_output_is_an_error(tmp_path: Path, more: dict[str, Any]) -> None:
    """It is no empty answer."""
    error = error_of(replay(tmp_path, {"id": "1", **more}, {"id": "2", "output": "x"}))
    assert (error.kind, error.retryable, error.fatal) == ("missing_recording", False, False)


def test_a_call_without_text_is_an_answer(tmp_path: Path) -> None:
    """A model that only called a tool has answered."""
    response = response_of(replay(tmp_path, {"id": "1", "output": None, "tool_calls": [{"name": "f"}]}))
    assert (response.output, len(response.tool_calls)) == ("", 1)


def test_an_object_as_output_is_its_json(tmp_path: Path) -> None:
    """Recorded structures can be scored by JSON metrics."""
    assert json.loads(response_of(replay(tmp_path, {"id": "1", "output": {"名": [1]}})).output) == {"名": [1]}


@pytest.mark.parametrize(
    ("recorded", "kind"),
    [("boom", "target_error"), ({"kind": "timeout", "message": "slow"}, "timeout"), ({"detail": "x"}, "target_error")],
)
def test_a_recorded_error_is_an_error_again(tmp_path: Path, recorded: object, kind: str) -> None:
    """Exports of retest keep the kind; it is neither retried nor fatal."""
    error = error_of(replay(tmp_path, {"id": "1", "output": None, "error": recorded}))
    assert (error.kind, error.retryable, error.fatal) == (kind, False, False)


def test_an_export_of_retest_can_be_replayed(tmp_path: Path) -> None:
    """Its lines need no field names; `where` chooses the arm."""
    rows = [
        {"case_id": "1", "sample_index": index, "arm": arm, "output": f"{arm}{index}", "error": None,
         "latency_ms": 5.0, "scores": {"exact_match": 1.0}}
        for arm in ("a/small", "b/small") for index in range(2)
    ]  # fmt: skip
    target = replay(tmp_path, *rows, where={"arm": "b/small"})
    outcomes = ask(target, make_request(sample_index=0), make_request(sample_index=1))
    assert [outcome.output for outcome in outcomes if isinstance(outcome, Response)] == ["b/small0", "b/small1"]


def test_a_sample_beyond_the_recording_is_missing_and_says_which(tmp_path: Path) -> None:
    """The message names file, case and sample."""
    error = error_of(replay(tmp_path, {"id": "1", "output": "x"}), make_request(sample_index=3))
    assert error.kind == "missing_recording"
    assert "r.jsonl has no recorded output for case '1', sample 3" in error.message


def test_a_recording_that_changes_under_the_run_is_an_error_not_a_crash(tmp_path: Path) -> None:
    """Rewriting the file in place while it is replayed costs samples, not the run."""
    target = replay(tmp_path, {"id": "0", "output": "x" * 50}, {"id": "1", "output": "x"})
    (tmp_path / "r.jsonl").write_text("{{{{{{{{\n" * 20, "utf-8")
    assert error_of(target).kind == "missing_recording"


def test_identity_is_content_fields_and_where(tmp_path: Path) -> None:
    """Renaming the file changes nothing; its content, `fields` or `where` do."""
    rows = ({"id": "1", "other": "1", "output": "x", "v": "a"},)
    targets = [
        replay(tmp_path, *rows),
        replay(tmp_path, *rows, where={"v": "a"}),
        replay(tmp_path, *rows, fields={"case": "other"}),
        replay(tmp_path, *rows, {"id": "2", "output": "x"}),
    ]
    identities = [identity_of(target) for target in targets]
    assert len(set(identities)) == 4
    (tmp_path / "sub").mkdir()
    assert identity_of(replay(tmp_path / "sub", *rows)) == identities[0]


@pytest.mark.parametrize("options", [{}, {"path": "r", "feilds": {}}, {"path": "r", "fields": {"ouput": "x"}}])
def test_unknown_options_are_refused(options: dict[str, Any]) -> None:
    """A mistyped option is not ignored."""
    with pytest.raises(ValidationError):
        open_with("replay", options)


def shared(name: str, **options: Any) -> Target:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    return open_with("replay", {"path": name, **options}, base_dir=DATA)


def rows_of(name: str) -> list[dict[str, Any]]:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").split("\n") if line]


RECORDINGS = [
    "bbh/outputs.jsonl", "gsm8k/outputs.jsonl", "ja_judge_repeats/outputs.jsonl",
    "ja_judge_repeats/outputs_prompt_templates.jsonl", "ja_judged_elyza/outputs.jsonl", "llmdrift/outputs_happy.jsonl",
    "llmdrift/outputs_leetcode.jsonl", "llmdrift/outputs_prime.jsonl", "llmdrift/outputs_sensitive.jsonl",
    "mgsm_ja_prompts/outputs.jsonl", "tau_airline/outputs.jsonl", "tot_game24/outputs.jsonl", "tot_text/outputs.jsonl",
]  # fmt: skip


@pytest.mark.data
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_real_recording_is_replayed_exactly(name: str) -> None:
    """For each variant, each (case, repeat) gives the recorded text to the character."""
    rows = rows_of(name)
    for variant in sorted({row["variant"] for row in rows}):
        chosen = [row for row in rows if row["variant"] == variant]
        lowest = min(row["repeat"] for row in chosen)
        requests = [make_request(case_id=row["case_id"], sample_index=row["repeat"] - lowest) for row in chosen]
        outcomes = ask(shared(name, where={"variant": variant}), *requests)
        for row, outcome in zip(chosen, outcomes, strict=True):
            expected = row["output"]
            if isinstance(outcome, CallError):
                assert expected is None
                assert not row.get("tool_calls")
            else:
                assert outcome.output == (expected or "")


@pytest.mark.data
def test_the_issues_own_example_replays_one_hundred_samples_per_case() -> None:
    """Game of 24: 50 cases x 100 samples under the field names of the example, and no 101st sample."""
    options = {
        "fields": {"case": "case_id", "sample": "repeat", "output": "output"},
        "where": {"variant": "gpt-4@t0.7/cot"},
    }
    requests = [make_request(case_id=f"g24-{900 + i}", sample_index=k) for i in range(50) for k in (0, 99, 100)]
    outcomes = ask(shared("tot_game24/outputs.jsonl", **options), *requests)
    assert [isinstance(outcome, Response) for outcome in outcomes] == [True, True, False] * 50


@pytest.mark.data
def test_real_latency_cost_and_tokens_are_kept() -> None:
    """The outlier of 7,923 s is in the responses, as are cost and token counts."""
    rows = [row for row in rows_of("llmdrift/outputs_prime.jsonl") if row["variant"] == "gpt-4-0314"]
    target = shared("llmdrift/outputs_prime.jsonl", where={"variant": "gpt-4-0314"})
    outcomes = ask(target, *(make_request(case_id=row["case_id"]) for row in rows))
    found = [
        (outcome.latency_ms, outcome.cost_usd, outcome.usage.output_tokens)
        for outcome in outcomes
        if isinstance(outcome, Response)
    ]
    assert found == [(row["latency_s"] * 1000, row["cost_usd"], row["completion_tokens"]) for row in rows]


@pytest.mark.data
def test_real_tool_calls_have_parsed_arguments() -> None:
    """tau-bench keeps arguments as JSON text."""
    response = response_of(shared("tau_airline/outputs.jsonl"), make_request(case_id="air-00"))
    assert response.tool_calls[0] == {"name": "get_user_details", "arguments": {"user_id": "mia_li_3668"}, "id": None}


def test_one_recording_may_hold_several_prompts(tmp_path: Path) -> None:
    """`fields.prompt` picks each prompt's own rows; without it two rows of one case and sample are a mistake."""
    rows = [{"case_id": "1", "repeat": 0, "prompt": name, "output": name.upper()} for name in ("v1", "v2")]
    requests = [replace(make_request(), prompt_name=name) for name in ("v1", "v2", "v3")]
    first, second, missing = ask(replay(tmp_path, *rows, fields={"prompt": "prompt"}), *requests)
    assert isinstance(first, Response)
    assert isinstance(second, Response)
    assert (first.output, second.output) == ("V1", "V2")
    assert isinstance(missing, CallError)
    assert missing.kind == "missing_recording"
    with pytest.raises(UsageError, match="two recorded outputs for case '1'"):
        replay(tmp_path, *rows)
