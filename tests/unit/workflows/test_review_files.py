"""Files of reviews: nothing in them runs in a spreadsheet, and reading gives back what was written."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retest.errors import UsageError
from retest.workflows.review_files import (
    escape_cell,
    read_review_file,
    unescape_cell,
    write_reviews_csv,
    write_reviews_jsonl,
)
from retest.workflows.review_rows import FIELDS

# What UTF-8 can hold: a lone surrogate is written out, in a file for spreadsheets.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ROW: dict[str, Any] = {
    "run": "r1",
    "arm": "ask/small",
    "case_id": "返品-1",
    "sample_index": 2,
    "reviewer": "佐藤",
    "author": "佐藤",
    "blind": True,
    "withdrawn": False,
    "label": "good",
    "scores": {"親切さ": 4.5},
    "scales": {"親切さ": "1-5"},
    "tags": ["丁寧", "長い"],
    "text": "=HYPERLINK(1)",
    "correction": "一行目\n二行目\r\n",
}


def csv_of(*rows: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    write_reviews_csv(rows, out, FIELDS, [])
    return out.getvalue()


def read_one(data: bytes, **options: str) -> dict[str, Any]:
    (row,) = read_review_file(data, "reviews.csv", **options)
    return row.values


def test_csv_gives_back_what_was_written() -> None:
    """Numbers, labels, tags, line ends in a text, text that looks like a formula."""
    found = read_one(csv_of(ROW))
    assert {name: found[name] for name in ROW} == ROW


def test_jsonl_gives_back_what_was_written() -> None:
    """Line separators and lone surrogates too."""
    row = {**ROW, "text": "a\u2028b\ud800c"}
    out = io.BytesIO()
    write_reviews_jsonl([row], out)
    assert out.getvalue().count(b"\n") == 1
    assert read_one(out.getvalue()) == row


@given(TEXT)
def test_an_escaped_cell_is_no_formula_and_comes_back(text: str) -> None:
    """Whatever the text, apostrophes in front of it included."""
    escaped = escape_cell(text)
    assert not escaped.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert unescape_cell(escaped) == text


@given(TEXT.filter(lambda text: text != ""), st.lists(TEXT, max_size=3))
def test_any_text_and_tags_survive_csv(text: str, tags: list[str]) -> None:
    """Quotes, delimiters, line ends, brackets and semicolons."""
    found = read_one(csv_of({**ROW, "text": text, "tags": tags}))
    assert (found["text"], found["tags"]) == (text, tags)


def test_csv_starts_with_the_mark_that_spreadsheets_want() -> None:
    """Else Excel reads UTF-8 as something else."""
    assert csv_of(ROW).startswith(b"\xef\xbb\xbf")


def test_a_dimension_nobody_scored_has_a_column_to_fill_in() -> None:
    """Beside those that have scores."""
    out = io.BytesIO()
    write_reviews_csv([ROW], out, FIELDS, ["正確さ"])
    header = out.getvalue().decode("utf-8-sig").splitlines()[0]
    assert "score.正確さ,scale.正確さ,score.親切さ,scale.親切さ" in header


@pytest.mark.parametrize("encoding", ["cp932", "utf-8", "utf-16"])
def test_other_encodings_are_read_by_name(encoding: str) -> None:
    """As Excel on Japanese Windows writes them; a mark at the beginning is no part of the first name."""
    text = "case_id,sample_index,label,text\r\nc1,0,good,丁寧です\r\n"
    assert read_one(text.encode(encoding), encoding=encoding)["text"] == "丁寧です"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    """Spreadsheets write semicolons or tabs where the comma is a decimal point."""
    text = "case_id,sample_index,label\nc1,0,good\n".replace(",", delimiter)
    assert read_one(text.encode())["label"] == "good"


def test_full_width_digits_are_numbers() -> None:
    """A Japanese keyboard gives them."""
    assert read_one("case_id,sample_index,score.x\nc1,０,４．５\n".encode())["scores"] == {"x": 4.5}


def test_empty_lines_are_passed_over() -> None:
    """A spreadsheet leaves them at the end."""
    assert len(read_review_file(b"case_id,sample_index,label\nc1,0,good\n,,\n\n", "x.csv")) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no columns 'case_id'"),
        (b"a,b\n1,2\n", "no columns 'case_id'"),
        (b"case_id,sample_index,lable\nc,0,x\n", "column 'lable' means nothing"),
        (b"case_id,sample_index,label,label\nc,0,x,y\n", "stands there twice"),
        (b"case_id,sample_index\nc,one\n", "sample_index is no number"),
        (b"case_id,sample_index\nc,0.5\n", "no whole number"),
        (b"case_id,sample_index\nc,inf\n", "no whole number"),
        (b"case_id,sample_index,score.x\nc,0,very\n", "score.x is no number"),
        (b'case_id,sample_index,text\nc,0,"open\n', "the CSV is damaged"),
        (b'{"case_id": "c"\n', "the line is no JSON"),
        (b'{"case_id": "c", "scores": [1]}\n', "`scores` is an object"),
        ('case_id,sample_index\n"返品",0\n'.encode("cp932"), "the file is not utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(data: bytes, said: str) -> None:
    """One message, with the line."""
    with pytest.raises(UsageError) as caught:
        read_review_file(data, "reviews.csv")
    problem = caught.value.problems[0]
    assert problem.slug == "review-file"
    assert said in problem.message
    assert problem.where is not None
    assert problem.where.line is not None


def test_an_encoding_that_is_none_is_refused() -> None:
    """With examples of some that are."""
    with pytest.raises(UsageError, match="'klingon' is no encoding"):
        read_review_file(b"x", "reviews.csv", encoding="klingon")


def test_json_lines_end_at_newlines_only() -> None:
    """Other separators may stand in a text, unescaped."""
    line = json.dumps({**ROW, "text": "a\u2028b\x85c"}, ensure_ascii=False)
    assert read_one(line.encode())["text"] == "a\u2028b\x85c"
