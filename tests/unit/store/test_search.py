"""Text is found in all runs, letter for letter."""

from __future__ import annotations

import pytest

from retest.domain.sample import CallError
from retest.errors import UsageError
from retest.store.database import Store
from retest.store.records import SearchFilter, parse_metric_condition
from support.store_data import make_arm, make_record, make_run, store_run

OUTPUTS = [
    "Please contact BILLING.",
    "返品はこちらで承ります。",
    "100% sure",
    "1000 sure",
    "snake_case",
    "snakeXcase",
    "a\x00b\ud800c",
    "back\\slash",
    'it\'s "quoted"; DROP TABLE runs',
]


@pytest.fixture
def outputs(store: Store) -> Store:
    """Give a store with one run of many outputs, the last call failed."""
    records = [
        make_record((0, case, 0), text, {"exact_match": float(case % 2), "length": float(len(text))})
        for case, text in enumerate(OUTPUTS)
    ]
    failed = make_record((0, len(OUTPUTS), 0), CallError(kind="timeout", message="接続が Timed Out"))
    store_run(store, make_run(tags=("nightly",)), [*records, failed])
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("billing", [OUTPUTS[0]]),
        ("BILLing", [OUTPUTS[0]]),
        ("返品", [OUTPUTS[1]]),
        ("承ります。", [OUTPUTS[1]]),
        ("100%", [OUTPUTS[2]]),
        ("%", [OUTPUTS[2]]),
        ("e_c", [OUTPUTS[4]]),
        ("a\x00b", [OUTPUTS[6]]),
        ("\ud800c", [OUTPUTS[6]]),
        ("\\", [OUTPUTS[7]]),
        ("'s \"q", [OUTPUTS[8]]),
        ("timed out", ["接続が Timed Out"]),
        ("接続", ["接続が Timed Out"]),
        ("nowhere", []),
        ("", [*OUTPUTS, "接続が Timed Out"]),
    ],
)
def test_text_is_found(outputs: Store, text: str, found: list[str]) -> None:
    """Every character stands for itself, ASCII letters in either case."""
    assert [hit.text for hit in outputs.search(text)] == found


def test_a_hit_says_where_it_is(outputs: Store) -> None:
    """Run, suite, arm, case and sample of a hit are named."""
    (hit,) = outputs.search("返品")
    assert (hit.run_id, hit.suite, hit.arm) == (make_run().run_id, "support/ja/intent", "intent/small")
    assert (hit.case_id, hit.sample_index, hit.found_in) == ("case-1", 0, "output")


def test_a_hit_in_an_error_says_so(outputs: Store) -> None:
    """Errors are searched too."""
    (hit,) = outputs.search("timed out")
    assert hit.found_in == "error"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (SearchFilter(), 2),
        (SearchFilter(suite="support/ja"), 2),
        (SearchFilter(suite="other"), 0),
        (SearchFilter(prompt="hash-of-intent"), 2),
        (SearchFilter(prompt="hash-of-other"), 0),
        (SearchFilter(tags=("nightly",)), 2),
        (SearchFilter(tags=("weekly",)), 0),
        (SearchFilter(run_id="latest"), 2),
        (SearchFilter(limit=1), 1),
        (SearchFilter(limit=None), 2),
        (SearchFilter(metric=parse_metric_condition("exact_match=1")), 1),
        (SearchFilter(metric=parse_metric_condition("exact_match!=1")), 1),
        (SearchFilter(metric=parse_metric_condition("length>9")), 0),
        (SearchFilter(metric=parse_metric_condition("rouge>=0")), 0),
    ],
)
def test_a_search_is_narrowed(outputs: Store, wanted: SearchFilter, expected: int) -> None:
    """Suite, prompt, tag, run and the sample's own score narrow a search ("sure" is in two outputs)."""
    assert len(list(outputs.search("sure", wanted))) == expected


def test_the_newest_run_comes_first(store: Store) -> None:
    """Hits come from the latest run backwards, whatever order the runs were stored in."""
    for number in (1, 3, 2):
        run = make_run(f"run-{number}", minutes=number, arms=(make_arm(),))
        store_run(store, run, [make_record((0, 0, 0), "the same answer")])
    assert [hit.run_id for hit in store.search("answer")] == ["run-3", "run-2", "run-1"]
    assert [hit.run_id for hit in store.search("answer", SearchFilter(limit=2))] == ["run-3", "run-2"]


def test_an_unknown_run_is_an_error(outputs: Store) -> None:
    """Searching a run that is not there finds an error rather than nothing."""
    with pytest.raises(UsageError, match="run-unknown"):
        list(outputs.search("x", SearchFilter(run_id="nothing")))


def test_a_text_too_long_to_search_is_refused(outputs: Store) -> None:
    """Beyond what databases take, the message says how much they do take."""
    with pytest.raises(UsageError, match="at most 4,000"):
        list(outputs.search("あ" * 4001))


def test_the_longest_text_is_searched(outputs: Store) -> None:
    """The limit itself works, also with characters that are written long."""
    assert list(outputs.search("\x00" * 4000)) == []
    assert list(outputs.search("%" * 4000)) == []
