"""Runs on a real Ray cluster of several nodes, with workers and nodes that are killed."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.judging import JudgedServer, grade
from support.openai_server import OpenAIServer, Received, Reply, ok, unauthorized
from support.project import Project
from support.ray_nodes import RayNodes, ray_nodes
from support.waiting import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

KEY = "sk-planted-8f3a17c2-never-on-disk"
ARGUMENT = "planted-argument-51b7"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayNodes]:
    """Start a head that computes nothing, and a node with a processor; tests add what they kill."""
    pytest.importorskip("ray", reason="needs the 'ray' extra")
    with ray_nodes([1, 1]) as nodes:
        yield nodes


def start(project: Project, cluster: RayNodes, *args: str) -> subprocess.Popen[bytes]:
    return project.start("run", "--executor", "ray", "--address", cluster.address, "--json", *args, OPENAI_API_KEY=KEY)


def ended(process: subprocess.Popen[bytes], code: int = 0) -> Any:
    """Return the JSON that a command ended with."""
    out, err = process.communicate(timeout=200)
    assert process.returncode == code, out.decode() + err.decode()
    return json.loads(out)


def test_two_nodes_give_what_one_machine_gives(project: Project, cluster: RayNodes) -> None:
    """Scores and counts of a run on two nodes are those of a run here, in English and Japanese."""
    rows = [{"id": f"c{i}", "question": f"質問 {i}", "expected": f"答え {i % 7}"} for i in range(150)]
    project.write_rows("datasets/qa.jsonl", rows)
    with OpenAIServer(lambda request: f"答え {len(request.last_user) % 7}") as server:
        project.write_suite(server.base_url, metrics=["exact_match", "rouge", "similarity"])
        spread = ended(start(project, cluster, "--store", "ray.db"))
        calls = server.count
        alone = project.run("run", "--json", "--store", "local.db", OPENAI_API_KEY=KEY).json
    assert calls == 150
    assert spread["metrics"] == alone["metrics"]
    assert spread["calls"] == alone["calls"] == 150


def test_a_killed_worker_and_a_killed_node_lose_nothing(project: Project, cluster: RayNodes) -> None:
    """What they had recorded is not paid for again; at most what was in flight is."""
    project.write_cases(400)
    node = cluster.add()
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.05)) as server:
        project.write_suite(server.base_url)
        process = start(project, cluster, "--concurrency", "6")
        wait_until(lambda: server.count > 60, 100)
        cluster.kill_worker()
        wait_until(lambda: server.count > 180, 100)
        cluster.kill(node)
        report = ended(process)
    assert report["samples"] == 400
    assert report["errors"] == 0
    assert report["metrics"]["exact_match"]["mean"] == 1.0
    assert 400 <= server.count <= 400 + 2 * 6
    again = project.run("run", "--json", OPENAI_API_KEY=KEY)
    assert again.json["ledger_hits"] == 400


def test_a_refused_key_stops_all_workers(project: Project, cluster: RayNodes) -> None:
    """After a 401 no worker goes on for long, and the exit code says that the run is incomplete."""
    project.write_cases(400)

    def answer(request: Received) -> Reply:
        return unauthorized() if request.index >= 30 else ok(request.last_user, delay_s=0.02)

    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url)
        ended(start(project, cluster, "--concurrency", "8"), code=4)
    assert server.count < 150


def test_ctrl_c_keeps_what_was_paid_for(project: Project, cluster: RayNodes) -> None:
    """The same command goes on where an interrupted one ended, and pays for nothing twice."""
    project.write_cases(200)
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.05)) as server:
        project.write_suite(server.base_url)
        process = start(project, cluster, "--concurrency", "4")
        wait_until(lambda: server.count > 20, 100)
        process.send_signal(signal.SIGINT)
        assert ended(process, code=130)["status"] == "interrupted"
        assert server.count < 200
        ended(start(project, cluster, "--concurrency", "4"))
    assert server.count == 200


@pytest.mark.parametrize("goes_on", ["on the cluster", "alone"])
def test_a_killed_command_takes_its_workers_along_and_goes_on(
    project: Project, cluster: RayNodes, goes_on: str
) -> None:
    """Nothing that was recorded is lost or paid for again, and all else is called for once, with and without Ray."""
    project.write_cases(200)
    before = own_folders()
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.05)) as server:
        project.write_suite(server.base_url)
        process = start(project, cluster, "--concurrency", "4")
        wait_until(lambda: server.count > 60, 100)
        process.kill()
        process.communicate(timeout=60)
        wait_until(lambda: not cluster.worker_pids(), 60)
        paid, recorded = server.count, responses(project)
        if goes_on == "alone":
            report = project.run("run", "--json", "--concurrency", "4", OPENAI_API_KEY=KEY).json
        else:
            report = ended(start(project, cluster, "--concurrency", "4"))
    assert (report["samples"], report["errors"]) == (200, 0)
    assert report["metrics"]["exact_match"]["mean"] == 1.0
    assert server.count == paid + 200 - recorded
    assert paid - 4 <= recorded <= paid < 200
    assert own_folders() == before


def own_folders() -> set[Path]:
    """Return the folders of clusters of our own."""
    return set(Path("/tmp").glob("retest-ray-*"))  # noqa: S108 - where they are made


def responses(project: Project) -> int:
    """Return how many answers are recorded."""
    with closing(sqlite3.connect(project.root / ".retest" / "retest.db")) as store:
        return int(store.execute("SELECT count(*) FROM responses").fetchone()[0])


def test_no_key_reaches_a_file(project: Project, cluster: RayNodes) -> None:
    """A key is in no log of Ray, in no file of the project, and not printed; nor does Ray know the command line."""
    project.write_cases(20)
    with OpenAIServer(lambda request: ok(request.last_user)) as server:
        project.write_suite(server.base_url)
        process = start(project, cluster, "--meta", f"note={ARGUMENT}")
        out, err = process.communicate(timeout=200)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert process.returncode == 0
    assert KEY.encode() not in out + err
    assert [*holding(project.root, KEY), *holding(cluster.session, KEY)] == []
    assert [*holding(cluster.session, ARGUMENT)] == []
    assert [*holding(cluster.session, cluster.address)] != []  # it is looked for in the right place


def holding(folder: Path, text: str) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and text.encode() in path.read_bytes():
            yield path


def test_judges_are_asked_by_workers(project: Project, cluster: RayNodes) -> None:
    """Each answer is judged once, and the judge's account is the run's."""
    project.write_cases(30)
    with JudgedServer(lambda _: grade(4, "明快です")) as server:
        project.write_suite(server.base_url, **server.suite())
        report = ended(start(project, cluster))
        assert len(server.judgments) == 30
    assert report["judges"]["grader"]["calls"] == 30
    assert report["metrics"]["judge_grade"]["mean"] == 4.0


def test_a_cluster_of_our_own_ends_with_the_run(project: Project) -> None:
    """`--address local` needs nothing that runs, and leaves neither a process nor a folder."""
    project.write_cases(12)
    before = own_folders()
    with OpenAIServer(lambda request: ok(request.last_user)) as server:
        project.write_suite(server.base_url)
        done = project.run("run", "--address", "local", "--workers", "1", "--json", timeout_s=200, OPENAI_API_KEY=KEY)
    assert done.code == 0, done.err
    assert done.json["calls"] == 12
    assert own_folders() == before
    assert "ray" not in done.err.lower().replace("address", "")
