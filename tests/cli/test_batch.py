"""`--batch` and `retest batch`, as a user types them: files in; exit code and text out."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.batch_project import KEY, BatchProject
from support.batch_server import BatchServer, Fate
from support.openai_server import Received, Reply, ok
from support.project import Result

OUT = Fate(states=("validating", "in_progress"))


def echo(request: Received) -> Reply:
    return ok(request.last_user)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    """Give a server whose first batch stays out until it is cancelled."""
    with BatchServer(echo, fates=[OUT]) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: BatchServer) -> BatchProject:
    return BatchProject(tmp_path, server)


def retest(project: BatchProject, *args: str) -> Result:
    return project.files.run(*args, OPENAI_API_KEY=KEY)


def test_ctrl_c_leaves_the_batch_and_says_how_to_go_on(project: BatchProject, server: BatchServer) -> None:
    """Exit 130; the batch goes on at the provider, and the same command with it."""
    process = project.files.start("run", "--batch", OPENAI_API_KEY=KEY)
    deadline = time.monotonic() + 60
    while server.count_of("state") < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130
    assert "Ctrl-C is harmless: the same command goes on with it" in said
    left = "batch batch_1 goes on at the provider (in_progress, 0 of 10 answered): nothing is lost"
    assert left in " ".join(said.split())
    assert "retest run --batch" in said
    server.batches[0].fate = Fate()
    done = retest(project, "run", "--batch")
    assert done.code == 0
    assert "10 calls made, 0 from the ledger, cost $0.0055" in done.out
    assert "10 out in batches, 0 calls to make" in done.err
    assert server.count_of("create") == 1


def test_the_plan_says_half_price(project: BatchProject, server: BatchServer) -> None:
    """Before anything is sent, for people and for programs."""
    shown = retest(project, "run", "--batch", "--dry-run")
    assert "10 calls to make by batch, half price" in shown.err
    by_batch = retest(project, "run", "--batch", "--dry-run", "--json").json
    direct = retest(project, "run", "--dry-run", "--json").json
    assert by_batch["by_batch"]
    assert by_batch["estimated_cost_usd"] == pytest.approx(direct["estimated_cost_usd"] / 2)
    assert server.steps == []


def test_what_is_out_is_listed_looked_at_and_cancelled(project: BatchProject, server: BatchServer) -> None:
    """The list asks nobody; cancelling takes what was answered by then, and the run goes on with the rest."""
    project.interrupt()
    steps = len(server.steps)
    listed = retest(project, "batch", "list")
    assert (listed.code, "batch_1" in listed.out, "out" in listed.out) == (0, True, True)
    assert retest(project, "batch", "list", "--json").json["batches"][0]["requests"] == 10
    assert len(server.steps) == steps
    assert "in_progress, 0 of 10 answered" in retest(project, "batch", "status").out
    assert retest(project, "batch", "fetch").code == 4
    server.batches[0].fate = Fate(states=OUT.states, done=4)
    cancelled = retest(project, "batch", "cancel", "batch")
    assert (cancelled.code, cancelled.out) == (0, "batch batch_1: cancelled, 4 answers taken, 6 calls without\n")
    assert retest(project, "batch", "list").out == "no batch is out\n"
    assert "cancelled" in retest(project, "batch", "list", "--all").out
    assert retest(project, "run", "--batch").code == 0
    assert set(server.paid.values()) == {1}
    assert len(server.paid) == 10


def test_answers_are_fetched_without_the_run(project: BatchProject, server: BatchServer) -> None:
    """They are in the ledger then: any run of the suite has them for nothing."""
    project.interrupt()
    server.batches[0].fate = Fate()
    for _ in range(3):
        fetched = retest(project, "batch", "fetch", "--json")
    assert fetched.code == 0
    done = retest(project, "run")
    assert done.code == 0
    assert "0 calls to make" in done.err
    assert server.count == 0
    assert retest(project, "batch", "fetch").out == "no batch is out\n"


def test_one_batch_that_nobody_knows_holds_up_no_other(project: BatchProject, server: BatchServer) -> None:
    """Its problem is told, the others' answers are taken, and the exit code is not 0."""
    server.fate_of = lambda _: OUT
    targets = [project.target(), project.target(name="large", model="other-model")]
    project.files.write_suite(server.base_url, targets=targets)
    project.interrupt()
    server.batches[1].fate = Fate(states=("in_progress", "completed"))
    del server.batches[0]
    fetched = retest(project, "batch", "fetch", "--json")
    assert (fetched.code, fetched.json["exit_code"]) == (4, 4)
    assert [problem["slug"] for problem in fetched.json["problems"]] == ["batch-endpoint"]
    assert [(batch["name"], batch["answers"]) for batch in fetched.json["batches"]] == [("batch_2", 10)]


def test_a_direct_run_says_what_is_out(project: BatchProject, server: BatchServer) -> None:
    """Exit 4 before any call, with both ways on."""
    project.interrupt()
    refused = retest(project, "run")
    assert refused.code == 4
    text = " ".join(refused.err.split())
    assert "10 calls of this run are out in a batch (batch_1): made here, they would be paid for twice" in text
    assert "with the same command and --batch" in text
    assert server.count == 0
    assert "batch-outstanding" in text


def test_a_batch_may_be_given_up(project: BatchProject, server: BatchServer) -> None:
    """Where its provider knows it no more; its calls may then be made."""
    project.interrupt()
    lost = server.batches.pop()
    unknown = retest(project, "batch", "status")
    assert (unknown.code, "batch-endpoint" in unknown.err) == (4, True)
    assert retest(project, "run", "--batch").code == 4
    given_up = retest(project, "batch", "forget", lost.name)
    assert (given_up.code, "may be made again" in given_up.out) == (0, True)
    assert retest(project, "run").code == 0
    assert server.count == 10


def test_a_changed_target_cannot_speak_for_a_batch(project: BatchProject, server: BatchServer) -> None:
    """The key and the address come from the suite; another endpoint never gets to know of the batch."""
    project.interrupt()
    project.files.write_suite("http://127.0.0.1:9/v1", targets=[project.target(base_url="http://127.0.0.1:9/v1")])
    steps = len(server.steps)
    refused = retest(project, "batch", "fetch")
    assert (refused.code, "batch-no-target" in refused.err) == (2, True)
    assert len(server.steps) == steps


def test_unknown_names_are_said(project: BatchProject) -> None:
    """Exit 2, with where to look."""
    with project.store():
        pass
    unknown = retest(project, "batch", "cancel", "nope")
    assert (unknown.code, "batch-unknown" in unknown.err) == (2, True)


def test_a_gate_and_a_comparison_go_by_batch(tmp_path: Path) -> None:
    """Both sides of a comparison order their calls; what they share is ordered once."""
    with BatchServer(echo) as server:
        project = BatchProject(tmp_path, server, gate={"block": "regression"})
        assert retest(project, "run", "--batch").code == 0
        project.files.write_cases(11)
        gate = retest(project, "gate", "--baseline", "latest", "--batch")
        assert gate.code == 0
        assert [len(batch.lines) for batch in server.batches] == [10, 1]
        for name in ("a", "b"):
            project.files.write(f"prompts/{name}.md", f"{name}: {{{{ question }}}}")
        suite = "evals/qa.yaml"
        compared = retest(project, "compare", "prompts/a.md", "prompts/b.md", "--suite", suite, "--batch")
        assert compared.code == 0
        assert sum(len(batch.lines) for batch in server.batches[2:]) == 22
        assert set(server.paid.values()) == {1}
        assert server.count == 0


@pytest.mark.parametrize(
    ("args", "slug"),
    [
        (("run", "--batch", "--until-decided"), "batch-until-decided"),
        (("run", "--batch", "--offline"), "batch-offline"),
    ],
    ids=["until-decided", "offline"],
)
def test_mistakes_are_found_before_anything_is_sent(
    project: BatchProject, server: BatchServer, args: tuple[str, ...], slug: str
) -> None:
    """Exit 2."""
    refused = retest(project, *args)
    assert (refused.code, slug in refused.err) == (2, True)
    assert server.steps == []
