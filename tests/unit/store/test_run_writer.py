"""Samples and scores of a run: written once, replaced when written again, never left without their answer."""

from __future__ import annotations

import asyncio
import math
import threading
from datetime import timedelta

import pytest

from retest.domain.sample import CallError, MetricFailure, Response, Score
from retest.store.database import Store, open_store
from retest.store.records import StoredSample
from support.store_data import (
    START,
    Clock,
    in_loop,
    make_arm,
    make_case,
    make_entry,
    make_metric,
    make_record,
    make_run,
    store_run,
)

TIMEOUT = CallError(kind="timeout", message="遅すぎる\x00", attempts=3)


def only_sample(store: Store, run_id: str) -> StoredSample:
    """Return the one sample that a run has."""
    (sample,) = store.iter_samples(run_id)
    return sample


def test_a_sample_comes_back_whole(store: Store) -> None:
    """Case, arm, answer, scores, messages and times of a sample are all there."""
    run = make_run()
    scores = {"exact_match": Score(value=1.0, reason="同じ", details={"n": 1}), "length": Score(value=math.inf)}
    store_run(store, run, [make_record((0, 0, 1), Response(output="返品", latency_ms=9.0), scores, ledger_hit=True)])
    sample = only_sample(store, run.run_id)
    assert (sample.case, sample.arm, sample.sample_index) == (make_case(0), "intent/small", 1)
    assert (sample.outcome, sample.latency_ms) == (Response(output="返品", latency_ms=9.0), 9.0)
    assert (sample.scores, sample.ledger_hit, sample.key) == (scores, True, "key-0-0-1")
    assert store.get_messages(sample.messages_hash or "") == [{"role": "user", "content": "問い 0"}]


def test_a_sample_is_as_old_as_its_answer(store_url: str) -> None:
    """A sample from the ledger carries the time when the answer came in, not when it was used again."""
    clock = Clock()
    with open_store(store_url, clock=clock) as store:
        in_loop(lambda: store.ledger().record([make_entry("key-0-0-0")]))
        clock.now += timedelta(days=3)
        store_run(store, make_run(), [make_record((0, 0, 0)), make_record((0, 0, 1), TIMEOUT)])
        answered, failed = store.iter_samples("latest")
    assert (answered.created_at, failed.created_at) == (START, START + timedelta(days=3))


def test_an_error_is_kept_in_place_of_the_answer(store: Store) -> None:
    """A failed call is a sample with its error, without scores."""
    store_run(store, make_run(), [make_record((0, 0, 0), TIMEOUT)])
    sample = only_sample(store, "latest")
    assert (sample.outcome, sample.scores, sample.key, sample.latency_ms) == (TIMEOUT, {}, None, None)


def test_a_metric_failure_is_kept(store: Store) -> None:
    """A metric that could not score leaves its failure, not a zero."""
    failure = MetricFailure(kind="raised", message="ValueError: だめ\x00")
    store_run(store, make_run(), [make_record((0, 0, 0), scores={"exact_match": failure})])
    assert only_sample(store, "latest").scores == {"exact_match": failure}


def test_writing_a_sample_again_replaces_its_scores(store: Store) -> None:
    """A sample that is scored again has the new scores only."""
    run = make_run()
    store_run(store, run, [make_record((0, 0, 0), scores={"exact_match": 0.0, "length": 7.0})], status="running")
    store_run(store, run, [make_record((0, 0, 0), scores={"exact_match": 1.0})])
    assert only_sample(store, run.run_id).scores == {"exact_match": Score(value=1.0)}


def test_an_answer_replaces_an_error(store: Store) -> None:
    """A call that failed and then succeeds, when the run is resumed, is an answered sample."""
    run = make_run()
    store_run(store, run, [make_record((0, 0, 0), TIMEOUT)], status="interrupted")
    store_run(store, run, [make_record((0, 0, 0), "返品")])
    assert only_sample(store, run.run_id).outcome == Response(output="返品")


def test_an_error_replaces_an_answer(store: Store) -> None:
    """Where the later attempt failed, the error stands and the scores are gone."""
    run = make_run()
    store_run(store, run, [make_record((0, 0, 0))], status="interrupted")
    store_run(store, run, [make_record((0, 0, 0), TIMEOUT)])
    sample = only_sample(store, run.run_id)
    assert (sample.outcome, sample.scores) == (TIMEOUT, {})


def test_an_answer_that_the_ledger_lost_is_written_again(store: Store) -> None:
    """A sample whose response was cleaned away between lookup and append keeps its answer."""
    writer = store.start_run(make_run())

    async def write() -> None:
        await writer.add_cases([(0, make_case(0))])
        await writer.append([make_record((0, 0, 0), "from memory")])

    in_loop(write)
    assert only_sample(store, "latest").outcome == Response(output="from memory")


def test_two_runs_share_one_response(store: Store) -> None:
    """A response is stored once, however many runs use it."""
    for number in range(3):
        store_run(store, make_run(f"run-{number}", minutes=number), [make_record((0, 0, 0), "shared")])
    for number in range(3):
        store.delete_run(f"run-{number}")
    assert store.gc(older_than=timedelta(days=-1), dry_run=True).responses == 1


def test_a_changed_metric_does_not_overwrite_the_old_scores(store: Store) -> None:
    """Scores of a new definition stand beside the old one's; the run shows the new ones."""
    store_run(store, make_run(metrics=(make_metric("m", "v1"),)), [make_record((0, 0, 0), scores={"m": 0.25})])
    store_run(store, make_run(metrics=(make_metric("m", "v2"),)), [make_record((0, 1, 0), scores={"m": 0.75})])
    assert [metric.signature for metric in store.get_run("latest").metrics] == ["v2"]
    assert store.case_scores("latest", "m") == [(1, 0, 0.75)]


def test_a_score_of_a_metric_that_the_run_lacks_is_refused(store: Store) -> None:
    """Scores cannot vanish because a name was mistyped."""
    with pytest.raises(ValueError, match="not all of the run's metrics"):
        store_run(store, make_run(), [make_record((0, 0, 0), scores={"rouge": 1.0})])


def test_whole_numbers_and_booleans_are_values(store: Store) -> None:
    """A metric may return True or 3: they are stored as numbers."""
    given = {"exact_match": Score(value=True), "length": Score(value=3)}
    store_run(store, make_run(), [make_record((0, 0, 0), scores=given)])
    assert only_sample(store, "latest").scores == {"exact_match": Score(value=1.0), "length": Score(value=3.0)}


def test_cases_written_again_are_replaced(store: Store) -> None:
    """A resumed run writes its cases again, and the later version stands."""
    writer = store.start_run(make_run())
    in_loop(lambda: writer.add_cases([(0, make_case(0))]))
    in_loop(lambda: writer.add_cases([(0, make_case(0, tags=("ja", "hard")))]))
    assert store.get_case("latest", "case-0").tags == ("ja", "hard")


def test_every_character_survives_in_every_text(store: Store) -> None:
    """Ids, names, tags, metadata and sources may hold what databases refuse."""
    odd = "a\x00b\ud800c\x10d\u2028e'\"%_\\"
    run = make_run(
        suite=odd, suite_source=odd, arms=(make_arm(odd + "/t", prompt_source=odd),), tags=(odd,), metadata={odd: odd}
    )
    writer = store.start_run(run)

    async def write() -> None:
        await writer.add_cases([(0, make_case(0, case_id=odd, vars={odd: odd}))])
        await writer.add_messages({"messages-0": [{"role": "user", "content": odd}]})
        await writer.append([make_record((0, 0, 0), CallError(kind=odd, message=odd))])

    in_loop(write)
    stored, sample = store.get_run("latest"), only_sample(store, "latest")
    assert (stored.suite, stored.suite_source, stored.arms, stored.tags) == (odd, odd, run.arms, (odd,))
    assert (stored.metadata, sample.case_id, sample.case.vars) == ({odd: odd}, odd, {odd: odd})
    assert sample.outcome == CallError(kind=odd, message=odd)
    assert store.get_messages("messages-0") == [{"role": "user", "content": odd}]


def test_many_batches_at_once(store: Store) -> None:
    """Many batches under way at the same time all arrive."""
    writer = store.start_run(make_run())
    records = [make_record((0, case, sample)) for case in range(200) for sample in range(10)]

    async def write() -> None:
        await writer.add_cases([(index, make_case(index)) for index in range(200)])
        await asyncio.gather(*(writer.append(records[start : start + 50]) for start in range(0, len(records), 50)))

    in_loop(write)
    assert sum(1 for _ in store.iter_samples("latest")) == 2000


def test_messages_are_unknown_until_they_are_stored(store: Store) -> None:
    """A run asks first, and renders only what is not there."""
    writer = store.start_run(make_run())
    names = ["messages-0", "messages-1"]
    assert in_loop(lambda: writer.unknown_messages(names)) == set(names)
    in_loop(lambda: writer.add_messages({"messages-1": [{"role": "user", "content": "問い"}]}))
    assert in_loop(lambda: writer.unknown_messages(names)) == {"messages-0"}
    again = store.start_run(make_run("20260301-093015-bbbb"))
    assert in_loop(lambda: again.unknown_messages(names)) == {"messages-0"}


def test_messages_whose_transaction_failed_are_stored_when_it_is_run_again(store: Store) -> None:
    """Where other work spoils a shared transaction, no sample refers to a text that is not there."""
    writer = store.start_run(make_run())
    begun, go_on = threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        begun.set()
        go_on.wait(30)

    async def write() -> None:
        holding = asyncio.create_task(store._writer.write(hold))
        await asyncio.to_thread(begun.wait, 30)  # so that the two that follow share a transaction
        added = asyncio.create_task(writer.add_messages({"messages-0": [{"role": "user", "content": "問い"}]}))
        spoiling = asyncio.create_task(writer.append([make_record((0, 0, 0), scores={"no such metric": 1.0})]))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(holding, added)
        with pytest.raises(ValueError, match="not all of the run's metrics"):
            await spoiling
        await writer.add_cases([(0, make_case(0))])
        await writer.append([make_record((0, 0, 0))])

    in_loop(write)
    assert store.get_messages(only_sample(store, "latest").messages_hash or "") == [{"role": "user", "content": "問い"}]
