"""A team's PostgreSQL store under a run: lost connections, a server that crashes, colleagues who look, a secret URL."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg
import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.postgres import PASSWORD, PostgresServer, find_programs, running_server
from support.project import Project

pytestmark = pytest.mark.postgres
CASES, CONCURRENCY = 24, 2
RUN = ("run", "--json", "--concurrency", str(CONCURRENCY))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """Give a private server."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's server programs (initdb, postgres) are not installed")
    with running_server(programs) as server:
        yield server


def sessions(postgres: PostgresServer) -> list[int]:
    """Return the processes of the server that serve retest."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'retest'").fetchall()
    return [int(row[0]) for row in rows]


def cut_off(postgres: PostgresServer) -> None:
    """End every connection of retest, as a proxy or an administrator does."""
    for pid in sessions(postgres):
        postgres.run_sql(f"SELECT pg_terminate_backend({pid})")


def crash(postgres: PostgresServer) -> None:
    """Kill one process of the server: it drops everybody, recovers and comes up again."""
    for pid in sessions(postgres)[:1]:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("strike", "codes"), [(cut_off, {0}), (crash, {0, 4})], ids=["cut off", "crash"])
def test_a_run_outlives_its_connections(
    project: Project, postgres: PostgresServer, strike: object, codes: set[int]
) -> None:
    """Twice midway: nothing that was acknowledged is lost, at most what was in flight is paid for twice."""
    assert callable(strike)
    project.write_cases(CASES)

    def answer(request: Received) -> Reply:
        if request.index in {CASES // 3, CASES // 2}:
            strike(postgres)
        return ok(request.last_user)

    store = postgres.url(postgres.create_schema())
    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url)
        done = project.run(*RUN, RETEST_STORE=store)
        assert done.code in codes, done.err
        assert "Traceback" not in done.err
        again = project.run(*RUN, RETEST_STORE=store)
        assert (again.code, again.json["samples"], again.json["errors"]) == (0, CASES, 0), again.err
        assert server.count <= CASES + (CONCURRENCY if done.code else 0)
    assert project.run("verify", RETEST_STORE=store).code == 0


def test_a_colleague_sees_a_run_at_once_and_nobody_the_password(project: Project, postgres: PostgresServer) -> None:
    """While it goes on, by another process; the URL is shown without its password, also where it is refused."""
    project.write_cases(CASES)
    seen: list[str] = []
    store = postgres.tcp_url()

    def answer(request: Received) -> Reply:
        if request.index == CASES // 2:
            seen.append(project.run("runs", "--json", RETEST_STORE=store).out)
        return ok(request.last_user)

    with OpenAIServer(answer) as server:
        project.write_suite(server.base_url)
        done = project.run(*RUN, "--verbose", RETEST_STORE=store)
        assert (done.code, server.count) == (0, CASES), done.err
    assert '"running"' in seen[0]
    assert done.json["run"] in seen[0]
    wrong = project.run("runs", RETEST_STORE=postgres.tcp_url(password=f"{PASSWORD}-wrong"))
    doctor = project.run("doctor", RETEST_STORE=store)
    assert (wrong.code, "store-access-denied" in wrong.err) == (2, True)
    for shown in (done, wrong, doctor):
        assert PASSWORD not in shown.out + shown.err
    assert not [path for path in project.root.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
