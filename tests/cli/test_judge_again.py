"""A gate on a judge's scores: both sides are judged again in one session, so that a judge's drift is no regression."""

from __future__ import annotations

from typing import Any

import pytest

from support.judging import JudgedServer, grade
from support.openai_server import Received, Reply
from support.project import Project, Result

GOOD = [{"text": "good {{ question }}", "name": "ask"}]
BAD = [{"text": "bad {{ question }}", "name": "ask"}]


def fair(request: Received) -> Reply:
    """Judge by the answer."""
    return grade(2 if "bad" in request.last_user.rpartition("[[answer")[2] else 5)


def strict(request: Received) -> Reply:
    """Judge as `fair`, two grades lower: the judge has drifted."""
    return grade(1 if "bad" in request.last_user.rpartition("[[answer")[2] else 3)


def ready(project: Project, server: JudgedServer, **changes: Any) -> None:
    """Run the suite with the good prompt, and make that the baseline."""
    project.write_cases(12)
    write(project, server, **changes)
    assert project.run("run").code == 0
    assert project.run("baseline", "set").code == 0


def write(project: Project, server: JudgedServer, **changes: Any) -> None:
    suite = server.suite("judge_grade", prompts=GOOD, gate={"block": "regression"})
    project.write_suite(server.base_url, **{**suite, **changes})


def gated(project: Project, *args: str) -> Result:
    return project.run("gate", *args)


def test_a_judge_that_drifted_is_no_regression(project: Project) -> None:
    """The same answers, judged lower than at the baseline's time: both sides are judged again, and nothing changed."""
    with JudgedServer(fair) as server:
        ready(project, server)
        server.judges_with(strict)
        write(project, server, prompts=[{"text": "good   {{ question }}", "name": "ask"}])
        done = gated(project)
        assert done.code == 0, done.out + done.err
        assert "judged again on both sides in one session: 24 calls" in " ".join(done.out.split())


def test_a_real_drop_is_still_seen(project: Project) -> None:
    """Judged in one session, worse answers are worse."""
    with JudgedServer(fair) as server:
        ready(project, server)
        write(project, server, prompts=BAD)
        done = gated(project)
        assert done.code == 1, done.out + done.err
        assert "judge_grade: regressed: 5 before, 2 now (-3)" in " ".join(done.out.split())


def test_the_same_gate_again_asks_nobody(project: Project) -> None:
    """The session's judgments are in the ledger: the verdict stays, and nothing is paid for."""
    with JudgedServer(fair) as server:
        ready(project, server)
        write(project, server, prompts=BAD)
        first = gated(project)
        count = server.count
        second = gated(project)
        assert (first.code, second.code, server.count) == (1, 1, count)


def test_it_can_be_turned_off(project: Project) -> None:
    """Then each side keeps the judgments of its own time, and drift looks like a regression."""
    with JudgedServer(fair) as server:
        off = {"gate": {"block": "regression", "judge_again": False}}
        ready(project, server, **off)
        server.judges_with(strict)
        write(project, server, prompts=[{"text": "good   {{ question }}", "name": "ask"}], **off)
        assert gated(project).code == 1


def test_another_definition_is_judged_by_on_both_sides(project: Project) -> None:
    """A changed judge re-judges the baseline: like is compared with like, in `gate` and in `diff`."""
    metric = {"metric": "judge_conciseness", "name": "judge_grade"}
    with JudgedServer(fair) as server:
        ready(project, server)
        write(project, server, metrics=[metric])
        done = gated(project)
        assert done.code == 0, done.out + done.err
        runs = project.run("runs", "--json").json
        names = [run["run"] for run in (runs["runs"] if isinstance(runs, dict) else runs)]
        looked = project.run("diff", names[-1], names[0], "--json")
        (found,) = looked.json["metrics"].values()
        assert (found["baseline_mean"], found["candidate_mean"]) == (5.0, 5.0)
        assert "judged again on both sides" in found["note"]


def test_a_judge_that_fails_midway_never_passes_the_gate(project: Project) -> None:
    """The run was judged, the second look was not: exit 4, with the reason."""
    with JudgedServer(fair) as server:
        ready(project, server)
        judged = len(server.judgments)

        def tired(request: Received) -> Reply | str:
            return fair(request) if len(server.judgments) <= judged + 12 else "I am tired."

        server.judges_with(tired)
        write(project, server, prompts=[{"text": "good   {{ question }}", "name": "ask"}])
        done = gated(project)
        assert done.code == 4, done.out + done.err
        assert "I am tired." in done.err


def test_offline_compares_what_is_there(project: Project) -> None:
    """Nobody is asked, and the judgments of each side's own time stand."""
    with JudgedServer(fair) as server:
        ready(project, server)
        count = server.count
        done = gated(project, "--offline")
        assert (done.code, server.count) == (0, count), done.out + done.err


@pytest.mark.parametrize("limit", [("--max-calls", "26")])
def test_the_budget_of_the_gate_holds_for_judging_again(project: Project, limit: tuple[str, str]) -> None:
    """Twelve answers and twelve judgments leave two calls: not enough to compare, so nothing passes."""
    with JudgedServer(fair) as server:
        ready(project, server)
        before = server.count
        write(project, server, prompts=[{"text": "good   {{ question }}", "name": "ask"}])
        done = gated(project, *limit)
        assert done.code == 4, done.out + done.err
        assert server.count - before == 26
