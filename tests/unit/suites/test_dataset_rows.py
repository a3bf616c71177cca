"""Dataset files of every format, encoding and state of repair."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from retest.suites.dataset_files import DatasetFile
from support.dataset_folder import cases, places, problems, write

ROWS = [{"q": "東京\u2028は\u2029\u0085?", "n": 1}, {"q": 'a "b", c\nd', "n": 2}]
CSV = 'q,n\n"東京\u2028は\u2029\u0085?",1\n"a ""b"", c\nd",2\n'


ENCODINGS = ["cp932", "shift_jis", "euc_jp", "iso2022_jp", "utf-16", "utf-16-le", "utf-8-sig", "gb18030"]


def as_jsonl(rows: Any = ROWS) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


FILES = {
    "d.jsonl": as_jsonl(),
    "d.ndjson": as_jsonl(),
    "d.json": json.dumps(ROWS, ensure_ascii=False, indent=2),
    "object.json": json.dumps({"version": 1, "rows": ROWS, "note": {"a": []}}, ensure_ascii=False),
    "d.yaml": '- {q: "東京\\u2028は\\u2029\\u0085?", n: 1}\n- q: "a \\"b\\", c\\nd"\n  n: 2\n',
    "object.yml": 'version: 1\nrows:\n- {q: "東京\u2028は\u2029\u0085?", n: 1}\n- {q: "a \\"b\\", c\\nd", n: 2}\n',
    "d.csv": CSV,
    "d.tsv": CSV.replace("q,n", "q\tn").replace('",1', '"\t1').replace('",2', '"\t2'),
}


def expected_vars(name: str) -> list[dict[str, Any]]:
    return [{**row, "n": str(row["n"])} for row in ROWS] if name.endswith(("csv", "tsv")) else ROWS


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str, packed: bool) -> None:  # noqa: FBT001 - a parameter set
    """Quotes, line breaks, U+2028, U+2029 and U+0085 inside texts survive; also gzipped."""
    data = FILES[name].encode()
    file = write(tmp_path, f"{name}.gz", gzip.compress(data)) if packed else write(tmp_path, name, data)
    assert [case.vars for case in cases(file)] == expected_vars(name)


@pytest.mark.parametrize("name", FILES)
def test_a_byte_order_mark_and_crlf_change_nothing(tmp_path: Path, name: str) -> None:
    """Files from Windows read like any other; a CSV cell keeps its own line break as it is."""
    windows = "\ufeff" + FILES[name].replace("c\nd", "c\r\nd").replace("\n", "\r\n").replace("\r\r", "\r")
    found = [case.vars for case in cases(write(tmp_path, name, windows))]
    cell = "\r\n" if name.endswith(("csv", "tsv")) else "\n"
    assert found == [{**row, "q": row["q"].replace("\n", cell)} for row in expected_vars(name)]


@pytest.mark.parametrize(
    "encoding", ["cp932", "shift_jis", "euc_jp", "iso2022_jp", "utf-16", "utf-16-le", "utf-8-sig", "gb18030"]
)
@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv", "d.yaml"])
def test_any_encoding_can_be_declared(tmp_path: Path, name: str, encoding: str) -> None:
    """Japanese text in the encodings that Japanese files come in."""
    rows = [{"q": "表示ソ能、東京都"}, {"q": "ｶﾅ" if encoding != "iso2022_jp" else "カナ"}]
    text = {
        "d.jsonl": as_jsonl(rows),
        "d.json": json.dumps(rows, ensure_ascii=False),
        "d.csv": "q\n" + "".join(f"{row['q']}\n" for row in rows),
        "d.yaml": "".join(f"- q: {row['q']}\n" for row in rows),
    }[name]
    file = write(tmp_path, name, text.encode(encoding))
    assert [case.vars for case in cases(DatasetFile(path=file.path, display=name, encoding=encoding))] == rows


def test_utf_16_is_recognised_by_its_mark(tmp_path: Path) -> None:
    """What Excel calls 'Unicode text' needs no declaration."""
    assert cases(write(tmp_path, "d.tsv", "q\tn\n日本\t1\n".encode("utf-16")))[0].vars == {"q": "日本", "n": "1"}


@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.csv"])
def test_bytes_that_are_no_utf_8_are_placed(tmp_path: Path, name: str) -> None:
    """The message names the line, and the encoding that would do where it can tell."""
    lines = {
        "d.jsonl": ['{"q": "ok"}', '{"q": "日本語テスト"}'],
        "d.json": ['[{"q": "ok"},', '{"q": "日本語テスト"}]'],
        "d.csv": ["q", "日本語テスト"],
    }[name]
    (problem,) = problems(write(tmp_path, name, "\n".join(lines).encode("cp932")))
    assert problem.slug == "dataset-encoding"
    assert str(problem.where).startswith(f"{name}:2:")
    assert "cp932" in (problem.fix or "")


@pytest.mark.parametrize(
    ("declared", "data", "line"),
    [
        ("utf-8", "q\na\n日本\n".encode("cp932"), 3),
        ("cp932", "q\na\n\U0001f600日本\n".encode(), 3),
        ("euc_jp", "q\n日本語テスト\n".encode("cp932"), 2),
        ("ascii", "q\n日本\n".encode(), 2),
        ("utf-16", b"q\nno mark\n", 1),
        ("utf-32", b"q\nno mark\n", 1),
    ],
)
def test_a_wrong_declared_encoding_is_placed(tmp_path: Path, declared: str, data: bytes, line: int) -> None:
    """A file that is not what it is said to be is refused with the line."""
    file = write(tmp_path, "d.csv", data)
    (problem,) = problems(DatasetFile(path=file.path, display="d.csv", encoding=declared))
    assert (problem.slug, problem.where and problem.where.line) == ("dataset-encoding", line)


@pytest.mark.parametrize("name", ["utf-9", "", "rot13", "base64", "shift-jis2"])
def test_an_unknown_encoding_is_refused(tmp_path: Path, name: str) -> None:
    """Only names of text encodings are taken."""
    file = write(tmp_path, "d.csv", "q\n1\n")
    assert [p.slug for p in problems(DatasetFile(path=file.path, display="d.csv", encoding=name))] == [
        "dataset-encoding"
    ]


# JSON and JSON Lines


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("9223372036854775808", 2**63),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("-99999999999999999999", -99999999999999999999),
        ("0.1234567890123456789012", 0.1234567890123456789012),
        ("1e5", 1e5),
        ("-0.0", -0.0),
    ],
)
@pytest.mark.parametrize("name", ["d.jsonl", "d.json"])
def test_numbers_keep_their_value(tmp_path: Path, name: str, number: str, value: float) -> None:
    """An integer of any size is exact."""
    text = f'{{"n": {number}}}'
    ((found,),) = [
        case.vars.values() for case in cases(write(tmp_path, name, text if name == "d.jsonl" else f"[{text}]"))
    ]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, name: str, number: str) -> None:
    """NaN is no JSON and would make content hashes and results unreadable to others."""
    text = f'{{"n": {number}}}'
    found = problems(write(tmp_path, name, text if name == "d.jsonl" else f"[\n{text}]"))
    assert [p.slug for p in found] == ["dataset-json"]
    assert found[0].where is not None
    assert found[0].where.line == (1 if name == "d.jsonl" else 2)


def test_a_lone_surrogate_is_read(tmp_path: Path) -> None:
    r"""Recorded outputs contain halves of emoji, written as \ud83d."""
    assert cases(write(tmp_path, "d.jsonl", '{"q": "a\\ud83d"}\n'))[0].vars == {"q": "a\ud83d"}


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    """A row's place is its line in the file."""
    found = cases(write(tmp_path, "d.jsonl", '\n{"q": 1}\n  \n\r\n{"q": 2}'))
    assert [str(case.where) for case in found] == ["d.jsonl:2", "d.jsonl:5"]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("d.jsonl", '{"q": 1}\n{"q": 2\n{"q": 3}\n', "d.jsonl:2:8"),
        ("d.jsonl", "{'q': 1}", "d.jsonl:1:2"),
        ("d.jsonl", '{"q": 1} {"q": 2}', "d.jsonl:1:10"),
        ("d.jsonl", '{"q": "日本" x}', "d.jsonl:1:12"),
        ("d.jsonl", "[" * 100_000, "d.jsonl:1"),
        ("d.jsonl", "\0\n", "d.jsonl:1:1"),
        ("d.json", "[", "d.json:1:2"),
        ("d.json", "[{]", "d.json:1:3"),
        ("d.json", '[{"q": 1},]', "d.json:1:11"),
        ("d.json", '[\n {"q": 1}\n {"q": 2}]', "d.json:3:2"),
        ("d.json", '[{"q": 1}]\nx', "d.json:2:1"),
        ("d.json", '[{"q": "open', "d.json:1:8"),
        ("d.json", '{"q" 1}', "d.json:1:6"),
        ("d.json", '{"q": 1}', "d.json:1:9"),
        ("d.json", "3", "d.json:1:1"),
        ("d.json", '{"a": [{"q": 1}], "b": []}', "d.json:1:24"),
        ("d.json", "[" * 100_000, "d.json:1:2"),
    ],
)
def test_broken_json_is_placed(tmp_path: Path, name: str, content: str, place: str) -> None:
    """File, line and column of what cannot be read."""
    assert places(problems(write(tmp_path, name, content)))[0] == ("dataset-json", place)


def test_an_array_named_jsonl_is_explained(tmp_path: Path) -> None:
    """The two forms are easily confused, in both directions."""
    (first, *_) = problems(write(tmp_path, "d.jsonl", '[\n{"q": 1},\n{"q": 2}\n]\n'))
    (second,) = problems(write(tmp_path, "d.json", '{"q": 1}\n{"q": 2}\n'))
    assert "format: json" in (first.fix or "")
    assert "format: jsonl" in (second.fix or "")


def test_a_json_file_is_read_in_pieces(tmp_path: Path) -> None:
    """Rows and numbers that lie across the pieces arrive whole, with their places."""
    rows = [{"n": n, "text": "あ" * (n % 7000)} for n in range(300)]
    text = "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
    found = cases(write(tmp_path, "d.json", text))
    assert [case.vars for case in found] == rows
    assert [case.where.line for case in found if case.where] == list(range(2, 302))


def test_one_huge_row_is_read(tmp_path: Path) -> None:
    """A row of many pieces takes no quadratic time."""
    row = {"text": "あ\\" * 3_000_000}
    assert cases(write(tmp_path, "d.json", json.dumps([row], ensure_ascii=False)))[0].vars == row


# CSV and TSV


def test_a_file_without_a_header_takes_given_names(tmp_path: Path) -> None:
    """Every line is a row."""
    file = write(tmp_path, "d.csv", "\ufeffa,1\r\nb,2\r\n")
    named = DatasetFile(path=file.path, display="d.csv", columns=("q", "n"))
    assert [case.vars for case in cases(named)] == [{"q": "a", "n": "1"}, {"q": "b", "n": "2"}]


def test_a_delimiter_can_be_given(tmp_path: Path) -> None:
    """Excel in much of Europe writes semicolons."""
    file = write(tmp_path, "d.csv", "q;n\na,b;1\n")
    assert cases(DatasetFile(path=file.path, display="d.csv", delimiter=";"))[0].vars == {"q": "a,b", "n": "1"}


def test_a_forgotten_delimiter_is_pointed_out(tmp_path: Path) -> None:
    """A header of one column with semicolons in it is no header of one column."""
    (problem,) = problems(write(tmp_path, "d.csv", "q;n\na;1\n"))
    assert (problem.slug, problem.fix) == ("dataset-columns", "set `delimiter: ';'`")


def test_a_place_is_the_line_on_which_the_row_starts(tmp_path: Path) -> None:
    """Quoted line breaks and blank lines are counted."""
    found = cases(write(tmp_path, "d.csv", 'q\n"a\nb\nc"\n\nd\n'))
    assert [str(case.where) for case in found] == ["d.csv:2", "d.csv:6"]


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    """The csv module's limit of 128 KiB does not apply."""
    assert len(str(cases(write(tmp_path, "d.csv", "q\n" + "あ" * 500_000 + "\n"))[0].vars["q"])) == 500_000


@pytest.mark.parametrize(
    ("content", "slug", "place"),
    [
        ("", "dataset-empty", "d.csv"),
        ("\n\n", "dataset-empty", "d.csv"),
        ("q,n\n", "dataset-empty", "d.csv"),
        ("q,n\n1,2\n1\n", "dataset-columns", "d.csv:3"),
        ("q,n\n1,2,3\n", "dataset-columns", "d.csv:2"),
        ("q,q\n1,2\n", "dataset-columns", "d.csv:1"),
        ('q,n\n1,2\n"open,3\n4,5\n', "dataset-csv", "d.csv:3"),
        ('q,n\n"a"b,3\n', "dataset-csv", "d.csv:2"),
    ],
)
def test_a_broken_table_is_placed(tmp_path: Path, content: str, slug: str, place: str) -> None:
    """Nothing is guessed: too few or too many cells, a quote left open, no rows at all."""
    assert places(problems(write(tmp_path, "d.csv", content))) == [(slug, place)]


# Whole files


@pytest.mark.parametrize("content", ["", "\n", "\ufeff", "[]"])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "d.yaml", "d.csv", "d.tsv"])
def test_a_file_without_rows_is_an_error(tmp_path: Path, name: str, content: str) -> None:
    """Nothing to test is never a success."""
    assert problems(write(tmp_path, name, content))


def test_an_empty_jsonl_file_has_no_cases(tmp_path: Path) -> None:
    """The message says so, not that something is broken."""
    assert places(problems(write(tmp_path, "d.jsonl", "\n"))) == [("dataset-empty", "d.jsonl")]


def test_no_dataset_at_all_has_no_cases() -> None:
    """Neither files nor cases."""
    assert [p.slug for p in problems()] == ["dataset-empty"]


def test_an_unknown_format_is_refused_unless_it_is_named(tmp_path: Path) -> None:
    """`format:` helps where the name does not."""
    file = write(tmp_path, "d.txt", '{"q": 1}\n')
    assert [p.slug for p in problems(file)] == ["dataset-format"]
    (slip,) = problems(DatasetFile(path=file.path, display="d.txt", format="josnl"))
    assert slip.fix == "did you mean 'jsonl'?"
    assert cases(DatasetFile(path=file.path, display="d.txt", format="jsonl"))[0].vars == {"q": 1}


@pytest.mark.parametrize("option", [{"columns": ("q",)}, {"delimiter": ";"}])
def test_table_options_are_refused_for_other_formats(tmp_path: Path, option: dict[str, Any]) -> None:
    """An option without effect is a mistake."""
    file = write(tmp_path, "d.jsonl", '{"q": 1}\n')
    assert [p.slug for p in problems(DatasetFile(path=file.path, display="d.jsonl", **option))] == ["dataset-format"]


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    """A slip in a file name is answered by the name that exists."""
    write(tmp_path, "support.jsonl", "{}")
    (problem,) = problems(DatasetFile(path=tmp_path / "suport.jsonl", display="suport.jsonl"))
    assert (problem.slug, problem.fix) == ("dataset-file-missing", "did you mean 'support.jsonl'?")


def test_a_folder_is_no_dataset(tmp_path: Path) -> None:
    """Nor is anything else that cannot be read."""
    (tmp_path / "d.jsonl").mkdir()
    assert [p.slug for p in problems(DatasetFile(path=tmp_path / "d.jsonl", display="d.jsonl"))] == [
        "dataset-unreadable"
    ]


@pytest.mark.parametrize("data", [b"no gzip", gzip.compress(b'{"q": 1}\n' * 1000, mtime=0)[:-20], b""])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, data: bytes) -> None:
    """A download cut short is no smaller dataset."""
    found = problems(write(tmp_path, "d.jsonl.gz", data))
    assert found[-1].slug in {"dataset-unreadable", "dataset-empty"}


@pytest.mark.parametrize(
    "content", ["- a: 1\n- a: [\n", "- {a: 1, a: 2}\n", "a: 1\n", "- 3\n", "a: [{b: 1}]\nc: [{b: 1}]\n"]
)
def test_broken_yaml_is_refused(tmp_path: Path, content: str) -> None:
    """Syntax, duplicate keys, no list, two lists, rows that are no mappings."""
    found = problems(write(tmp_path, "d.yaml", content))
    assert found[0].where is not None
    assert found[0].where.line is not None


def test_yaml_rows_know_their_lines(tmp_path: Path) -> None:
    """A YAML row is placed where it starts."""
    found = cases(write(tmp_path, "d.yaml", "# cases\n- q: a\n\n- q: 12:30:45\n  on: Yes\n"))
    assert [(str(case.where), case.vars) for case in found] == [
        ("d.yaml:2:3", {"q": "a"}),
        ("d.yaml:4:3", {"q": "12:30:45", "on": "Yes"}),
    ]
