"""Embedding similarity, as a user meets it: never a score without an embedding, and no text is paid for twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.judging import JudgedServer, is_judgment
from support.openai_server import Received, Reply, error, ok
from support.openai_wire import embeddings_body, letters
from support.project import Project, Result

MODEL = "judge-embedding"


def run_embedded(
    project: Project,
    server: JudgedServer,
    metric: Any = "embedding_similarity",
    args: tuple[str, ...] = ("run", "--json"),
    expected: str | None = "expected",
    **changes: Any,
) -> Result:
    """Run three cases (or those that are there), embedded by the server."""
    if not (project.root / "datasets" / "qa.jsonl").exists():
        project.write_cases(3)
    judges = [server.judge("embedder", model=MODEL, api="embeddings", **changes)]
    dataset = {"path": "../datasets/qa.jsonl", "id": "id", **({"expected": expected} if expected else {})}
    project.write_suite(server.base_url, judges=judges, metrics=[metric], dataset=dataset)
    return project.run(*args)


def embedded(server: JudgedServer) -> list[str]:
    """Return every text that was embedded, in the order in which they came."""
    return [text for request in server.judgments for text in request.body["input"]]


def test_an_answer_is_as_good_as_it_is_close(project: Project) -> None:
    """Equal texts have 1, others the cosine; the closest of several references counts."""
    project.write_rows(
        "datasets/qa.jsonl",
        [
            {"id": "same", "question": "返品できますか", "expected": "返品できますか"},
            {"id": "one", "question": "aab", "expected": ["zzz", "aab"]},
        ],
    )
    with JudgedServer(lambda _: ok()) as server:
        done = run_embedded(project, server)
        assert done.code == 0, done.err
        assert done.json["metrics"]["embedding_similarity"]["mean"] == pytest.approx(1.0)
        assert all(request.path == "/v1/embeddings" for request in server.judgments)
        assert "closest to 'aab'" in project.run("show", "--case", "one").out


def test_a_text_is_embedded_once(project: Project) -> None:
    """Answers that are their references, five samples of each: one text a case; the next run embeds nothing."""
    with JudgedServer(lambda _: ok()) as server:
        done = run_embedded(project, server, args=("run", "--samples", "5", "--json"))
        assert sorted(embedded(server)) == ["q0", "q1", "q2"]
        assert done.json["judges"]["embedder"]["input_tokens"] == 3
        again = run_embedded(project, server, args=("run", "--samples", "5", "--fresh", "--json"))
        assert (again.json["judges"]["embedder"]["calls"], len(embedded(server))) == (0, 3)


def vectors(*rows: Any) -> Reply:
    """Answer with these embeddings, whatever was asked."""
    data = [{"embedding": row, "index": index} for index, row in enumerate(rows)]
    return Reply(raw=json.dumps({"data": data, "model": "m", "usage": {"prompt_tokens": 1}}).encode())


def per_text(row: Any) -> Any:
    """Return a script that answers each text with the same broken embedding."""
    return lambda request: vectors(*([row] * len(request.body["input"])))


def mixed(request: Received) -> Reply:
    """Answer with vectors of growing length."""
    return vectors(*([1.0] * (index + 2 + request.index) for index in range(len(request.body["input"]))))


BROKEN: dict[str, Any] = {
    "HTTP 500": lambda _: error(500),
    "an empty vector": per_text([]),
    "NaN": per_text([float("nan"), 1.0]),
    "dimensions": mixed,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_embedding_is_tried_again_and_is_never_a_score(project: Project, kind: str) -> None:
    """Exit 4 with a message of its own; two attempts at each request, as the project's settings say."""
    with JudgedServer(BROKEN[kind], lambda request: f"answer to {request.last_user}") as server:
        done = run_embedded(project, server, {"metric": "embedding_similarity", "pass_if": {"min": -1}})
        assert done.code == 4, done.out
        metric = done.json["metrics"]["embedding_similarity"]
        assert (metric["mean"], metric["metric_failures"]) == (None, 3)
        assert "judge 'embedder'" in " ".join(done.json["notes"])
        texts = [request.body["input"] for request in server.judgments]
        assert any(texts.count(one) > 1 for one in texts)


def test_a_wrong_dimension_is_found_by_what_the_suite_asks_for(project: Project) -> None:
    """`dimensions` is sent along, and a vector of another length is refused."""
    with JudgedServer(lambda _: ok()) as server:
        done = run_embedded(project, server, params={"dimensions": 4})
        assert done.code == 4
        assert "8 dimensions, and 4 are expected" in " ".join(done.json["notes"])
        assert server.judgments[0].body["dimensions"] == 4


def test_an_endpoint_that_recovers_costs_no_score(project: Project) -> None:
    """The first answer is broken, the second is good."""

    def script(request: Received) -> Reply | str:
        return per_text([])(request) if request is first(request) else ok()

    seen: list[Received] = []

    def first(request: Received) -> Received:
        seen.append(request)
        return seen[0]

    with JudgedServer(script) as server:
        done = run_embedded(project, server, limits={"concurrency": 1})
        assert (done.code, done.json["metrics"]["embedding_similarity"]["mean"]) == (0, pytest.approx(1.0))


def test_one_text_that_is_too_long_does_not_take_others_with_it(project: Project) -> None:
    """A request that is refused is sent again text by text; only the one at fault has no score."""

    def script(request: Received) -> Reply | str:
        return error(400, "too long") if "q1" in request.body["input"] else ok()

    with JudgedServer(script) as server:
        done = run_embedded(project, server, limits={"concurrency": 1})
        metric = done.json["metrics"]["embedding_similarity"]
        assert (metric["mean"], metric["metric_failures"]) == (pytest.approx(1.0), 1)


def test_an_empty_answer_is_close_to_nothing(project: Project) -> None:
    """It scores 0 and is not sent: most endpoints refuse an empty text."""
    with JudgedServer(lambda _: ok(), lambda _: " ") as server:
        done = run_embedded(project, server)
        assert (done.code, done.json["metrics"]["embedding_similarity"]["mean"]) == (0, 0.0)
        assert not server.judgments


def test_a_field_stands_in_for_expected(project: Project) -> None:
    """Rows need no expected answer then, and a row without the field is found before any call."""
    rows: list[dict[str, Any]] = [{"id": "a", "question": "猫", "model_answer": ["犬", "猫"]}]
    project.write_rows("datasets/qa.jsonl", rows)
    metric = {"metric": "embedding_similarity", "field": "model_answer", "prefix": "query: "}
    with JudgedServer(lambda _: ok()) as server:
        done = run_embedded(project, server, metric, expected=None)
        assert (done.code, done.json["metrics"]["embedding_similarity"]["mean"]) == (0, pytest.approx(1.0)), done.err
        assert sorted(embedded(server)) == ["query: 犬", "query: 猫"]
        project.write_rows("datasets/qa.jsonl", [*rows, {"id": "b", "question": "鳥"}])
        assert run_embedded(project, server, metric, args=("check",), expected=None).code == 2


def test_an_embedding_needs_a_judge_with_that_interface(project: Project) -> None:
    """One that chats cannot embed; the only one that fits need not be named."""
    project.write_cases(3)
    with JudgedServer(lambda _: ok()) as server:
        project.write_suite(server.base_url, **server.suite("embedding_similarity"))
        refused = project.run("check")
        assert (refused.code, "needs a judge with `api: embeddings`" in " ".join(refused.err.split())) == (2, True)
        both = [server.judge(), server.judge("embedder", model=MODEL, api="embeddings")]
        project.write_suite(server.base_url, judges=both, metrics=["embedding_similarity"])
        assert project.run("run").code == 0
        project.write_suite(server.base_url, judges=both, metrics=["judge_grade", "embedding_similarity"])
        assert project.run("check").code == 0


@pytest.mark.parametrize("api", ["embeddings", "moderations"])
def test_an_endpoint_that_does_not_chat_is_no_target(project: Project, api: str) -> None:
    """It is refused before a call: its numbers would be scored as answers."""
    project.write_cases(1)
    with JudgedServer(lambda _: ok()) as server:
        target = {"name": "t", "provider": "openai", "model": "m", "base_url": server.base_url, "api": api}
        project.write_suite(server.base_url, targets=[target])
        refused = project.run("run")
        assert (refused.code, "[suite-target-api]" in refused.err, server.count) == (2, True, 0)


def test_embedding_stops_at_its_budget_and_goes_on_later(project: Project) -> None:
    """`limits.max_calls` counts requests; the same command then pays for the rest alone."""
    project.write_cases(200)
    with JudgedServer(lambda _: Reply(delay_s=0.02)) as server:
        stopped = run_embedded(project, server, limits={"concurrency": 1, "max_calls": 2})
        assert stopped.code == 4, stopped.err
        assert len(server.judgments) == 2
        paid = set(embedded(server))
        done = run_embedded(project, server)
        assert (done.code, len(embedded(server))) == (0, 200)
        assert len(paid) < 200


def test_offline_embeddings_come_from_the_ledger(project: Project) -> None:
    """What is not there is a failure, and nobody is called."""
    with JudgedServer(lambda _: ok()) as server:
        assert run_embedded(project, server).code == 0
        calls = server.count
        assert run_embedded(project, server, args=("run", "--offline", "--json")).code == 0
        assert server.count == calls


def test_rescoring_embeds_stored_answers(project: Project) -> None:
    """The metric can be added to a run that is there, without calling the target."""
    with JudgedServer(lambda _: ok()) as server:
        project.write_cases(3)
        project.write_suite(server.base_url)
        assert project.run("run").code == 0
        answers = len(server.answers)
        judges = [server.judge("embedder", model=MODEL, api="embeddings")]
        project.write_suite(server.base_url, judges=judges, metrics=["exact_match", "embedding_similarity"])
        rescored = project.run("rescore", "latest", "--suite", "evals/qa.yaml")
        assert rescored.code == 0, rescored.err
        assert (len(server.answers), sorted(embedded(server))) == (answers, ["q0", "q1", "q2"])


def test_a_gate_compares_embedding_similarity(project: Project) -> None:
    """Answers that drift away from their references are a regression."""
    project.write_cases(12)
    with JudgedServer(lambda _: ok(), lambda request: request.last_user.removeprefix("bad: ")) as server:
        judges = [server.judge("embedder", model=MODEL, api="embeddings")]
        suite: dict[str, Any] = {"judges": judges, "metrics": ["embedding_similarity"], "gate": {"block": "regression"}}
        project.write_suite(server.base_url, **suite)
        assert project.run("run").code == 0
        assert project.run("baseline", "set").code == 0
        server._target = lambda request: "zzzzzz"
        project.write_suite(server.base_url, **suite, prompts=[{"text": "bad: {{ question }}", "name": "ask"}])
        gated = project.run("gate")
        assert (gated.code, "regressed" in gated.out) == (1, True), gated.out + gated.err


def test_the_server_of_the_tests_embeds_like_texts_closely() -> None:
    """What the other tests lean on."""
    body = embeddings_body(["ab", "ab"], "m")
    assert [row["embedding"] for row in body["data"]] == [letters("ab"), letters("ab")]
    assert is_judgment(
        Received(index=0, path="/v1/embeddings", query={}, headers={}, body={"model": MODEL, "input": ["ab"]})
    )


def test_the_packaged_model_ranks_japanese_answers(project: Project) -> None:
    """A paraphrase scores above an answer to something else, without any service; a second run loads no model."""
    rows = [
        {
            "id": "alike",
            "question": "品物を返すにはどうすればいいですか。",
            "expected": "商品の返品方法を教えてください。",
        },
        {"id": "other", "question": "明日の天気は晴れです。", "expected": "商品の返品方法を教えてください。"},
    ]
    project.write_rows("datasets/qa.jsonl", rows)
    judge = {"name": "embedder", "provider": "local", "api": "embeddings", "model": "multilingual-e5-small"}
    with JudgedServer(lambda _: ok()) as server:
        project.write_suite(server.base_url, judges=[judge], metrics=["embedding_similarity"])
        done = project.run("run", "--json")
        assert done.code == 0, done.err
        again = project.run("run", "--json")
        counts = again.json["judges"]["embedder"]
        assert (counts["calls"], counts["ledger_hits"], counts["cost_usd"]) == (0, 3, 0.0)
        shown = project.run("show", "--sort", "embedding_similarity").out
        assert shown.index("other") < shown.index("alike")
