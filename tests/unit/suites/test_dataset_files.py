"""Datasets: which cases a file gives, their ids, and what is refused before anything is paid for."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from retest.errors import Location
from retest.suites.dataset_files import DatasetFile, DatasetOptions, InlineCase, open_dataset
from support.dataset_folder import cases, jsonl, places, problems, write

# Ids


def test_ids_come_from_the_named_field_and_numbers_become_text(tmp_path: Path) -> None:
    """A case keeps the name that the dataset gives it."""
    file = jsonl(tmp_path, {"id": "日本-1"}, {"id": 7}, {"id": 1.5}, {"id": 12345678901234567890123})
    assert [case.case_id for case in cases(file, id="id")] == ["日本-1", "7", "1.5", "12345678901234567890123"]


def test_an_id_may_be_nested(tmp_path: Path) -> None:
    """Dotted names reach nested fields; a literal key with a dot comes first."""
    file = jsonl(tmp_path, {"meta": {"key": "a"}}, {"meta.key": "b", "meta": {"key": "c"}})
    assert [case.case_id for case in cases(file, id="meta.key")] == ["a", "b"]


def test_without_an_id_the_content_is_the_id(tmp_path: Path) -> None:
    """Equal rows get numbers, and order of keys or expected answers change no id."""
    rows = [{"q": "a", "n": 1, "expected": "x"}, {"n": 1, "q": "a", "expected": "y"}, {"q": "b"}, {"q": "a", "n": 1}]
    ids = [case.case_id for case in cases(jsonl(tmp_path, *rows))]
    assert ids[1:] == [f"{ids[0]}#2", ids[2], f"{ids[0]}#3"]
    assert len(ids[0]) == len(ids[2]) == 32


def test_a_filter_changes_no_id(tmp_path: Path) -> None:
    """Numbers of repeated rows are those of the whole dataset."""
    file = jsonl(tmp_path, *({"q": "a", "expected": n} for n in range(3)))
    everything = cases(file)
    assert cases(file, where={"expected": 2}) == everything[2:]


@pytest.mark.parametrize("value", ["", "  ", None, True, [], {"a": 1}, "\ud800"])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, value: Any) -> None:
    """Each bad id is named with its line."""
    file = write(tmp_path, "d.jsonl", json.dumps({"id": "ok"}) + "\n" + json.dumps({"id": value}) + "\n")
    assert places(problems(file, id="id")) == [("dataset-id", "d.jsonl:2")]


def test_a_missing_id_field_suggests_the_likely_one(tmp_path: Path) -> None:
    """The row's fields are named."""
    (problem,) = problems(jsonl(tmp_path, {"ids": 1, "q": "a"}), id="id")
    assert (problem.slug, problem.fix, problem.details) == (
        "dataset-id",
        "did you mean 'ids'?",
        ("its fields: ids, q",),
    )


def test_duplicate_ids_are_shown_with_both_places(tmp_path: Path) -> None:
    """Across files, too; the number 1 and the text "1" are one id."""
    first = jsonl(tmp_path, {"id": 1}, {"id": 2}, {"id": 3}, name="a.jsonl")
    second = jsonl(tmp_path, {"id": "3"}, {"id": "1"}, name="b.jsonl")
    found = problems(first, second, id="id")
    assert [(str(p.where), p.details) for p in found] == [
        ("b.jsonl:1", ("first at a.jsonl:3",)),
        ("b.jsonl:2", ("first at a.jsonl:1",)),
    ]
    assert {p.slug for p in found} == {"dataset-duplicate-id"}


def test_ids_need_be_unique_only_among_the_rows_that_take_part(tmp_path: Path) -> None:
    """One file may hold each case in two languages."""
    file = jsonl(tmp_path, {"id": 1, "lang": "ja"}, {"id": 1, "lang": "en"})
    assert len(cases(file, id="id", where={"lang": "ja"})) == 1


# Parts of a case


def test_a_row_becomes_variables_expected_tags_and_meta(tmp_path: Path) -> None:
    """With `vars:` that object holds the variables, and what is left goes to meta."""
    row = {
        "id": "a", "vars": {"q": "問"}, "expected": ["x", "y"], "tags": ["short", 3], "ticket": 5,
        "meta": {"task": "t"}, "note": "n",
    }  # fmt: skip
    (case,) = cases(jsonl(tmp_path, row), id="id", vars="vars", cluster="ticket")
    assert case.vars == {"q": "問"}
    assert case.references == ("x", "y")
    assert (case.cluster, case.tags) == ("5", ("short", "3"))
    assert case.meta == {"meta": {"task": "t"}, "note": "n"}
    assert case.where == Location(path="d.jsonl", line=1)


def test_without_vars_the_rows_own_fields_are_the_variables(tmp_path: Path) -> None:
    """The answer and the tags are no variables: a prompt cannot leak them."""
    (case,) = cases(
        jsonl(tmp_path, {"id": 1, "q": "a", "expected": "e", "tags": "x; y、z", "c": "k"}), id="id", cluster="c"
    )
    assert case.vars == {"id": 1, "q": "a", "c": "k"}
    assert (case.expected, case.tags) == ("e", ("x", "y", "z"))


def test_a_nested_answer_is_taken_out_of_the_variables(tmp_path: Path) -> None:
    """`expected: meta.answer` leaves the rest of meta available."""
    (case,) = cases(jsonl(tmp_path, {"q": "a", "meta": {"answer": "e", "level": 1}}), expected="meta.answer")
    assert (case.expected, case.vars) == ("e", {"q": "a", "meta": {"level": 1}})


def test_another_expected_field_leaves_the_field_named_expected_alone(tmp_path: Path) -> None:
    """What the suite names is what counts."""
    (case,) = cases(jsonl(tmp_path, {"expected": "variable", "answer": "e"}), expected="answer")
    assert (case.expected, case.vars) == ("e", {"expected": "variable"})


def test_an_empty_expected_text_is_an_answer_and_null_is_none(tmp_path: Path) -> None:
    """The right answer may be to say nothing."""
    rows = cases(jsonl(tmp_path, {"q": 1, "expected": ""}, {"q": 2, "expected": None}, {"q": 3}))
    assert [case.references for case in rows] == [("",), (), ()]


def test_an_empty_cell_is_no_answer(tmp_path: Path) -> None:
    """CSV cannot say null, and an empty cell nearly always means that."""
    rows = cases(write(tmp_path, "d.csv", "q,expected\na,\nb,3\n"))
    assert [case.expected for case in rows] == [None, "3"]


def test_an_unnamed_tags_field_that_holds_no_tags_is_a_variable(tmp_path: Path) -> None:
    """Data that merely uses the word is not refused."""
    (case,) = cases(jsonl(tmp_path, {"q": 1, "tags": {"a": 1}}))
    assert (case.tags, case.vars) == ((), {"q": 1, "tags": {"a": 1}})


@pytest.mark.parametrize(
    ("row", "options", "slug"),
    [
        ({"q": 1}, {"vars": "vars"}, "dataset-vars"),
        ({"vars": "text"}, {"vars": "vars"}, "dataset-vars"),
        ({"k": {"a": 1}}, {"tags": "k"}, "dataset-tags"),
        ({"k": [1]}, {"cluster": "k"}, "dataset-cluster"),
        (["a"], {}, "dataset-row"),
        ("text", {}, "dataset-row"),
        (None, {}, "dataset-row"),
        ({"q": 1}, {"expected": "answer"}, "dataset-field"),
        ({"q": 1}, {"cluster": "answer"}, "dataset-field"),
        ({"q": 1}, {"tags": "answer"}, "dataset-field"),
        ({"q": 1}, {"limit": 0}, "dataset-option"),
        ({"q": 1}, {"subset": 0}, "dataset-option"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused(tmp_path: Path, row: Any, options: dict[str, Any], slug: str) -> None:
    """Every mapping that cannot be right is found by opening the dataset."""
    assert [p.slug for p in problems(jsonl(tmp_path, row), **options)] == [slug]


def test_a_declared_field_may_be_absent_from_some_rows(tmp_path: Path) -> None:
    """Not every case needs an answer."""
    rows = cases(jsonl(tmp_path, {"q": 1, "a": "x"}, {"q": 2}), expected="a", cluster="a")
    assert [(case.expected, case.cluster) for case in rows] == [("x", "x"), (None, None)]


def test_inline_cases_come_after_the_files(tmp_path: Path) -> None:
    """Cases in the suite: own fields or `vars`, everything else optional, each at its own place."""
    where = Location(path="evals/a.yaml", line=9, column=5)
    inline = (
        InlineCase(
            fields={"id": "x", "vars": {"q": "a"}, "expected": "e", "tags": ["t"], "cluster": "c", "n": 1}, where=where
        ),
        InlineCase(fields={"q": "b", "expected": "e"}, where=where),
    )
    _, first, second = cases(jsonl(tmp_path, {"q": 1}), cases=inline)
    assert (first.case_id, first.vars, first.expected, first.tags, first.cluster, first.meta, first.where) == (
        "x", {"q": "a"}, "e", ("t",), "c", {"n": 1}, where,
    )  # fmt: skip
    assert (len(second.case_id), second.vars, second.expected) == (32, {"q": "b"}, "e")


def test_a_broken_inline_case_is_placed_in_the_suite() -> None:
    """The suite's line is named."""
    where = Location(path="evals/a.yaml", line=9, column=5)
    assert places(problems(cases=(InlineCase(fields={"id": ""}, where=where),))) == [("dataset-id", "evals/a.yaml:9:5")]


# Many problems, many rows


def test_the_first_twenty_problems_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    """A file of a million broken rows gives a readable message."""
    found = problems(write(tmp_path, "d.jsonl", '{"q": 1}\n' + "{broken\n" * 1500))
    assert len(found) == 21
    assert places(found[:2]) == [("dataset-json", "d.jsonl:2:2"), ("dataset-json", "d.jsonl:3:2")]
    assert found[-1].message.startswith("1,480 more")


def test_problems_of_several_files_are_reported_together(tmp_path: Path) -> None:
    """One reading shows all there is to fix."""
    missing = DatasetFile(path=tmp_path / "gone.jsonl", display="gone.jsonl")
    found = problems(
        missing, write(tmp_path, "a.jsonl", "x\n"), write(tmp_path, "b.csv", "q\n"), jsonl(tmp_path, {"q": 1})
    )
    assert [p.slug for p in found] == ["dataset-file-missing", "dataset-json", "dataset-empty"]


def test_a_large_dataset_is_not_held_in_memory(tmp_path: Path) -> None:
    """20,000 rows of some 20 MB as Python objects take a fraction of that, checked or read."""
    path = tmp_path / "big.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(f'{{"id": "row-{n}", "q": "質問 {n}", "expected": "{"答" * 50}"}}\n' for n in range(20_000))
    options = DatasetOptions(files=(DatasetFile(path=path, display="big.jsonl"),), id="id")
    tracemalloc.start()
    source = open_dataset(options)
    _, opening = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    assert sum(1 for _ in source) == len(source) == 20_000
    _, reading = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opening < 3_000_000
    assert reading < 3_000_000


def data_folder() -> Path:
    folder = Path(__file__).parents[3].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is not there")
    return folder


@pytest.mark.data
def test_public_datasets_read_row_for_row() -> None:
    """Every public JSONL file gives as many cases as it has lines, with U+2028 inside texts."""
    for path in data_folder().rglob("*.jsonl"):
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
        has_vars = b'"vars"' in lines[0]
        options = {"id": "id", "vars": "vars"} if has_vars else {}
        found = cases(DatasetFile(path=path, display=path.name), **options)
        assert len(found) == len(lines), path
        rows = [json.loads(line) for line in lines]
        assert [case.vars for case in found] == [row["vars"] if has_vars else row for row in rows], path


@pytest.mark.data
def test_public_csv_files_read_row_for_row() -> None:
    """CRLF leaves no trace in a text, and a column without a name can still be used."""
    crlf = data_folder() / "intent" / "raw_banking77_test_crlf.csv"
    found = cases(DatasetFile(path=crlf, display="a.csv"), expected="category")
    assert (found[0].vars, found[0].expected) == ({"text": "How do I locate my card?"}, "card_arrival")
    assert not any("\r" in str(case.vars["text"]) or case.expected is None for case in found)
    unnamed = data_folder() / "llmdrift" / "raw_SENSITIVEQ_EVAL.head60.csv"
    assert next(iter(cases(DatasetFile(path=unnamed, display="b.csv")))).vars["column_1"] == "0"
