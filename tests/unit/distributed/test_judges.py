"""Judges of a run that is spread over workers."""

from __future__ import annotations

import asyncio
from collections import Counter

import orjson

from retest.domain.run import RunCounts
from support.crew import spread_run
from support.judging import JudgedServer, grade
from support.project import Project


def run_spread(project: Project, **options: object) -> tuple[RunCounts, str | None]:
    async def scenario() -> tuple[RunCounts, str | None]:
        async with spread_run(project.root, **options) as spread:  # type: ignore[arg-type] # options of the run
            return await spread.execution.run(), spread.stop.reason

    return asyncio.run(scenario())


def test_judgments_are_made_once_and_counted(project: Project) -> None:
    """Workers ask judges for the answers they have; the account is of all of them."""
    project.write_cases(30)
    with JudgedServer(lambda _: grade(4)) as server:
        project.write_suite(server.base_url, **server.suite())
        counts, _ = run_spread(project)
        again, _ = run_spread(project)
        asked = Counter(orjson.dumps(request.body["messages"]) for request in server.judgments)
    assert len(asked) == asked.total() == 30
    assert counts.judges["grader"].calls == 30
    assert (again.judges["grader"].calls, again.judges["grader"].ledger_hits) == (0, 30)


def test_a_judges_budget_is_one_for_all_workers(project: Project) -> None:
    """A judge that may be asked ten times is asked ten times, by three workers together."""
    project.write_cases(40)
    with JudgedServer(lambda _: grade(4)) as server:
        judge = server.judge(limits={"max_calls": 10})
        project.write_suite(server.base_url, **server.suite(judges=[judge]))
        counts, reason = run_spread(project, workers=3)
        assert len(server.judgments) == 10
    assert reason == "budget"
    assert counts.judges["grader"].calls == 10
