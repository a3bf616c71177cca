"""A disk that is really full: what was acknowledged stays, older files stay, nothing passes, with room it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.openai_server import OpenAIServer, ok
from support.small_disk import SmallDisk, small_disk

CASES, CONCURRENCY = 40, 4
RUN = ("run", "--json", "--concurrency", str(CONCURRENCY))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a small disk."""
    with small_disk(tmp_path / "disk") as made:
        yield made


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint with answers of 20 KB."""
    with OpenAIServer(lambda request: ok(f"{request.last_user} {'x' * 20_000}")) as running:
        yield running


def test_a_run_that_fills_the_disk_is_gone_on_with(disk: SmallDisk, server: OpenAIServer) -> None:
    """Exit 4 and `store-full`; what can be read is whole on the full disk too; with room only the rest is paid for."""
    project = disk.project
    project.write_cases(CASES)
    project.write_suite(server.base_url, metrics=["length"])
    stopped = disk.run(400_000, *RUN)
    assert stopped.code == 4, stopped.out + stopped.err
    assert "store-full" in stopped.err or "store-io-error" in stopped.err
    assert "Traceback" not in stopped.err
    paid = server.count
    assert 0 < paid < CASES
    listed = disk.run(0, "show", "latest", "--json")
    assert (listed.code, listed.json["suite"]) == (0, "qa"), listed.err
    done = project.run(*RUN)
    assert (done.code, done.json["samples"], done.json["errors"]) == (0, CASES, 0)
    assert server.count <= CASES + CONCURRENCY
    assert project.run("verify").code == 0


def test_nothing_is_half_written_and_nothing_passes(disk: SmallDisk, server: OpenAIServer) -> None:
    """Reports, exports and baselines on a full disk: a problem, no traceback, never exit 0; the files before stay."""
    project = disk.project
    project.write_cases(CASES)
    project.write_suite(server.base_url, metrics=["length"], gate={"block": "regression"})
    assert project.run(*RUN).code == 0
    assert project.run("baseline", "set").code == 0
    before = "as it was"
    written = {
        "x.jsonl": ("export", "latest", "--to", "jsonl", "-o", "x.jsonl"),
        "r.html": ("report", "latest", "-o", "r.html"),
        "b.jsonl": ("baseline", "export", "--outputs", "-o", "b.jsonl"),
        "g.html": ("gate", "--offline", "--report", "html=g.html"),
    }
    for name, command in written.items():
        project.write(name, before)
        done = disk.run(0, *command)
        assert done.code in {2, 4}, (name, done.code, done.err)
        assert "Traceback" not in done.err
        assert "unwritable" in done.err or "cannot be written" in done.err or "store-" in done.err, done.err
        assert (project.root / name).read_text("utf-8") == before
    assert {path.name for path in project.root.iterdir() if path.is_file()} == {*written, "retest.toml"}
    assert project.run("verify").code == 0
