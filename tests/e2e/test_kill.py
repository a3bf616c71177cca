"""kill -9 at any moment loses at most what was in flight, and the same command finishes the job."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from support.openai_server import OpenAIServer, Received, Reply, unauthorized
from support.project import Project

CASES, SAMPLES, CONCURRENCY, KILLS = 50, 3, 4, 10


def answer(request: Received) -> Reply:
    """Answer right for two questions of three, the same way each time."""
    number = int(request.last_user[1:])
    return Reply(message={"content": f"q{number}" if number % 3 else "no idea"}, delay_s=0.03)


def exported(project: Project) -> list[dict[str, Any]]:
    lines = project.run("export", "latest", "--to", "jsonl").out.splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        {name: row[name] for name in ("case_id", "sample_index", "arm", "output", "error", "scores")} for row in rows
    ]


def test_killed_ten_times_it_pays_at_most_for_what_was_in_flight(project: Project) -> None:
    """N x k samples cost at most N x k calls and those in flight at each kill; the result is that of a quiet run."""
    rng = random.Random(20261123)  # noqa: S311 - when to kill, no secret
    project.write_cases(CASES)
    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url, samples=SAMPLES)
        command = ("run", "--concurrency", str(CONCURRENCY))
        killed = 0
        while killed < KILLS:
            process = project.start(*command)
            before = server.count
            deadline = time.monotonic() + 20
            while server.count == before and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.12))
            if process.poll() is not None:
                process.communicate()
                break
            process.kill()
            process.communicate()
            killed += 1
        finished = project.run(*command, "--json")
        calls = server.count
    assert finished.code == 0
    assert finished.json["samples"] == CASES * SAMPLES
    assert calls <= CASES * SAMPLES + killed * CONCURRENCY
    assert killed >= KILLS // 2, "the run was over before it could be killed often enough to mean anything"
    interrupted = exported(project)

    quiet = Project(project.root / "quiet")
    quiet.write_cases(CASES)
    with OpenAIServer(answer) as server:
        quiet.write_suite(server.base_url, samples=SAMPLES)
        quiet.run(*command)
    assert exported(quiet) == interrupted


def test_two_processes_do_not_both_pay(project: Project) -> None:
    """Two runs of one suite at once make each call once between them."""
    project.write_cases(40)
    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url, samples=2)
        both = [project.start("run", "--concurrency", "4", "--json") for _ in range(2)]
        outs = [process.communicate(timeout=120)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert server.count == 80
    assert [json.loads(out)["samples"] for out in outs] == [80, 80]


def test_more_samples_pay_for_the_new_ones_only(project: Project) -> None:
    """Going from 3 to 5 samples a case pays for 2."""
    project.write_cases(10)
    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url, samples=3)
        project.run("run")
        assert server.count == 30
        done = project.run("run", "--samples", "5", "--json")
        assert server.count == 50
    assert (done.json["calls"], done.json["ledger_hits"]) == (20, 30)


def test_fresh_draws_are_recorded_beside_the_old_ones(project: Project) -> None:
    """`--fresh` pays again, and the samples before stay what a plain run uses."""
    project.write_cases(5)
    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url)
        project.run("run")
        fresh = project.run("run", "--fresh", "--json")
        assert (fresh.json["calls"], fresh.json["draw"]) == (5, 1)
        assert project.run("run", "--json").json["calls"] == 0
        assert server.count == 10


def test_after_a_refused_key_the_same_command_goes_on(project: Project) -> None:
    """The samples that failed are called again, what was paid for is not, and no error is left behind."""
    project.write_cases(30)
    refuse = True

    def refusing(request: Received) -> Reply:
        return unauthorized() if refuse and request.index >= 10 else answer(request)

    with OpenAIServer(refusing) as server:
        project.write_suite(server.base_url)
        stopped = project.run("run", "--concurrency", "2", "--json")
        refuse = False
        finished = project.run("run", "--concurrency", "2", "--json")
    assert (stopped.code, finished.code) == (4, 0)
    assert finished.json["run"] == stopped.json["run"]
    assert (finished.json["samples"], finished.json["errors"]) == (30, 0)
    assert server.count <= 10 + 2 + 20  # answered, refused while two were in flight, answered later
    assert all(row["error"] is None for row in exported(project))
