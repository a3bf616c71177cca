"""`retest verify` and `retest store copy` as a user meets them: exit code and text out."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from support.openai_server import OpenAIServer
from support.project import Project


@pytest.fixture
def ran(project: Project) -> Project:
    """Return a project with one run of four cases."""
    project.write_cases(4)
    with OpenAIServer(lambda request: request.last_user) as server:
        project.write_suite(server.base_url)
        assert project.run("run").code == 0
    return project


def lose_an_answer(project: Project) -> None:
    with closing(sqlite3.connect(project.root / ".retest" / "retest.db")) as raw, raw:
        raw.execute("DELETE FROM responses WHERE id = 2")


def test_verify_finds_repairs_and_the_run_goes_on(project: Project) -> None:
    """Exit 0 when whole, 1 when not, 0 once repaired; the same `run` then asks for the one lost answer."""
    project.write_cases(4)
    with OpenAIServer(lambda request: request.last_user) as server:
        project.write_suite(server.base_url)
        first = project.run("run", "--json").json
        whole = project.run("verify")
        assert (whole.code, "everything is whole" in whole.out) == (0, True)
        lose_an_answer(project)
        found = project.run("verify")
        assert found.code == 1
        assert "lost-answers" in found.out
        assert "verify --repair mends" in found.out
        repaired = project.run("verify", "--repair", "--json").json
        assert (repaired["exit_code"], repaired["is_sound"]) == (0, True)
        again = project.run("run", "--json")
        assert server.count == 5
    assert (again.code, again.json["run"], again.json["samples"]) == (0, first["run"], 4)


def test_copy_counts_and_the_copy_reads_alike(ran: Project) -> None:
    """The copy lists the same run; a second copy brings nothing; a store into itself is a mistake."""
    first = ran.run("store", "copy", ".retest/retest.db", "copy.db", "--json").json
    assert (first["runs"], first["responses"], first["samples"], first["exit_code"]) == (1, 4, 4, 0)
    assert ran.run("show", "--json", "--store", "copy.db").json == ran.run("show", "--json").json
    assert "copied 0 runs" in ran.run("store", "copy", ".retest/retest.db", "copy.db").out
    wrong = ran.run("store", "copy", "copy.db", "copy.db")
    assert (wrong.code, "store-copy-itself" in wrong.err) == (2, True)


def test_a_damaged_file_is_never_called_sound(ran: Project) -> None:
    """A page of the file overwritten: exit 1 from verify, with what to do; no traceback from anything that reads."""
    path = ran.root / ".retest" / "retest.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = raw.execute("SELECT rootpage FROM sqlite_master WHERE name='samples'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    found = ran.run("verify")
    assert (found.code, "restore a backup" in found.out) == (1, True)
    shown = ran.run("show")
    assert (shown.code, "store-damaged" in shown.err, "Traceback" in shown.err) == (2, True, False)
