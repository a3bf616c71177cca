"""Filters, limits, subsets and the identity of a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retest.domain.case import Case
from retest.errors import SuiteError
from retest.suites.dataset_files import DatasetOptions, open_dataset
from support.dataset_folder import cases, jsonl, problems

# Selection


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ({"lang": "ja"}, [1, 3]),
        ({"lang": ["ja", "de"]}, [1, 3, 4]),
        ({"lang": "ja", "n": 3}, [3]),
        ({"n": "3"}, [3]),
        ({"n": 3.0}, [3]),
        ({"meta.level": 2}, [2]),
        ({"q": "x"}, [2]),
        ({"flag": True}, [1]),
        ({"flag": "true"}, [1]),
        ({"flag": 1}, []),
        ({"tags": "b"}, [1, 2]),
        ({"gone": None, "lang": "ja"}, [1, 3]),
    ],
)
def test_a_filter_takes_the_rows_with_the_wanted_values(tmp_path: Path, where: Any, chosen: list[int]) -> None:
    """Row fields, nested ones, variables, lists of values, lists in rows, numbers written as text."""
    file = jsonl(
        tmp_path,
        {"n": 1, "lang": "ja", "vars": {}, "flag": True, "tags": ["a", "b"]},
        {"n": 2, "lang": "en", "vars": {"q": "x"}, "meta": {"level": 2}, "tags": ["b"]},
        {"n": 3, "lang": "ja", "vars": {}, "gone": None},
        {"n": 4, "lang": "de", "vars": {}},
    )
    if not chosen:
        assert [p.slug for p in problems(file, vars="vars", where=where)] == ["dataset-filter-empty"]
    else:
        assert [case.meta["n"] for case in cases(file, vars="vars", where=where)] == chosen


def test_a_filter_that_matches_nothing_names_the_values_that_exist(tmp_path: Path) -> None:
    """The likely slip can be seen at once."""
    file = jsonl(tmp_path, {"lang": "ja", "n": 1}, {"lang": "en", "n": 1}, {"lang": None, "n": 2})
    (problem,) = problems(file, where={"lang": "jp", "n": 1})
    assert problem.slug == "dataset-filter-empty"
    assert problem.details == ("lang has: ja, en, null", "n has: 1, 2")


def test_a_filter_on_an_unknown_field_suggests_the_likely_one(tmp_path: Path) -> None:
    """A mistyped filter is no empty dataset."""
    (problem,) = problems(jsonl(tmp_path, {"lang": "ja", "q": 1}), where={"lnag": "ja"})
    assert (problem.slug, problem.fix) == ("dataset-filter-field", "did you mean 'lang'?")


def test_limit_takes_the_first_cases_after_filter_and_subset(tmp_path: Path) -> None:
    """A quick look takes the head of what a full run would take."""
    file = jsonl(tmp_path, *({"n": n, "even": n % 2 == 0} for n in range(50)))
    chosen = cases(file, where={"even": True}, subset=10)
    assert len(chosen) == 10
    assert cases(file, where={"even": True}, subset=10, limit=3) == chosen[:3]
    assert [case.vars["n"] for case in cases(file, limit=3)] == [0, 1, 2]


def test_a_subset_is_seeded_and_keeps_the_order(tmp_path: Path) -> None:
    """The same seed gives the same cases, another seed others."""
    file = jsonl(tmp_path, *({"n": n} for n in range(200)))
    one, again, other = ([case.vars["n"] for case in cases(file, subset=20, seed=seed)] for seed in (1, 1, 2))
    assert one == again == sorted(one)  # type: ignore[type-var]  # they are ints
    assert one != other
    assert len(one) == len(other) == 20


def test_a_subset_hardly_moves_when_rows_are_added(tmp_path: Path) -> None:
    """A row more in the file replaces at most one case of the subset."""
    rows = [{"id": n} for n in range(200)]
    before = {case.case_id for case in cases(jsonl(tmp_path, *rows), id="id", subset=20)}
    after = {case.case_id for case in cases(jsonl(tmp_path, {"id": "new"}, *rows, name="e.jsonl"), id="id", subset=20)}
    assert len(after) == 20
    assert len(before & after) >= 19


def test_a_subset_larger_than_the_dataset_is_all_of_it(tmp_path: Path) -> None:
    """Nothing is lost, and nothing invented."""
    assert len(cases(jsonl(tmp_path, {"q": 1}, {"q": 2}), subset=10)) == 2


# Identity


def test_the_fingerprint_covers_what_a_score_depends_on(tmp_path: Path) -> None:
    """Ids, variables, answers, clusters, tags and order; not the file's form, nor fields that are none of these."""
    row = {"id": 1, "vars": {"q": "a"}, "expected": "e", "cluster": "c", "tags": ["t"], "note": 1}
    other = {"id": 2, "vars": {"q": "b"}}

    def fingerprint(*rows: Any, **options: Any) -> str:
        names: dict[str, Any] = {"id": "id", "vars": "vars", "cluster": "cluster", **options}
        return open_dataset(DatasetOptions(files=(jsonl(tmp_path, *rows),), **names)).fingerprint

    base = fingerprint(row, other)
    assert fingerprint({**dict(reversed(row.items())), "note": 2}, other) == base
    changed = [
        fingerprint(other, row),
        fingerprint({**row, "id": 3}, other),
        fingerprint({**row, "vars": {"q": "c"}}, other),
        fingerprint({**row, "expected": "f"}, other),
        fingerprint({**row, "cluster": "d"}, other),
        fingerprint({**row, "tags": []}, other),
        fingerprint(row, other, limit=1),
    ]
    assert len({base, *changed}) == len(changed) + 1


def test_the_content_hash_is_of_the_variables_alone(tmp_path: Path) -> None:
    """Two runs pair a case as long as the model is asked the same."""
    first, second = cases(
        jsonl(tmp_path, {"id": 1, "v": {"q": "a"}, "expected": "x"}, {"id": 2, "v": {"q": "a"}}), id="id", vars="v"
    )
    assert first.content_hash == second.content_hash


def test_a_source_can_be_read_again_and_again(tmp_path: Path) -> None:
    """Also by two readers at once."""
    source = open_dataset(DatasetOptions(files=(jsonl(tmp_path, {"q": 1}, {"q": 1}, {"q": 2}),)))
    pairs = list(zip(source, source, strict=True))
    assert all(one == two for one, two in pairs)
    assert [one.case_id for one, _ in pairs] == [case.case_id for case in source]


def test_a_file_that_changed_since_it_was_checked_is_refused(tmp_path: Path) -> None:
    """A run never mixes two versions of a dataset."""
    file = jsonl(tmp_path, {"q": 1})
    source = open_dataset(DatasetOptions(files=(file,)))
    file.path.write_text('{"q": 2}\n{"q": 3}\n')
    with pytest.raises(SuiteError) as caught:
        list(source)
    assert caught.value.problems[0].slug == "dataset-changed"


@pytest.mark.parametrize(
    "options",
    [{}, {"limit": 3}, {"where": {"lang": "ja"}}, {"subset": 3, "seed": 1}, {"id": "n"}, {"limit": 2, "subset": 4}],
    ids=["all", "limit", "where", "subset", "id", "limit of a subset"],
)
def test_who_looks_while_a_dataset_is_opened_sees_its_cases(tmp_path: Path, options: dict[str, Any]) -> None:
    """The checks of a suite need no reading of their own: same cases, same ids, same order."""
    rows = [{"n": n, "lang": "ja" if n % 2 else "en", "vars": {"q": n // 3}, "expected": "答"} for n in range(8)]
    seen: list[Case] = []
    source = open_dataset(DatasetOptions(files=(jsonl(tmp_path, *rows),), vars="vars", **options), seen.append)
    assert seen == list(source)
    assert seen
