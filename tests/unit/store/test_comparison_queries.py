"""What a comparison reads: cases, figures of calls, kinds of failures; never the answers' texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retest.domain.sample import CallError, MetricFailure, Response, Usage
from retest.errors import UsageError
from retest.store.database import Store
from support.store_data import make_arm, make_case, make_record, make_run, store_run

ERROR = CallError(kind="timeout", message="slow")
FULL = Response(
    output="返品",
    model="m-0613",
    fingerprint="fp_1",
    latency_ms=12.5,
    cost_usd=0.25,
    usage=Usage(input_tokens=10, output_tokens=2),
)


def test_cases_come_in_the_order_of_their_index(store: Store) -> None:
    """Each with its index, as the run saw it."""
    store_run(store, make_run(), [make_record((0, case, 0)) for case in (2, 0, 1)])
    assert list(store.iter_cases("latest")) == [(index, make_case(index)) for index in range(3)]


def test_a_call_carries_its_figures(store: Store) -> None:
    """Latency, tokens, cost, and what the provider returned."""
    store_run(store, make_run(), [make_record((0, 0, 0), FULL)])
    (call,) = store.iter_calls("latest", "intent/small")
    assert (call.latency_ms, call.cost_usd, call.input_tokens, call.output_tokens) == (12.5, 0.25, 10, 2)
    assert (call.model, call.fingerprint, call.error_kind) == ("m-0613", "fp_1", None)
    answered = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=call.created_us)
    assert abs(datetime.now(UTC) - answered) < timedelta(minutes=5)


def test_an_answer_without_figures_has_none(store: Store) -> None:
    """Unknown is not zero."""
    store_run(store, make_run(), [make_record((0, 0, 0))])
    (call,) = store.iter_calls("latest", "intent/small")
    assert (call.latency_ms, call.cost_usd, call.input_tokens, call.model) == (None, None, None, None)


def test_calls_of_one_arm_come_by_case_and_sample_with_errors(store: Store) -> None:
    """An error has its kind in the place of figures."""
    records = [
        make_record((arm, case, sample), ERROR if (arm, case, sample) == (1, 2, 0) else "x")
        for arm in (1, 0)
        for case in (2, 0, 1)
        for sample in (1, 0)
    ]
    store_run(store, make_run(arms=(make_arm("a/t"), make_arm("b/t"))), records)
    calls = list(store.iter_calls("latest", "b/t"))
    assert [(call.case_index, call.sample_index) for call in calls] == [(c, s) for c in range(3) for s in range(2)]
    assert [call.error_kind for call in calls] == [None] * 4 + ["timeout", None]


def test_an_unfinished_run_without_samples_has_no_calls(store: Store) -> None:
    """Nothing is read where nothing is."""
    store_run(store, make_run(), [], status="running")
    assert list(store.iter_calls("latest", "intent/small")) == []
    assert list(store.iter_cases("latest")) == []


def test_failures_come_with_their_kind(store: Store) -> None:
    """Only samples that the metric could not score."""
    failed = {"exact_match": MetricFailure(kind="not_applicable", message="")}
    store_run(store, make_run(), [make_record((0, 0, 0)), make_record((0, 1, 1), scores=failed)])
    assert store.metric_failures("latest", "exact_match", "intent/small") == [(1, 1, "not_applicable")]


def test_an_unknown_arm_is_refused(store: Store) -> None:
    """As everywhere."""
    store_run(store, make_run(), [make_record((0, 0, 0))])
    with pytest.raises(UsageError, match="no arm 'x'"):
        store.iter_calls("latest", "x")
