"""The ledger: responses by key, first come first kept; claims that one owner holds."""

from __future__ import annotations

import asyncio
import time

from retest.domain.sample import Response, Usage
from retest.store.database import Store, open_store
from retest.store.ledger import StoredLedger
from support.store_data import in_loop, make_entry


def test_a_recorded_response_is_found(store: Store) -> None:
    """What was recorded is looked up, with every field."""
    response = Response(output="答え\x00\ud800\u2028", model="m", usage=Usage(input_tokens=1), meta={"n": 2**70})
    ledger = store.ledger()
    in_loop(lambda: ledger.record([make_entry("k", response)]))
    assert in_loop(lambda: ledger.lookup(["k", "other"])) == {"k": response}


def test_another_store_finds_it(store_url: str) -> None:
    """A response outlives the program that recorded it."""
    with open_store(store_url) as first:
        in_loop(lambda: first.ledger().record([make_entry("k", "kept")]))
    with open_store(store_url) as second:
        assert in_loop(lambda: second.ledger().lookup(["k"]))["k"].output == "kept"


def test_known_tells_without_reading(store: Store) -> None:
    """`known` returns just the keys that are there."""
    ledger = store.ledger()
    in_loop(lambda: ledger.record([make_entry("a"), make_entry("b")]))
    assert in_loop(lambda: ledger.known(["a", "b", "c"])) == {"a", "b"}


def test_the_first_response_under_a_key_stays(store: Store) -> None:
    """A second response under a key is dropped: the sample it stood for is already counted."""
    ledger = store.ledger()
    in_loop(lambda: ledger.record([make_entry("k", "first")]))
    in_loop(lambda: ledger.record([make_entry("k", "second")]))
    assert in_loop(lambda: ledger.lookup(["k"]))["k"].output == "first"


def test_a_key_twice_in_one_batch_is_stored_once(store: Store) -> None:
    """A batch may repeat a key."""
    ledger = store.ledger()
    in_loop(lambda: ledger.record([make_entry("k", "first"), make_entry("k", "second")]))
    assert in_loop(lambda: ledger.known(["k"])) == {"k"}


def test_more_keys_than_one_query_takes(store: Store) -> None:
    """Batches of any size work."""
    ledger = store.ledger()
    keys = [f"key-{number}" for number in range(2345)]
    in_loop(lambda: ledger.record([make_entry(key, key) for key in keys]))
    found = in_loop(lambda: ledger.lookup(keys))
    assert [found[key].output for key in keys] == keys


def test_nothing_asked_nothing_done(store: Store) -> None:
    """Every method takes an empty batch."""
    ledger = store.ledger()

    async def ask_nothing() -> tuple[object, ...]:
        await ledger.record([])
        await ledger.release([])
        return await ledger.lookup([]), await ledger.known([]), await ledger.claim([])

    assert in_loop(ask_nothing) == ({}, frozenset(), frozenset())


def test_many_small_records_at_once_are_all_kept(store: Store) -> None:
    """Calls that wait at the same time share transactions and lose nothing."""
    ledger = store.ledger()

    async def record_all() -> None:
        await asyncio.gather(*(ledger.record([make_entry(f"k{number}")]) for number in range(700)))

    in_loop(record_all)
    assert len(in_loop(lambda: ledger.known([f"k{number}" for number in range(700)]))) == 700


def test_one_bad_record_does_not_spoil_the_others(store: Store) -> None:
    """Of records that share a transaction only the one at fault fails."""
    ledger = store.ledger()
    bad = make_entry("bad", Response(output=None))  # type: ignore[arg-type] # what a faulty target might pass

    async def record_all() -> list[object]:
        calls = [ledger.record([make_entry(f"k{number}")]) for number in range(10)]
        return list(await asyncio.gather(*calls, ledger.record([bad]), return_exceptions=True))

    results = in_loop(record_all)
    assert [type(result).__name__ for result in results] == ["NoneType"] * 10 + ["TypeError"]
    assert len(in_loop(lambda: ledger.known([f"k{number}" for number in range(10)]))) == 10


def claim(ledger: StoredLedger, *keys: str) -> frozenset[str]:
    """Claim keys."""
    return in_loop(lambda: ledger.claim(keys))


def test_a_claimed_key_is_not_given_twice(store_url: str) -> None:
    """While its owner lives, a key is fetched by nobody else."""
    with open_store(store_url) as one, open_store(store_url) as other:
        mine, theirs = one.ledger("same name"), other.ledger("same name")
        assert claim(mine, "a", "b") == {"a", "b"}
        assert claim(theirs, "b", "c") == {"c"}


def test_claiming_again_is_claiming_still(store: Store) -> None:
    """An owner that asks again for its own key gets it."""
    ledger = store.ledger()
    claim(ledger, "a")
    assert claim(ledger, "a") == {"a"}


def test_a_released_key_is_free(store_url: str) -> None:
    """A key whose call failed may be tried by another."""
    with open_store(store_url) as one, open_store(store_url) as other:
        mine, theirs = one.ledger(), other.ledger()
        claim(mine, "a")
        in_loop(lambda: mine.release(["a"]))
        assert claim(theirs, "a") == {"a"}


def test_a_recorded_key_is_not_given_any_more(store_url: str) -> None:
    """A key that was recorded between lookup and claim is not fetched again."""
    with open_store(store_url) as one, open_store(store_url) as other:
        mine, theirs = one.ledger(), other.ledger()
        claim(mine, "a")
        in_loop(lambda: mine.record([make_entry("a")]))
        assert claim(theirs, "a", "b") == {"b"}


def test_recording_drops_the_claim_whoever_holds_it(store: Store) -> None:
    """Once the response is there, nobody needs the claim."""
    mine, theirs = store.ledger("mine"), store.ledger("theirs")
    claim(theirs, "a")
    in_loop(lambda: mine.record([make_entry("a")]))
    assert store.gc().claims == 0
    assert in_loop(lambda: mine.known(["a"])) == {"a"}


def test_closing_a_store_gives_up_its_claims(store_url: str) -> None:
    """A program that ended in good order holds nothing back."""
    with open_store(store_url) as one:
        claim(one.ledger(), "a")
    with open_store(store_url) as other:
        assert claim(other.ledger(), "a") == {"a"}


def test_a_live_owner_keeps_its_claims_past_the_lease(store_url: str) -> None:
    """The store's thread extends the lease by itself, whatever the event loop is busy with."""
    lease_s = 1.5
    with open_store(store_url) as one, open_store(store_url) as other:
        mine, theirs = one.ledger("one", lease_s), other.ledger("other", lease_s)
        claim(mine, "a")
        time.sleep(2 * lease_s)
        assert claim(theirs, "a") == frozenset()
