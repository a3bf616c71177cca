"""Ctrl-C and SIGTERM while judges are asked outside a run: what is in flight is kept, exit 130, nothing paid twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from support.judging import JudgedServer, choose, grade
from support.openai_server import Received, Reply
from support.project import Project
from support.waiting import wait_until

CASES = 12
GRADED = {"metric": "judge_grade", "name": "quality", "judge": "grader"}
PAIRED = {"metric": "judge_pairwise", "judge": "grader"}


def judgment(request: Received) -> Reply:
    """Prefer nobody of a pair, give everybody else a good grade."""
    return choose("tie") if "answer_2" in request.last_user else grade(4)


def slow_judgment(request: Received) -> Reply:
    """Judge as `judgment`, so slowly that nothing is over before it can be stopped."""
    return replace(judgment(request), delay_s=1.0)


def prompt(text: str) -> dict[str, object]:
    return {"prompts": [{"text": f"{text} {{{{ question }}}}", "name": "ask"}]}


def before_gate(project: Project, server: JudgedServer) -> None:
    suite = server.suite(GRADED, gate={"block": "regression"})
    project.write_suite(server.base_url, **suite, **prompt("good"))
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0
    project.write_suite(server.base_url, **suite, **prompt("better"))
    assert project.run("run").code == 0


def before_diff(project: Project, server: JudgedServer) -> None:
    for text in ("one", "two"):
        project.write_suite(server.base_url, **server.suite("exact_match", PAIRED), **prompt(text))
        assert project.run("run").code == 0


def before_calibration(project: Project, server: JudgedServer) -> None:
    project.write_suite(server.base_url, **server.suite(GRADED))
    rows = [{"id": f"c{i}", "question": "q", "answer": f"回答 {i}", "human": i % 4 + 1} for i in range(CASES)]
    project.write_rows("labelled.jsonl", rows)


def before_rescoring(project: Project, server: JudgedServer) -> None:
    project.write_suite(server.base_url, metrics=["exact_match"])
    assert project.run("run").code == 0
    project.write_suite(server.base_url, **server.suite("exact_match", GRADED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """A command that asks judges; `calls` in all, once `prepare` is done."""

    prepare: Callable[[Project, JudgedServer], None]
    command: tuple[str, ...]
    calls: int


COMMANDS = {
    "gate": Judging(prepare=before_gate, command=("gate",), calls=2 * CASES),
    "diff": Judging(prepare=before_diff, command=("diff",), calls=2 * CASES),
    "calibrate": Judging(
        prepare=before_calibration,
        command=(
            "judge",
            "calibrate",
            "quality",
            "--suite",
            "evals/qa.yaml",
            "--against",
            "human",
            "--data",
            "labelled.jsonl",
        ),
        calls=CASES,
    ),
    "rescore": Judging(prepare=before_rescoring, command=("rescore", "latest"), calls=CASES),
}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gate", signal.SIGINT),
        ("diff", signal.SIGTERM),
        ("calibrate", signal.SIGINT),
        ("rescore", signal.SIGTERM),
    ],
    ids=["gate", "diff", "calibrate", "rescore"],
)
def test_what_was_answered_is_paid_once(project: Project, name: str, number: signal.Signals) -> None:
    """Stopped in the midst of judging: exit 130 says how to go on, and the same command asks only for the rest."""
    judging = COMMANDS[name]
    project.write("retest.toml", "attempts = 2\ngrace_s = 60.0\nconcurrency = 2\n")
    project.write_cases(CASES)
    with JudgedServer(judgment) as server:
        judging.prepare(project, server)
        before = server.count
        server.judges_with(slow_judgment)
        process = project.start(*judging.command)
        wait_until(lambda: server.count >= before + 2, 60)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        server.judges_with(judgment)
        assert process.returncode == 130, out.decode() + err.decode()
        assert "judging-interrupted" in err.decode()
        assert server.count < before + judging.calls, "it was over before it could be stopped"
        done = project.run(*judging.command)
        assert done.code in {0, 5}, done.out + done.err
        assert server.count == before + judging.calls


def test_a_second_ctrl_c_gives_up_what_is_in_flight(project: Project) -> None:
    """A judge that never answers cannot keep anybody waiting: exit 130 at the second signal."""
    judging = COMMANDS["calibrate"]
    project.write("retest.toml", "attempts = 2\ngrace_s = 600.0\nconcurrency = 2\n")
    project.write_cases(CASES)
    with JudgedServer(lambda _: Reply(fault="hang")) as server:
        judging.prepare(project, server)
        process = project.start(*judging.command)
        wait_until(lambda: server.count >= 1, 60)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # another one: two of a kind that come at once are one
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()


def test_json_says_that_it_was_interrupted(project: Project) -> None:
    """With --json the one document on stdout has the exit code 130."""
    judging = COMMANDS["diff"]
    project.write("retest.toml", "attempts = 2\ngrace_s = 60.0\nconcurrency = 2\n")
    project.write_cases(CASES)
    with JudgedServer(judgment) as server:
        judging.prepare(project, server)
        before = server.count
        server.judges_with(slow_judgment)
        process = project.start(*judging.command, "--json")
        wait_until(lambda: server.count >= before + 2, 60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["exit_code"] == process.returncode == 130
