"""A run that was killed or stopped and taken up again counts every paid call once, whichever process made it."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from typing import Any

import pytest

from support.judging import JudgedServer, grade
from support.openai_server import OpenAIServer, Received, Reply, ok, unauthorized
from support.project import Project
from support.waiting import wait_until

USAGE = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
CALL_USD = 0.01  # at 1,000 USD per million tokens
PRICES = """
[models]
"test-model" = { input = 1000, output = 1000 }
"judge-model" = { input = 1000, output = 1000 }
"""


def answer(request: Received) -> Reply:
    return ok(request.last_user, usage=USAGE)


class HeldServer(OpenAIServer):
    """Answers at once up to `hold` requests, the later ones slowly: nothing is over before it can be killed."""

    def __init__(self, hold: int) -> None:
        self.hold: int | None = hold
        super().__init__(self._held)

    def _held(self, request: Received) -> Reply:
        is_held = self.hold is not None and request.index >= self.hold
        return replace(answer(request), delay_s=2.0 if is_held else 0.0)


def figures(document: Any) -> tuple[int, int, int, int]:
    return document["samples"], document["calls"], document["ledger_hits"], document["errors"]


def stored_figures(project: Project) -> tuple[int, int, int, int]:
    """Return what the store keeps of the newest run."""
    (listed,) = json.loads(project.run("runs", "--json", "--limit", "1").out)["runs"]
    counts = listed["counts"]
    return counts["samples"], counts["calls"], counts["ledger_hits"], counts["errors"]


def kill_after(project: Project, server: OpenAIServer, calls: int, *args: str) -> None:
    process = project.start("run", *args)
    wait_until(lambda: server.count >= calls, 60)
    process.kill()
    process.communicate()


def test_a_killed_run_counts_all_its_calls(project: Project) -> None:
    """A kill -9 in the midst of 40 samples: the resumed run says 40 calls and no gift, and so does what is stored."""
    project.write_cases(40)
    with HeldServer(15) as server:
        project.write_suite(server.base_url)
        kill_after(project, server, 16, "--concurrency", "2")
        server.hold = None
        done = project.run("run", "--json", "--concurrency", "2")
        assert server.count <= 42
    assert done.code == 0
    assert figures(done.json) == (40, 40, 0, 0)
    assert stored_figures(project) == (40, 40, 0, 0)
    assert done.json["input_tokens"] > 0


def priced(project: Project, server: OpenAIServer, **changes: Any) -> None:
    project.write("prices.toml", PRICES)
    project.write("retest.toml", 'attempts = 2\ngrace_s = 60.0\nprices = ["prices.toml"]\n')
    project.write_suite(server.base_url, **changes)


def test_stopped_twice_and_finished_the_run_knows_what_it_cost(project: Project) -> None:
    """Ctrl-C in one process, kill -9 in the next: the third says what all three spent together."""
    project.write_cases(40)
    with HeldServer(10) as server:
        priced(project, server)
        process = project.start("run", "--concurrency", "2")
        wait_until(lambda: server.count >= 11, 60)
        process.send_signal(signal.SIGINT)
        process.communicate()
        assert process.returncode == 130
        _, calls, hits, _ = stored_figures(project)
        assert (calls, hits) == (server.count, 0)
        server.hold = server.count + 8
        kill_after(project, server, server.hold + 1, "--concurrency", "2")
        server.hold = None
        done = project.run("run", "--json", "--concurrency", "2")
    assert figures(done.json) == (40, 40, 0, 0)
    assert done.json["cost_usd"] == pytest.approx(40 * CALL_USD)


def test_a_run_stopped_again_at_once_keeps_what_it_had(project: Project) -> None:
    """A process that resumes and is stopped before its first answer leaves samples, calls and cost as they were."""
    project.write_cases(60)
    with OpenAIServer(answer) as server:
        priced(project, server)
        assert project.run("run", "--max-calls", "30").code == 4
        before = stored_figures(project)
        again = project.run("run", "--max-calls", "0", "--json")
        assert server.count == 30
    assert before == (30, 30, 0, 0)
    assert (again.code, figures(again.json)) == (4, before)
    assert stored_figures(project) == before
    assert again.json["metrics"]["exact_match"]["n_samples"] == 30


def test_a_limit_in_dollars_holds_over_all_processes(project: Project) -> None:
    """What earlier processes spent on a run is gone from its `--max-cost`, and a higher limit goes on."""
    project.write_cases(20)
    with OpenAIServer(answer) as server:
        target = {"name": "small", "provider": "openai", "model": "test-model", "base_url": server.base_url}
        priced(project, server, targets=[{**target, "params": {"max_tokens": 1}}])
        limit = f"{10.5 * CALL_USD:.4f}"
        assert project.run("run", "--max-cost", limit, "--concurrency", "1").code == 4
        assert 8 <= server.count <= 10
        first = server.count
        again = project.run("run", "--max-cost", limit, "--concurrency", "1")
        assert again.code == 4
        assert server.count <= max(first, 10)
        assert "higher --max-cost" in " ".join(again.err.split())
        done = project.run("run", "--max-cost", "5", "--json")
    assert (done.code, done.json["calls"]) == (0, 20)
    assert done.json["cost_usd"] == pytest.approx(20 * CALL_USD)


def test_calls_that_failed_count_in_every_process_that_ended(project: Project) -> None:
    """A call that was refused and made again is two calls, of which one is paid for."""
    project.write_cases(6)
    refuse = True

    def refusing(request: Received) -> Reply:
        return unauthorized() if refuse and request.last_user == "q3" else answer(request)

    with OpenAIServer(refusing) as server:
        priced(project, server)
        first = project.run("run", "--json", "--concurrency", "1")
        assert (first.code, figures(first.json)) == (4, (4, 4, 0, 1))
        refuse = False
        done = project.run("run", "--json")
        assert server.count == 7
    assert (done.code, figures(done.json)) == (0, (6, 7, 0, 0))
    assert done.json["cost_usd"] == pytest.approx(6 * CALL_USD)


def test_judges_of_a_killed_run_count_all_their_calls(project: Project) -> None:
    """A judge's calls, tokens and cost add up over processes as the target's do."""
    project.write_cases(30)
    with JudgedServer(lambda _: grade(4), answer) as server:
        judge = server.judge(limits={"concurrency": 2})
        priced(project, server, **server.suite(judges=[judge]))
        server.judges_with(lambda _: replace(grade(4), delay_s=2.0 if len(server.judgments) > 8 else 0.0))
        process = project.start("run", "--concurrency", "2")
        wait_until(lambda: len(server.judgments) >= 9, 60)
        process.kill()
        process.communicate()
        server.judges_with(lambda _: grade(4))
        done = project.run("run", "--json", "--concurrency", "2")
    assert done.code == 0
    judged = done.json["judges"]["grader"]
    assert (judged["calls"], judged["ledger_hits"], judged["failures"]) == (30, 0, 0)
    assert judged["cost_usd"] > 0
    assert figures(done.json) == (30, 30, 0, 0)


def test_what_another_run_paid_for_is_no_call_of_this_one(project: Project) -> None:
    """A run that finds every answer in the ledger made no call, whoever paid."""
    project.write_cases(5)
    with OpenAIServer(answer) as server:
        priced(project, server)
        project.run("run")
        again = project.run("run", "--json")
    assert figures(again.json) == (5, 0, 5, 0)
    assert again.json["cost_usd"] == 0
