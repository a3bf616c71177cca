"""Batches that are out hold their calls back, are looked after by one, and give their answers once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from retest.domain.batch import Batch
from retest.errors import UsageError
from retest.store.batches import NewBatch
from retest.store.database import Store, open_store
from retest.store.engine import open_database
from retest.store.ledger import BATCH_MARGIN_S
from retest.store.migrations import ensure_schema
from retest.store.tables import claims
from retest.workflows.copy_store import copy_store
from support.store_data import in_loop, make_entry


def new_batch(name: str = "token-1", run_id: str = "r1") -> NewBatch:
    """Return a batch that nobody has heard of."""
    return NewBatch(
        token=name,
        run_id=run_id,
        suite="支援/ja",
        place="http://127.0.0.1/v1",
        endpoint="/v1/chat/completions",
        model="gpt-test",
        identity={"provider": "openai"},
    )


def hold(store: Store, keys: Sequence[str], name: str = "token-1", run_id: str = "r1") -> Batch:
    """Claim keys and put them into a batch."""

    async def work() -> Batch:
        ledger = store.ledger(run_id)
        await ledger.claim(keys)
        return await store.batches.hold(new_batch(name, run_id), keys, ledger)

    return in_loop(work)


def claim(store: Store, keys: Sequence[str], owner: str = "other") -> frozenset[str]:
    """Claim keys for another run."""
    return in_loop(lambda: store.ledger(owner).claim(keys))


def test_calls_in_a_batch_are_given_to_nobody(store_url: str) -> None:
    """Not to another run, nor to the one that sent it, also when that process is long gone."""
    with open_store(store_url) as store:
        hold(store, ["a", "b"])
        assert claim(store, ["a", "b", "c"]) == {"c"}
        assert claim(store, ["a"], "r1") == frozenset()
    with open_store(store_url) as store:
        assert claim(store, ["b", "c"]) == {"c"}


def test_a_batch_long_overdue_holds_nothing_back(store_url: str) -> None:
    """Past its expiry and the margin its calls may be made; who asks for them by batch still finds it."""
    with open_store(store_url) as store:
        batch = hold(store, ["a"])
    with open_store(store_url) as store:  # who waited for it is gone
        _expire(store, batch, BATCH_MARGIN_S - 600)
        assert claim(store, ["a"]) == frozenset()
        _expire(store, batch, BATCH_MARGIN_S + 5)
        _check_overdue(store, batch)


def _expire(store: Store, batch: Batch, seconds: float) -> None:
    """Have a batch expired so long ago."""
    over = batch.expires_at - timedelta(hours=24, seconds=seconds)
    in_loop(lambda: store.batches.update(batch, expires_at=over))


def _check_overdue(store: Store, batch: Batch) -> None:
    assert claim(store, ["a"]) == {"a"}
    assert in_loop(lambda: store.batches.find_answering(["a"])) == {}
    assert in_loop(lambda: store.batches.find(["a"])) == {"a": batch.number}


def test_a_batch_that_a_live_process_waits_for_is_never_overdue(sqlite_path: Path) -> None:
    """A clock that was set forward frees none of its calls; with PostgreSQL the server's clock counts."""
    with open_store(str(sqlite_path)) as waiting:
        batch = hold(waiting, ["a"])
        with open_store(str(sqlite_path), clock=lambda: time.time() + 26 * 3600) as store:
            assert claim(store, ["a"]) == frozenset()
            assert in_loop(lambda: store.batches.find_answering(["a"])) == {"a": batch.number}


def test_answers_are_recorded_once_and_free_the_calls(store_url: str) -> None:
    """A second reading of the same results changes nothing, and what was not in the batch is left aside."""
    with open_store(store_url) as store:
        batch = hold(store, ["a", "b"])
        entries = [make_entry("a", "一つ目"), make_entry("zzz", "nobody asked")]
        assert in_loop(lambda: store.batches.record(batch, entries)) == {"a"}
        assert in_loop(lambda: store.batches.record(batch, [make_entry("a", "later")])) == frozenset()
        found = in_loop(lambda: store.ledger("x").lookup(["a", "zzz"]))
        assert {key: response.output for key, response in found.items()} == {"a": "一つ目"}
        assert in_loop(lambda: store.batches.keys(batch.number)) == {"b"}


def test_what_is_left_in_an_ended_batch_may_be_called(store_url: str) -> None:
    """The row stays as history, with why."""
    with open_store(store_url) as store:
        batch = hold(store, ["a", "b"])
        in_loop(lambda: store.batches.let_go(batch.number, ["b"]))
        assert claim(store, ["b"]) == {"b"}
        in_loop(lambda: store.batches.end(batch, status="expired", note="時間切れ"))
        assert claim(store, ["a"]) == {"a"}
        assert store.batches.list() == []
        (ended,) = store.batches.list(ended=True)
        assert (ended.status, ended.note, ended.suite) == ("expired", "時間切れ", "支援/ja")
        assert ended.ended_at is not None


def test_claims_stay_while_their_owner_lives(store_url: str) -> None:
    """A process that knows no batches, for it was started before an upgrade, is held back by them alone."""
    with open_store(store_url) as store:
        batch = hold(store, ["a", "b", "c"])
        in_loop(lambda: store.batches.record(batch, [make_entry("a")]))
        in_loop(lambda: store.batches.let_go(batch.number, ["b"]))
        assert _claimed(store_url) == ["c"]
        in_loop(lambda: store.batches.end(batch))
        assert _claimed(store_url) == []


def _claimed(store_url: str) -> list[str]:
    database = open_database(store_url, read_only=True, busy_timeout_s=10, clock=time.time)
    try:
        with database.reading() as connection:
            return list(connection.scalars(sa.select(claims.c.key).order_by(claims.c.key)))
    finally:
        database.close()


def test_one_process_looks_after_a_batch(store_url: str) -> None:
    """Another takes over when it has ended, not before."""
    with open_store(store_url) as first:
        batch = hold(first, ["a"])
        mine = first.ledger("r1").owner
        assert in_loop(lambda: first.batches.look_after(batch.number, mine))
        with open_store(store_url) as second:
            other = second.ledger("r1").owner
            assert in_loop(lambda: second.batches.is_looked_after(batch.number))
            assert not in_loop(lambda: second.batches.look_after(batch.number, other))
    with open_store(store_url) as second:
        other = second.ledger("r1").owner
        in_loop(lambda: second.ledger("r1").claim(["z"]))
        assert not in_loop(lambda: second.batches.is_looked_after(batch.number))
        assert in_loop(lambda: second.batches.look_after(batch.number, other))


def test_what_is_learned_of_a_batch_stays(store_url: str) -> None:
    """The provider's names, its state and its counts are there for whoever opens the store next."""
    with open_store(store_url) as store:
        batch = hold(store, ["a", "b"])
        expires = batch.expires_at + timedelta(hours=1)
        changes = {"file_id": "file-1", "batch_id": "batch_1", "status": "in_progress", "answered": 1}
        in_loop(lambda: store.batches.update(batch, **changes, expires_at=expires))
    with open_store(store_url) as store:
        (found,) = store.batches.list()
        assert (found.file_id, found.name, found.status, found.answered) == ("file-1", "batch_1", "in_progress", 1)
        assert (found.requests, found.expires_at, found.identity) == (2, expires, {"provider": "openai"})


def test_a_batch_is_found_by_either_name(store_url: str) -> None:
    """By the beginning of the provider's name or of ours; two that begin alike are named as such."""
    with open_store(store_url) as store:
        one = hold(store, ["a"], "token-1")
        in_loop(lambda: store.batches.update(one, batch_id="batch_1"))
        hold(store, ["b"], "token-2")
        assert store.batches.get("batch").number == store.batches.get("token-1").number == one.number
        for name, what in (("token", "2 batches are"), ("nope", "no batch is")):
            with pytest.raises(UsageError, match=what):
                store.batches.get(name)


def test_an_answer_arrives_while_another_claims(store_url: str) -> None:
    """Whoever claims at the moment in which an answer is recorded never gets the key."""
    keys = [f"k{number}" for number in range(40)]
    with open_store(store_url) as first, open_store(store_url) as second:
        batch = hold(first, keys)

        async def race() -> list[frozenset[str]]:
            other = second.ledger("other")
            taken = [asyncio.ensure_future(other.claim([key])) for key in keys]
            await asyncio.gather(*(first.batches.record(batch, [make_entry(key)]) for key in keys))
            return list(await asyncio.gather(*taken))

        assert set(in_loop(race)) == {frozenset()}


def test_a_copy_of_a_store_knows_what_is_out(store_url: str, tmp_path: Path) -> None:
    """Neither store pays for its calls again; what the other store has an answer to is not held back."""
    other = str(tmp_path / "copy.db")
    with open_store(store_url) as store:
        batch = hold(store, ["a", "b"])
        in_loop(lambda: store.batches.update(batch, batch_id="batch_1"))
    with open_store(other) as copy:
        in_loop(lambda: copy.ledger().record([make_entry("b")]))
    for copied in (1, 0):
        assert copy_store(store_url, other, lambda *_: None).batches == copied
    with open_store(other) as copy:
        (found,) = copy.batches.list()
        assert (found.name, found.identity) == ("batch_1", {"provider": "openai"})
        assert in_loop(lambda: copy.batches.find(["a", "b"])) == {"a": found.number}
        assert claim(copy, ["a"]) == frozenset()


def test_an_older_store_gets_the_same_tables(store_url: str) -> None:
    """What the upgrade makes of a store of version 3 is what a new store has."""
    open_store(store_url).close()
    database = open_database(store_url, read_only=False, busy_timeout_s=10, clock=time.time)
    try:
        made = _columns(database.engine)
        with database.connect_writer() as connection, connection.begin():
            for table in ("batches", "batch_keys"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
            connection.exec_driver_sql("UPDATE meta SET value = '3' WHERE name = 'schema_version'")
        ensure_schema(database, read_only=False)
        assert _columns(database.engine) == made
    finally:
        database.close()
    with open_store(store_url) as store:
        assert hold(store, ["a"]).number == 1


def _columns(engine: sa.Engine) -> dict[str, list[tuple[str, str, bool]]]:
    look = sa.inspect(engine)
    return {
        table: [(column["name"], str(column["type"]), column["nullable"]) for column in look.get_columns(table)]
        for table in ("batches", "batch_keys")
    }
