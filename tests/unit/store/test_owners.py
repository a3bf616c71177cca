"""Owners that are gone lose their claims; one that beats at the last moment keeps them."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import sqlalchemy as sa

from retest.store.database import open_store
from retest.store.engine import Database, open_database
from retest.store.liveness import Observer, ProcessId, Watch, this_observer
from retest.store.owners import beat, drop_dead, forget_owners
from retest.store.tables import claims, owners
from support.postgres import PostgresServer


def opened(url: str) -> Database:
    """Return the database of a new store."""
    open_store(url).close()
    return open_database(url, read_only=False, busy_timeout_s=5, clock=time.time)


def add_owner(database: Database, name: str, observer: Observer) -> None:
    """Store an owner with one claim, named as the owner."""
    with database.connect_writer() as connection, connection.begin():
        number = beat(database, connection, name, 60.0, observer)
        connection.execute(sa.insert(claims).values(key=name, owner=number))


def held(database: Database) -> set[str]:
    """Return the keys that are claimed."""
    with database.reading() as connection:
        return set(connection.scalars(sa.select(claims.c.key)))


def test_the_dead_lose_their_claims_and_the_living_keep_theirs(store_url: str) -> None:
    """Only what a dead owner held is free."""
    database = opened(store_url)
    living = this_observer()
    add_owner(database, "living", living)
    gone = ProcessId(machine=living.process.machine, pid=living.process.pid, started=-1)
    add_owner(database, "dead", replace(living, process=gone))
    with database.connect_writer() as connection, connection.begin():
        assert drop_dead(database, connection, living) == 1
    assert held(database) == {"living"}
    database.close()


def test_an_owner_is_forgotten_with_its_claims(store_url: str) -> None:
    """What ends in good order leaves nothing behind."""
    database = opened(store_url)
    add_owner(database, "one", this_observer())
    add_owner(database, "two", this_observer())
    with database.connect_writer() as connection, connection.begin():
        forget_owners(connection, "one")
    assert held(database) == {"two"}
    database.close()


def test_a_clock_that_was_set_takes_no_claims_from_another_machine(store_url: str) -> None:
    """Its lease is over by our clock; its claims are free only after half a lease of watching brought no beat."""
    now = [0.0]
    ours = replace(this_observer(), process=ProcessId(machine="", pid=1, started=1), monotonic=lambda: now[0])
    theirs = replace(ours, process=ProcessId(machine="there", pid=2, started=2))
    watch = Watch(monotonic=ours.monotonic)
    database = opened(store_url)
    add_owner(database, "far", theirs)
    with database.connect_writer() as connection, connection.begin():
        connection.execute(sa.update(owners).values(beat_wall_s=owners.c.beat_wall_s - 86_400))
        assert drop_dead(database, connection, ours, watch) == 0
        now[0] = 29.0
        assert drop_dead(database, connection, ours, watch) == 0
        now[0] = 31.0
        assert drop_dead(database, connection, ours, watch) == 1
    assert held(database) == set()
    database.close()


@pytest.mark.postgres
def test_an_owner_that_beats_while_it_is_being_judged_stays(postgres: PostgresServer) -> None:
    """Between looking and removing, on a server, an owner may show that it lives: no claim is left without owner."""
    database = opened(postgres.url(postgres.create_schema()))
    add_owner(database, "late", this_observer())

    def beat_meanwhile(_process: ProcessId) -> bool:
        with database.connect_writer() as other, other.begin():
            beat(database, other, "late", 60.0, this_observer())
        return False

    with database.connect_writer() as connection, connection.begin():
        assert drop_dead(database, connection, replace(this_observer(), is_running=beat_meanwhile)) == 0
    assert held(database) == {"late"}
    with database.reading() as connection:
        assert list(connection.scalars(sa.select(owners.c.name))) == ["late"]
    database.close()


def test_gc_counts_the_claims_of_the_dead(store_url: str) -> None:
    """Cleaning up frees what a dead process held, and says how much."""
    database = opened(store_url)
    living = this_observer()
    add_owner(database, "dead", replace(living, process=replace(living.process, started=-1)))
    with open_store(store_url) as store:
        assert store.gc().claims == 1
    assert held(database) == set()
    database.close()
