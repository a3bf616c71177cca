"""Samples are read in a stream, in order, filtered; scores are read bare."""

from __future__ import annotations

import pytest

from retest.domain.sample import CallError, MetricFailure
from retest.errors import UsageError
from retest.store.database import Store
from retest.store.records import SampleFilter
from support.store_data import make_arm, make_case, make_record, make_run, store_run

ERROR = CallError(kind="timeout", message="slow")
TWO_ARMS = (make_arm("a/t"), make_arm("b/t"))


@pytest.fixture
def two_arms(store: Store) -> Store:
    """Give a store with a run of two arms, three cases, two samples each; one call failed."""
    records = [
        make_record((arm, case, sample), ERROR if (arm, case, sample) == (1, 2, 0) else f"{arm}{case}{sample}")
        for sample in (1, 0)
        for arm in (1, 0)
        for case in (2, 0, 1)
    ]
    store_run(store, make_run(arms=TWO_ARMS), records)
    return store


def places(store: Store, wanted: SampleFilter | None = None) -> list[str]:
    """Return arm, case and sample of what is read."""
    found = store.iter_samples("latest", wanted)
    return [f"{sample.arm_index}{sample.case_index}{sample.sample_index}" for sample in found]


def test_samples_come_case_by_case(two_arms: Store) -> None:
    """The samples of one case stand side by side, whatever order they were written in."""
    expected = [f"{arm}{case}{sample}" for case in range(3) for arm in range(2) for sample in range(2)]
    assert places(two_arms) == expected


def test_samples_come_arm_by_arm_on_request(two_arms: Store) -> None:
    """With order `arm`, one arm is read to its end before the next."""
    expected = [f"{arm}{case}{sample}" for arm in range(2) for case in range(3) for sample in range(2)]
    assert places(two_arms, SampleFilter(order="arm")) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (SampleFilter(arm="b/t"), ["100", "101", "110", "111", "120", "121"]),
        (SampleFilter(arm="b/t", order="arm"), ["100", "101", "110", "111", "120", "121"]),
        (SampleFilter(case_id="case-1"), ["010", "011", "110", "111"]),
        (SampleFilter(case_id="case-1", arm="a/t"), ["010", "011"]),
        (SampleFilter(only_errors=True), ["120"]),
        (SampleFilter(only_errors=True, arm="a/t"), []),
    ],
)
def test_samples_are_filtered(two_arms: Store, wanted: SampleFilter, expected: list[str]) -> None:
    """Only what fulfils every condition is read."""
    assert places(two_arms, wanted) == expected


@pytest.mark.parametrize("order", ["case", "arm"])
def test_a_stream_longer_than_its_pages_is_whole(store: Store, order: str) -> None:
    """Pages join without a gap or a repeat, also in the middle of a case."""
    records = [make_record((arm, case, sample)) for case in range(97) for arm in range(2) for sample in range(7)]
    store_run(store, make_run(arms=TWO_ARMS), records)
    found = places(store, SampleFilter(order=order))  # type: ignore[arg-type] # one of the two
    assert len(found) == len(set(found)) == 97 * 14


def test_samples_on_a_page_have_their_own_scores(store: Store) -> None:
    """No sample gets a neighbour's scores."""
    records = [
        make_record((0, case, sample), scores={"length": float(case * 10 + sample)})
        for case in range(120)
        for sample in range(9)
    ]
    store_run(store, make_run(), records)
    for sample in store.iter_samples("latest"):
        assert sample.scores["length"].value == sample.case_index * 10 + sample.sample_index  # type: ignore[union-attr] # a Score


def test_reading_goes_on_while_samples_are_written(two_arms: Store) -> None:
    """A reader in the middle of a stream holds no writer up."""
    stream = two_arms.iter_samples("latest")
    next(stream)
    store_run(two_arms, make_run("later", minutes=1), [make_record((0, 0, 0))])
    assert len(list(stream)) == 11


@pytest.mark.parametrize(
    ("wanted", "slug", "shown"),
    [
        (SampleFilter(arm="c/t"), "run-unknown-arm", "it has: a/t, b/t"),
        (SampleFilter(case_id="cose-1"), "run-unknown-case", "did you mean 'case-1'?"),
    ],
)
def test_an_unknown_name_is_an_error(two_arms: Store, wanted: SampleFilter, slug: str, shown: str) -> None:
    """A mistyped arm or case is never an empty answer."""
    with pytest.raises(UsageError) as caught:
        list(two_arms.iter_samples("latest", wanted))
    assert caught.value.problems[0].slug == slug
    assert shown in str(caught.value)


def test_a_case_is_read_as_the_run_saw_it(two_arms: Store) -> None:
    """A case comes back with variables, expected answer and place."""
    assert two_arms.get_case("latest", "case-2") == make_case(2)


def test_unknown_messages_are_none(store: Store) -> None:
    """A hash that is not there is no error."""
    assert store.get_messages("nothing") is None


def test_scores_are_read_bare(store: Store) -> None:
    """Scores come as (case, sample, value) in order; None where scoring failed; nothing for an error."""
    failure = MetricFailure(kind="raised", message="")
    records = [
        make_record((0, 1, 0), scores={"exact_match": 0.5}),
        make_record((0, 0, 1), scores={"exact_match": failure}),
        make_record((0, 0, 0), scores={"exact_match": 1.0}),
        make_record((0, 1, 1), ERROR),
    ]
    store_run(store, make_run(), records)
    assert store.case_scores("latest", "exact_match") == [(0, 0, 1.0), (0, 1, None), (1, 0, 0.5)]


def test_scores_of_one_arm_are_read(two_arms: Store) -> None:
    """With several arms, one is named."""
    assert len(two_arms.case_scores("latest", "exact_match", "a/t")) == 6
    assert len(two_arms.case_scores("latest", "exact_match", "b/t")) == 5


def test_scores_of_several_arms_are_not_mixed(two_arms: Store) -> None:
    """Without a name the arms are listed, never pooled."""
    with pytest.raises(UsageError, match="it has: a/t, b/t"):
        two_arms.case_scores("latest", "exact_match")


def test_an_unknown_metric_is_an_error(two_arms: Store) -> None:
    """A mistyped metric has no scores, which is not the same as having none."""
    with pytest.raises(UsageError, match="did you mean 'exact_match'"):
        two_arms.case_scores("latest", "exact_mach", "a/t")
