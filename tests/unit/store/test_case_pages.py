"""Pages of a run's cases: found, sorted and cut by the database."""

from __future__ import annotations

from typing import Any

import pytest

from retest.domain.run import Run
from retest.domain.sample import CallError, MetricFailure
from retest.store.case_pages import CaseFigures, CasePageFilter, PassRange
from retest.store.database import Store
from support.store_data import make_arm, make_metric, make_record, make_run, store_run

ERROR = CallError(kind="timeout", message="遅すぎる 100%")
AT_LEAST_HALF = PassRange(low=0.5)


def two_arms() -> Run:
    """Return a run of two arms and two metrics."""
    metrics = (make_metric("exact_match"), make_metric("length"))
    return make_run(arms=(make_arm("a/t"), make_arm("b/t")), metrics=metrics)


@pytest.fixture
def stored(store: Store) -> Store:
    """Give a store with five cases of two samples: all right, all wrong, mixed, an error, not scored."""
    values: list[list[Any]] = [
        [1.0, 1.0],
        [0.0, 0.0],
        [1.0, 0.0],
        [1.0, ERROR],
        [MetricFailure(kind="raised", message="x")] * 2,
    ]
    records = []
    for case, pair in enumerate(values):
        for sample, value in enumerate(pair):
            if isinstance(value, CallError):
                records.append(make_record((0, case, sample), value))
                continue
            scores = {"exact_match": value, "length": float(10 - case)}
            records.append(make_record((0, case, sample), f"答え{case} 返品_{sample}", scores))
        records.append(make_record((1, case, 0), "other", {"exact_match": 1.0, "length": 1.0}))
    store_run(store, two_arms(), records)
    return store


def find(store: Store, **wanted: Any) -> list[int]:
    return store.case_pages("latest").find(CasePageFilter(**wanted))


def test_without_a_wish_all_cases_come_in_order(stored: Store) -> None:
    """As the dataset has them, or the other way round."""
    assert find(stored) == [0, 1, 2, 3, 4]
    assert find(stored, descending=True) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    ("outcome", "expected"), [("passing", [0, 3]), ("failing", [1]), ("mixed", [2]), ("error", [3])]
)
def test_cases_are_found_by_what_their_samples_did(stored: Store, outcome: Any, expected: list[int]) -> None:
    """Samples that could not be scored say nothing."""
    assert find(stored, metric="exact_match", passes=AT_LEAST_HALF, outcome=outcome) == expected


def test_a_range_with_two_ends(stored: Store) -> None:
    """Both limits count."""
    assert find(stored, metric="length", passes=PassRange(low=7.0, high=8.5), outcome="passing") == [2, 3]


def test_cases_are_sorted_by_their_mean(stored: Store) -> None:
    """Those of equal mean in the dataset's order."""
    assert find(stored, sort="length") == [4, 3, 2, 1, 0]
    assert find(stored, sort="exact_match", descending=True)[:2] == [0, 3]


def test_one_metric_judges_while_another_sorts(stored: Store) -> None:
    """The two have nothing to do with each other."""
    wanted: dict[str, Any] = {"metric": "exact_match", "passes": AT_LEAST_HALF, "outcome": "passing"}
    assert find(stored, sort="length", **wanted) == [3, 0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("答え2", [2]),
        ("返品_1", [0, 1, 2, 4]),
        ("遅すぎる", [3]),
        ("100%", [3]),
        ("_0", [0, 1, 2, 3, 4]),
        ("返品したい 4", [4]),
        ("%", [3]),
    ],
)
def test_cases_are_found_by_text(stored: Store, text: str, expected: list[int]) -> None:
    """In answers, errors and the case itself; nothing in it is a wildcard."""
    assert find(stored, text=text) == expected


def test_a_text_of_another_arm_is_not_found(stored: Store) -> None:
    """Each arm has its own answers."""
    assert find(stored, text="other") == []
    assert len(find(stored, arm=1, text="other")) == 5


def test_cases_are_found_by_tag(stored: Store) -> None:
    """A tag is a whole word of the case's list."""
    assert find(stored, tag="ja") == [0, 1, 2, 3, 4]
    assert find(stored, tag="j") == []


@pytest.mark.parametrize("text", ["'", '"', "\\", "\x00", "\ud800", "x" * 3000, "case_id", "vars", "message"])
def test_odd_texts_do_no_harm(stored: Store, text: str) -> None:
    """Whatever is typed is only looked for."""
    assert find(stored, text=text) == []


def test_a_page_has_the_figures_of_its_cases(stored: Store) -> None:
    """In the order asked for; an unknown case is left out."""
    lines = stored.case_pages("latest").read(0, [3, 2, 99])
    assert [line.case_index for line in lines] == [3, 2]
    assert lines[0].errors == 1
    assert lines[1].values["exact_match"] == CaseFigures(mean=0.5, low=0.0, high=1.0, samples=2)
    assert lines[1].answer == "答え2 返品_0"
    assert stored.case_pages("latest").read(0, []) == []


def test_progress_counts_samples_and_errors(stored: Store) -> None:
    """And the mean of each metric on each arm so far."""
    found = stored.case_pages("latest").progress()
    assert (found.samples, found.errors) == (15, 1)
    means = {(own.arm, own.metric): own.mean for own in found.metrics}
    assert means[1, "exact_match"] == 1.0
    assert means[0, "exact_match"] == pytest.approx(4 / 7)


def test_answers_are_told_apart(stored: Store) -> None:
    """One hash a case, equal where all answers are."""
    pages = stored.case_pages("latest")
    assert len(set(pages.answers_by_case(0).values())) == 5
    assert len(set(pages.answers_by_case(1).values())) == 1
    assert pages.ids() == {f"case-{index}": index for index in range(5)}


def test_the_database_tells_which_cases_changed(stored: Store) -> None:
    """No case differs from itself; beside another arm those do of which an answer or a failure is another."""
    pages = stored.case_pages("latest")
    assert pages.changed_from(pages, 0, 0) == set()
    one, other = pages.answers_by_case(0), pages.answers_by_case(1)
    apart = {case for case in one if case in other and one[case] != other[case]}
    assert apart
    assert pages.changed_from(pages, 0, 1) == apart


def test_the_means_are_by_case(stored: Store) -> None:
    """As the page of a case shows them."""
    pages = stored.case_pages("latest")
    lines = {line.case_index: line.values["exact_match"].mean for line in pages.read(0, [0, 1, 2])}
    means = pages.means("exact_match", 0)
    assert {case: means.get(case) for case in lines} == lines
