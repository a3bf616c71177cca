"""Looking up many keys at once: every number of keys, nothing left behind."""

from __future__ import annotations

import gc
import weakref

import pytest

from retest.store.database import Store
from retest.store.lookups import select_by
from retest.store.tables import responses
from support.store_data import in_loop, make_entry

STORED = 1100


@pytest.fixture
def keyed(store: Store) -> Store:
    """Give a store with many answers."""
    in_loop(lambda: store.ledger().record([make_entry(f"key-{number}", f"答 {number}") for number in range(STORED)]))
    return store


def look_up(store: Store, keys: list[str]) -> dict[str, str]:
    """Return the answers by key, as the database gives them."""
    with store._database.reading() as connection:
        return dict(select_by(connection, (responses.c.key, responses.c.output), responses.c.key, keys))


@pytest.mark.parametrize("count", [0, 1, 2, 20, 21, 399, 500, 501, 1001])
def test_every_number_of_keys_finds_its_rows(keyed: Store, count: int) -> None:
    """Statements are filled up to a few sizes, which shows in no result."""
    wanted = [f"key-{number}" for number in range(count)]
    assert look_up(keyed, wanted) == {f"key-{number}": f"答 {number}" for number in range(count)}


def test_keys_that_are_not_there_are_left_out(keyed: Store) -> None:
    """What is not found has no row; what is asked for twice has one."""
    assert look_up(keyed, ["key-3", "no", "key-3", "'; DROP TABLE responses; --"]) == {"key-3": "答 3"}


class _Key(str):
    """A key of which can be told whether it still exists."""

    __slots__ = ("__weakref__",)


def test_a_look_leaves_nothing_to_the_garbage_collector(keyed: Store) -> None:
    """Keys are gone from memory as soon as their rows are here: a run of 100,000 calls looks up half a million."""
    keys: list[str] = [_Key(f"key-{number}") for number in range(400)]
    held = [weakref.ref(key) for key in keys]
    gc.disable()
    try:
        assert len(look_up(keyed, keys)) == len(keys)
        keys.clear()
        assert [ref for ref in held if ref() is not None] == []
    finally:
        gc.enable()
