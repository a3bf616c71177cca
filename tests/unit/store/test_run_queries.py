"""Runs are found by id, tag and every filter; what is not found says what is near."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest

from retest.domain.json_value import JsonValue
from retest.domain.run import Provenance
from retest.errors import UsageError
from retest.store.database import Store
from retest.store.records import MetricCondition, RunFilter, parse_metric_condition
from support.store_data import START, make_arm, make_run, store_run


def ids(store: Store, wanted: RunFilter | None = None) -> Sequence[str]:
    """Return the ids of the runs listed."""
    return [run.run_id for run in store.list_runs(wanted)]


@pytest.fixture
def three_runs(store: Store) -> Store:
    """Give a store with three runs that differ in every respect."""
    store_run(store, make_run("aaa-1", minutes=0, tags=("nightly",), metadata={"pr": 7, "who": "花子"}), [])
    other = make_run(
        "aab-2", minutes=1, suite="support/en", arms=(make_arm("other/t"),), provenance=Provenance(git_commit="ffff")
    )
    store_run(store, other, [])
    store_run(
        store, make_run("bbb-3", minutes=2, tags=("nightly", "x"), metadata={"pr": True}), [], status="interrupted"
    )
    means = {"aaa-1": 0.5, "aab-2": 0.9}
    for run_id, mean in means.items():
        summary: dict[str, JsonValue] = {
            "arms": {"one": {"metrics": {"exact_match": {"mean": mean}, "rouge": {"mean": None}}}}
        }
        store.update_run(run_id, summary=summary)
    return store


def test_runs_are_listed_newest_first(three_runs: Store) -> None:
    """The latest run stands at the top."""
    assert ids(three_runs) == ["bbb-3", "aab-2", "aaa-1"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (RunFilter(suite="support/ja"), ["bbb-3", "aaa-1"]),
        (RunFilter(suite="support"), ["bbb-3", "aab-2", "aaa-1"]),
        (RunFilter(suite="ja"), []),  # a beginning, not a part
        (RunFilter(suite="%"), []),
        (RunFilter(prompt="intent"), ["bbb-3", "aaa-1"]),
        (RunFilter(prompt="prompts/other.md"), ["aab-2"]),
        (RunFilter(prompt="hash-of-oth"), ["aab-2"]),
        (RunFilter(commit="01234"), ["bbb-3", "aaa-1"]),
        (RunFilter(commit="FFFF"), ["aab-2"]),  # git takes either case
        (RunFilter(tags=("nightly",)), ["bbb-3", "aaa-1"]),
        (RunFilter(tags=("nightly", "x")), ["bbb-3"]),
        (RunFilter(metadata={"pr": "7"}), ["aaa-1"]),
        (RunFilter(metadata={"pr": "7.0"}), ["aaa-1"]),
        (RunFilter(metadata={"pr": "true"}), ["bbb-3"]),
        (RunFilter(metadata={"pr": "x"}), []),
        (RunFilter(metadata={"who": "花子"}), ["aaa-1"]),
        (RunFilter(metadata={"absent": ""}), []),
        (RunFilter(statuses=("interrupted",)), ["bbb-3"]),
        (RunFilter(since=START + timedelta(minutes=1)), ["bbb-3", "aab-2"]),
        (RunFilter(metrics=(parse_metric_condition("exact_match>=0.9"),)), ["aab-2"]),
        (RunFilter(metrics=(parse_metric_condition("exact_match < 0.9"),)), ["aaa-1"]),
        (RunFilter(metrics=(parse_metric_condition("rouge>=0"),)), []),  # never scored: fulfils nothing
        (RunFilter(limit=2), ["bbb-3", "aab-2"]),
        (RunFilter(suite="support/ja", limit=1), ["bbb-3"]),
        (RunFilter(metadata={"who": "花子"}, limit=1), ["aaa-1"]),
        (RunFilter(limit=0), []),
    ],
)
def test_each_filter_keeps_what_fulfils_it(three_runs: Store, wanted: RunFilter, expected: list[str]) -> None:
    """Every condition is judged, and all must hold."""
    assert ids(three_runs, wanted) == expected


@pytest.mark.parametrize(
    "summary",
    [
        {"metrics": {"m": {"mean": 0.5}}},
        {"arms": {"a": {"metrics": {"m": {"mean": 0.1}}}, "b": {"metrics": {"m": {"mean": 0.5}}}}},
        {"arms": [{"name": "a", "metrics": [{"name": "m", "mean": 0.5}]}]},
    ],
)
def test_means_are_found_in_either_form_of_a_summary(store: Store, summary: dict[str, object]) -> None:
    """Metrics at the top, by arm, or in lists: it is enough that one arm fulfils the condition."""
    store_run(store, make_run(), [])
    store.update_run("latest", summary=summary)  # type: ignore[arg-type] # JSON, as written above
    assert ids(store, RunFilter(metrics=(parse_metric_condition("m>0.4"),))) == [make_run().run_id]


def test_more_runs_than_one_page(store: Store) -> None:
    """Lists of any length are whole and in order."""
    for number in range(120):
        store.start_run(make_run(f"run-{number:03}", minutes=number))
    assert ids(store) == [f"run-{number:03}" for number in reversed(range(120))]


def test_an_empty_store_lists_nothing(store: Store) -> None:
    """No run is no error."""
    assert store.list_runs() == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("aaa-1", "aaa-1"), ("aab", "aab-2"), ("b", "bbb-3"), ("latest", "bbb-3"), ("nightly", "bbb-3"), ("x", "bbb-3")],
)
def test_a_run_is_found_by_what_people_call_it(three_runs: Store, name: str, expected: str) -> None:
    """An id, its beginning, `latest`, or a tag (the newest run that has it)."""
    assert three_runs.get_run(name).run_id == expected


def test_a_whole_id_wins_over_longer_ones(store: Store) -> None:
    """An id that is the beginning of another is not ambiguous."""
    store_run(store, make_run("run-1"), [])
    store_run(store, make_run("run-10"), [])
    assert store.get_run("run-1").run_id == "run-1"


def test_an_ambiguous_beginning_lists_the_candidates(three_runs: Store) -> None:
    """Two runs that begin alike are both named."""
    with pytest.raises(UsageError) as caught:
        three_runs.get_run("aa")
    (problem,) = caught.value.problems
    assert problem.slug == "run-ambiguous"
    assert problem.details == ("aaa-1  support/ja/intent", "aab-2  support/en")


def test_an_unknown_run_names_close_ones(three_runs: Store) -> None:
    """A mistyped id is answered with what was probably meant."""
    with pytest.raises(UsageError, match="aab-2") as caught:
        three_runs.get_run("aba-2")
    assert caught.value.problems[0].slug == "run-unknown"


def test_wildcards_in_an_id_stand_for_themselves(three_runs: Store) -> None:
    """An id is compared letter for letter."""
    with pytest.raises(UsageError, match="no run has the id or tag"):
        three_runs.get_run("aa_-1")


@pytest.mark.parametrize("name", ["", "latest", "x"])
def test_an_empty_store_has_no_run_to_name(store: Store, name: str) -> None:
    """In an empty store the message says how to make a run."""
    with pytest.raises(UsageError, match="holds no run yet"):
        store.get_run(name)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("exact_match>=0.8", MetricCondition(metric="exact_match", comparator=">=", value=0.8)),
        (" cost < 1e-3 ", MetricCondition(metric="cost", comparator="<", value=0.001)),
        ("a b==-.5", MetricCondition(metric="a b", comparator="=", value=-0.5)),
        ("m!=1", MetricCondition(metric="m", comparator="!=", value=1.0)),
    ],
)
def test_a_condition_is_read(text: str, condition: MetricCondition) -> None:
    """Every comparator is understood, with or without spaces."""
    assert parse_metric_condition(text) == condition


@pytest.mark.parametrize("text", ["", "exact_match", ">=0.8", "m>=", "m>=high", "m>=nan", "m>=1.2.3", "m=>1"])
def test_a_bad_condition_is_refused(text: str) -> None:
    """What is no condition is an error that shows the right form."""
    with pytest.raises(UsageError, match=re.escape("exact_match>=0.8")):
        parse_metric_condition(text)
