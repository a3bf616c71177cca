"""`retest run`: files in; exit code, text and JSON out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, malformed, ok, rate_limited, reset, reset_midway
from support.project import Project


def echo(request: Received) -> Reply:
    return ok(request.last_user)


def test_the_json_has_the_documented_names(project: Project) -> None:
    """One object on stdout with the fixed names, metrics at the top level where there is one arm."""
    project.write_cases(4)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, samples=2)
        done = project.run("run", "evals/qa.yaml", "--json")
    assert done.code == 0
    counts = {
        name: done.json[name] for name in ("suite", "cases", "samples", "errors", "calls", "ledger_hits", "exit_code")
    }
    assert counts == {
        "suite": "qa", "cases": 4, "samples": 8, "errors": 0, "calls": 8, "ledger_hits": 0, "exit_code": 0,
    }  # fmt: skip
    assert done.json["cost_usd"] is None, "the price of test-model is unknown, which is not nothing"
    metric = done.json["metrics"]["exact_match"]
    assert (metric["mean"], metric["n_cases"], metric["metric_failures"], metric["pass_rate"]) == (1.0, 4, 0, 1.0)
    assert metric["low"] <= metric["mean"] <= metric["high"]
    assert done.json["arms"]["ask/small"]["metrics"] == done.json["metrics"]


def test_several_arms_are_named_prompt_and_target(project: Project) -> None:
    """Two prompts are two arms; metrics then stand under `arms` only."""
    project.write_cases(3)
    prompts = [{"text": "{{ question }}", "name": "plain"}, {"text": "Say {{ question }}", "name": "polite"}]
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, prompts=prompts)
        done = project.run("run", "--json")
    assert set(done.json["arms"]) == {"plain/small", "polite/small"}
    assert "metrics" not in done.json
    assert done.json["arms"]["polite/small"]["metrics"]["exact_match"]["mean"] == 0.0


def test_a_dry_run_calls_nothing_and_shows_the_plan(project: Project) -> None:
    """The plan is shown before any spending: what is paid for, what is not."""
    project.write_cases(5)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        project.run("run", "--limit", "2")
        done = project.run("run", "--dry-run")
        assert server.count == 2
    assert done.code == 0
    assert "2 in the ledger, 3 calls to make" in done.err


def test_set_changes_the_parameters_that_are_sent(project: Project) -> None:
    """`--set target.temperature=0` reaches the wire."""
    project.write_cases(1)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        project.run("run", "--set", "target.temperature=0")
        assert server.requests[0].body["temperature"] == 0


def test_a_fixed_seed_differs_between_samples(project: Project) -> None:
    """With a fixed seed repeats would be copies, so the seed moves with the sample."""
    project.write_cases(1)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, samples=3)
        project.run("run", "--set", "target.params.seed=7")
        assert len({request.body["seed"] for request in server.requests}) == 3


def test_a_call_limit_leaves_a_run_that_the_same_command_finishes(project: Project) -> None:
    """The budget ends the run with exit 4; without it the rest is called, and only the rest; the run counts all."""
    project.write_cases(10)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        stopped = project.run("run", "--max-calls", "4", "--concurrency", "2")
        assert stopped.code == 4
        assert "the budget ended the run" in stopped.err
        assert server.count == 4
        finished = project.run("run", "--json")
        assert server.count == 10
        assert (finished.code, finished.json["samples"], finished.json["calls"]) == (0, 10, 10)


def test_a_cost_limit_needs_a_price(project: Project) -> None:
    """A limit in dollars on a model of unknown price would be no limit: refused before any call."""
    project.write_cases(3)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        assert project.run("run", "--max-cost", "1").code == 2
        assert server.count == 0


def test_a_cost_limit_holds(project: Project) -> None:
    """Spending stops before the limit is passed, concurrency or not."""
    project.write_cases(50)
    project.write("prices.toml", '[models."test-model"]\ninput = 1000.0\noutput = 1000.0\n')
    project.write("retest.toml", 'prices = ["prices.toml"]\n')
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--max-cost", "0.5", "--json", "--set", "target.params.max_tokens=5")
    assert done.code == 4
    assert 0 < done.json["cost_usd"] <= 0.5


def test_offline_uses_only_what_is_recorded(project: Project) -> None:
    """Without calls what the ledger lacks is an error, and the run is incomplete."""
    project.write_cases(4)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url)
        project.run("run", "--limit", "2")
        done = project.run("run", "--offline", "--json")
        assert server.count == 2
    assert done.code == 4
    assert done.json["arms"]["ask/small"]["errors_by_kind"] == {"offline": 2}


RECOVERABLE = {
    "429 with Retry-After": rate_limited(retry_after="0"),
    "500": error(500),
    "503": error(503),
    "reset": reset(),
    "reset midway": reset_midway(),
    "malformed JSON": malformed(),
}


@pytest.mark.parametrize("name", RECOVERABLE)
def test_a_passing_fault_is_retried(project: Project, name: str) -> None:
    """The first request fails in a way that passes: tried again, nothing lost, nothing scored wrongly."""
    project.write_cases(2)
    with OpenAIServer(lambda request: RECOVERABLE[name] if request.index == 0 else echo(request)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--json")
        assert server.count == 3
    assert (done.code, done.json["errors"], done.json["metrics"]["exact_match"]["mean"]) == (0, 0, 1.0)


def test_a_bad_request_is_not_retried(project: Project) -> None:
    """A 400 stands: the sample is an error, not a zero."""
    project.write_cases(30)
    with OpenAIServer(lambda r: error(400) if r.last_user == "q0" else echo(r)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--json")
        assert server.count == 30
    assert (done.code, done.json["errors"]) == (0, 1)
    assert done.json["metrics"]["exact_match"]["mean"] == 1.0


def test_slow_answers_are_awaited(project: Project) -> None:
    """Slow is no fault."""
    project.write_cases(4)
    with OpenAIServer(lambda r: replace(echo(r), delay_s=0.5)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--json")
    assert done.json["errors"] == 0
    assert done.json["arms"]["ask/small"]["latency_p50_ms"] >= 500


def test_a_failing_metric_is_a_failure_on_its_sample(project: Project) -> None:
    """A metric that raises on one answer is counted there; the others keep their scores."""
    project.write_cases(30)
    metric = 'def score(output):\n    if output == "q3":\n        raise RuntimeError("no q3, please")\n    return 1.0\n'
    project.write("metrics/picky.py", metric)
    with OpenAIServer(echo) as server:
        metrics = [{"metric": "python", "name": "picky", "path": "../metrics/picky.py:score"}]
        project.write_suite(server.base_url, metrics=metrics)
        done = project.run("run", "--json")
    assert done.code == 0
    assert done.json["metrics"]["picky"]["metric_failures"] == 1
    assert (done.json["metrics"]["picky"]["n_cases"], done.json["metrics"]["picky"]["mean"]) == (29, 1.0)


@pytest.mark.parametrize(("minimum", "code"), [(0.3, 0), (0.99, 1), (0.5, 0)])
def test_a_limit_is_judged_with_its_interval(project: Project, minimum: float, code: int) -> None:
    """Surely above passes, surely below fails with exit 1, in between is inconclusive and does not fail."""
    project.write_cases(60)
    with OpenAIServer(lambda r: ok("wrong") if int(r.last_user[1:]) % 2 else echo(r)) as server:
        gate = {"block": "regression", "metrics": {"exact_match": {"min": minimum}}}
        project.write_suite(server.base_url, gate=gate)
        assert project.run("run").code == code


def test_an_inconclusive_limit_is_exit_6_where_proof_is_demanded(project: Project) -> None:
    """With `block: unproven` a limit inside the interval is not enough."""
    project.write_cases(60)
    with OpenAIServer(lambda r: ok("wrong") if int(r.last_user[1:]) % 2 else echo(r)) as server:
        project.write_suite(server.base_url, gate={"block": "unproven", "metrics": {"exact_match": {"min": 0.5}}})
        assert project.run("run").code == 6


def test_identical_repeats_are_pointed_out(project: Project) -> None:
    """Repeats that never differ at a temperature above 0 look like a cache."""
    project.write_cases(3)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, samples=3)
        assert "is something caching?" in " ".join(project.run("run").out.split())


def test_what_is_redacted_never_reaches_the_store(project: Project) -> None:
    """A pattern is removed from answers, messages and cases before anything is stored."""
    rows = [{"id": "c0", "question": "call 090-1234-5678", "expected": "call 090-1234-5678"}]
    project.write_rows("datasets/qa.jsonl", rows)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, redact=[{"pattern": r"\d{3}-\d{4}-\d{4}"}])
        done = project.run("run", "--json")
        assert "090-1234-5678" in json.dumps(server.requests[0].body)
    assert done.json["metrics"]["exact_match"]["mean"] == 1.0
    for path in (project.root / ".retest").iterdir():
        assert b"090-1234-5678" not in path.read_bytes()


def test_the_key_reaches_the_server_and_nothing_else(project: Project) -> None:
    """A key is sent, and then found in no file, no output and no error."""
    key = "sk-planted-8c1f2a"
    project.write_cases(2)
    with OpenAIServer(lambda r: error(400, message=f"bad key {key}") if r.index else echo(r)) as server:
        project.write_suite(server.base_url, gate={"max_error_rate": 1.0})
        done = project.run("run", "-v", OPENAI_API_KEY=key)
        assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    shown = project.run("show", "--errors")
    assert key not in done.out + done.err + shown.out + shown.err
    for path in project.root.rglob("*"):
        if path.is_file():
            assert key.encode() not in path.read_bytes(), path


def test_a_result_reads_right_at_80_columns_in_japanese(project: Project) -> None:
    """No line is wider than the terminal, counted in cells, where wide characters take two."""
    from rich.cells import cell_len

    text = "ご注文の商品が届かないとのこと、誠に申し訳ございません。" * 3
    rows = [{"id": f"問い合わせ-{i}", "question": text, "expected": "配送"} for i in range(6)]
    project.write_rows("datasets/qa.jsonl", rows)
    with OpenAIServer(echo) as server:
        project.write_suite(server.base_url, metrics=["exact_match", {"metric": "rouge", "name": "ルージュ"}])
        done = project.run("run")
    assert "問い合わせ-0" in done.out
    assert max(cell_len(line) for line in done.out.splitlines()) <= 80
