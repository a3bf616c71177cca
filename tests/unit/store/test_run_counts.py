"""What a run did in all processes together, read from its samples and the responses that it paid for."""

from __future__ import annotations

import asyncio

import pytest

from retest.domain.sample import Response, Usage
from retest.store.base import LedgerEntry
from retest.store.database import Store
from support.store_data import make_record, make_run, store_run


def paid(key: str, *, role: str = "target", judge: str = "", cost_usd: float | None = 0.5) -> LedgerEntry:
    meta = {"judge": judge} if judge else {}
    response = Response(output="x", usage=Usage(input_tokens=3, output_tokens=2), cost_usd=cost_usd, meta=meta)
    return LedgerEntry(key=key, response=response, role=role)


def record(store: Store, run: str, *entries: LedgerEntry) -> None:
    asyncio.run(store.ledger(run).record(entries))


def test_each_response_counts_for_the_run_that_paid(store: Store) -> None:
    """Two runs on one ledger: the second one's counts hold what it called for itself, and hits for the rest."""
    first, second = make_run("20260301-093015-aaaa"), make_run("20260301-093015-bbbb")
    record(store, first.run_id, paid("k0"), paid("k1"))
    record(store, second.run_id, paid("k1"), paid("k2"))
    store_run(store, first, [make_record((0, 0, 0), key="k0"), make_record((0, 1, 0), key="k1")])
    store_run(store, second, [make_record((0, 0, 0), key="k1"), make_record((0, 1, 0), key="k2")])
    one, two = store.count_run(first.run_id), store.count_run(second.run_id)
    assert (one.samples, one.calls, one.ledger_hits, one.cost_usd, one.input_tokens) == (2, 2, 0, 1.0, 6)
    assert (two.samples, two.calls, two.ledger_hits, two.cost_usd, two.output_tokens) == (2, 1, 1, 0.5, 2)


def test_a_response_that_no_sample_holds_yet_is_paid_all_the_same(store: Store) -> None:
    """What was recorded just before a crash counts as a call, though it was never stored as a sample."""
    run = make_run()
    record(store, run.run_id, paid("k0"), paid("k1"))
    store_run(store, run, [make_record((0, 0, 0), key="k0")])
    counts = store.count_run(run.run_id)
    assert (counts.samples, counts.calls, counts.ledger_hits, counts.cost_usd) == (1, 2, 0, 1.0)


def test_an_unknown_price_leaves_the_cost_unknown(store: Store) -> None:
    """One call without a price is enough."""
    run = make_run()
    record(store, run.run_id, paid("k0"), paid("k1", cost_usd=None))
    store_run(store, run, [])
    counts = store.count_run(run.run_id)
    assert (counts.cost_usd, counts.unpriced_calls) == (None, 1)


def test_judges_are_counted_by_name(store: Store) -> None:
    """A judge's answers are no calls to targets."""
    run = make_run()
    record(store, run.run_id, paid("j0", role="judge", judge="grader"), paid("j1", role="judge", judge="other"))
    store_run(store, run, [])
    counts = store.count_run(run.run_id)
    assert counts.calls == 0
    assert {name: judge.calls for name, judge in counts.judges.items()} == {"grader": 1, "other": 1}


@pytest.mark.parametrize("text", ['an output with "20260301-093015-aaaa" in it', "日本語"])
def test_a_run_named_in_an_answer_did_not_pay_for_it(store: Store, text: str) -> None:
    """Only who called for a response paid for it, whatever the response says."""
    run = make_run()
    mention = Response(output="x", meta={"note": run.run_id, "text": text})
    record(store, "another", LedgerEntry(key="k0", response=mention))
    store_run(store, run, [])
    assert store.count_run(run.run_id).calls == 0
