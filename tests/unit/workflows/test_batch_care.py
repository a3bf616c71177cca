"""Batches looked after from outside their runs: nothing is given up that may still be paid for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retest.domain.batch import NEVER_SENT, Batch
from retest.errors import ExitCode, UsageError
from retest.runner.events import ignore_events
from retest.store.database import Store
from retest.workflows.batch_care import Cared, Wish, care_for, forget
from support.batch_project import BatchProject
from support.batch_server import BatchServer, Fate
from support.openai_server import Received, Reply, ok


def echo(request: Received) -> Reply:
    return ok(f"秘密 {request.last_user}")


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer(echo, fates=[Fate(states=("validating", "in_progress"))]) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: BatchServer) -> BatchProject:
    """Give a project whose one batch is out."""
    made = BatchProject(tmp_path, server, redact=[{"field": "question"}])
    made.interrupt()
    return made


def care(project: BatchProject, wish: Wish, **changes: Any) -> Cared:
    """Look after the one batch that is out, with what the store knows of it changed first."""
    with project.store() as store:
        return asyncio.run(_care(store, project, wish, changes))


async def _care(store: Store, project: BatchProject, wish: Wish, changes: dict[str, Any]) -> Cared:
    (batch,) = store.batches.list()
    batch = await store.batches.update(batch, **changes)
    return await care_for(batch, wish, store, project.workspace(), ignore_events)


def test_answers_are_redacted_as_their_run_would(project: BatchProject, server: BatchServer) -> None:
    """Rules on fields need the cases: they are known from the run that sent the batch."""
    server.finish()
    cared = care(project, "fetch")
    assert (cared.taken, cared.answers, cared.errors) == (True, 10, 0)
    assert cared.batch.ended_at is not None
    outcome = project.run(batch=False)
    assert outcome.run is not None
    with project.store() as store:
        said = {sample.outcome.output for sample in store.iter_samples(outcome.run.run_id)}  # type: ignore[union-attr] # answers
    assert said == {"秘密 [redacted]"}
    assert server.count == 0


def test_a_batch_of_which_only_the_provider_knows_is_found(project: BatchProject, server: BatchServer) -> None:
    """Its run was killed before it could note the name."""
    server.finish()
    assert care(project, "fetch", batch_id=None).answers == 10


def test_what_the_provider_never_got_is_given_up(project: BatchProject, server: BatchServer) -> None:
    """But not by a look at it; whoever takes it looks twice."""
    server.lose()
    lost = {"batch_id": None, "file_id": "file-none"}
    assert not care(project, "status", **lost).taken
    assert server.count_of("list") == 1
    assert care(project, "fetch", **lost).batch.status == NEVER_SENT
    assert project.run().exit_code is ExitCode.PASSED
    assert set(server.paid.values()) == {1}


def test_a_batch_that_shows_a_little_later_is_not_given_up(project: BatchProject, server: BatchServer) -> None:
    """A provider's list lags behind: that it is not there at the first look says nothing."""
    server.finish()
    server.hide_batches_from_list(looks=1)
    assert care(project, "fetch", batch_id=None).answers == 10


def test_a_batch_that_a_live_process_waits_for_is_left_to_it(project: BatchProject, server: BatchServer) -> None:
    """Its answers are its own, and it is not given up; to have it ended is allowed."""
    with project.store() as waiting, project.store() as store:
        (batch,) = store.batches.list()
        server.batches[0].fate = Fate(states=("in_progress", "in_progress"), done=3)

        async def work() -> Batch:
            await asyncio.to_thread(waiting.start_run, waiting.get_run(batch.run_id), owner=batch.run_id)
            assert await waiting.batches.look_after(batch.number, waiting.ledger(batch.run_id).owner)
            workspace = project.workspace()
            with pytest.raises(UsageError, match="batch-in-use"):
                await care_for(batch, "fetch", store, workspace, ignore_events)
            with pytest.raises(UsageError, match="batch-in-use"):
                await forget(batch, store)
            cared = await care_for(batch, "cancel", store, workspace, ignore_events)
            assert not cared.taken
            return cared.batch

        assert asyncio.run(work()).status == "cancelled"
        assert server.count_of("content") == 0


def test_a_refused_batch_is_closed_with_its_reasons(project: BatchProject, server: BatchServer) -> None:
    """There is nothing to take, and its calls may be made again."""
    server.batches[0].fate = Fate(states=("failed", "failed"), errors=[("invalid_json_line", "一行目が変")])
    cared = care(project, "fetch")
    assert (cared.taken, cared.answers, cared.batch.note) == (True, 0, "invalid_json_line: 一行目が変")
    assert project.run(batch=False).exit_code is ExitCode.PASSED
