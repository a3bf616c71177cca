"""Rows that cases become, and the file that they are appended to."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.review import Review, ReviewContent, ReviewRevision, ReviewSubject, SampleRef
from retest.errors import UsageError
from retest.suites.dataset_files import DatasetFile, DatasetOptions, open_dataset
from retest.workflows.case_choice import ChosenCase
from retest.workflows.case_rows import AddedCases, Row, RowFields, append_rows, case_row


def read(path: Path, **options: Any) -> list[Case]:
    file = DatasetFile(path=path, display=path.name)
    return list(open_dataset(DatasetOptions(files=(file,), **options)))


def chosen(case: Case, *corrections: str) -> ChosenCase:
    """Return the case with reviews that correct its answer, one a minute."""
    place = SampleRef(run_id="r", arm="a", case_id=case.case_id, sample_index=0)
    reviews = tuple(
        Review(
            review_id=f"v{number}",
            suite="s",
            subject=ReviewSubject(sample=place),
            reviewer=f"p{number}",
            revisions=(
                ReviewRevision(
                    number=1,
                    content=ReviewContent(correction=text),
                    author="p",
                    at=datetime(2026, 1, 1, 0, number, tzinfo=UTC),
                ),
            ),
        )
        for number, text in enumerate(corrections)
    )
    return ChosenCase(case=case, reviews=reviews)


def append(path: Path, *rows: Row, fields: RowFields | None = None, dry_run: bool = False) -> AddedCases:
    """Append rows, each under the id that it has."""
    cases = [Case(case_id=str(row.get("id", number)), vars={}, content_hash="") for number, row in enumerate(rows)]
    own = fields or RowFields(id="id")
    return append_rows(path, path.name, list(zip(cases, rows, strict=True)), own, dry_run=dry_run)


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"id": "a", "q": "質問", "expected": "x", "tags": ["t"]}, {"id": "id"}),
        ({"q": "質問\u2028二行目", "expected": ["x", "y"]}, {}),
        (
            {"id": 7, "in": {"q": "質問"}, "gold": "x", "from": "s", "more": 1},
            {"vars": "in", "expected": "gold", "id": "id"},
        ),
        ({"meta": {"id": "a", "n": 1}, "q": "?", "gold": {"text": "x"}}, {"id": "meta.id", "expected": "gold.text"}),
        ({"v": {"q": "?"}, "src": "doc1", "id": "a"}, {"vars": "v", "cluster": "src", "id": "id"}),
        ({"q": "lone \ud800 surrogate"}, {}),
    ],
    ids=["plain", "no-id", "vars", "dotted", "cluster", "surrogate"],
)
def test_a_row_is_the_same_case_again(tmp_path: Path, row: Row, fields: dict[str, str]) -> None:
    """Id, content, expected answer, cluster and tags come back from the written file as they were."""
    path = tmp_path / "before.jsonl"
    path.write_text(json.dumps(row) + "\n", "utf-8")
    (case,) = read(path, **fields)
    names = RowFields(**fields)
    new = tmp_path / "after.jsonl"
    append_rows(new, new.name, [(case, case_row(ChosenCase(case=case), names, []))], names)
    (again,) = read(new, **fields)
    parts = [(each.case_id, each.content_hash, each.expected, each.cluster, each.tags) for each in (case, again)]
    assert parts[0] == parts[1]


def test_a_correction_is_what_a_case_expects_that_expects_nothing() -> None:
    """The newest; an expected answer that is there stays."""
    case = Case(case_id="a", vars={"q": "?"}, content_hash=content_hash({"q": "?"}))
    assert case_row(chosen(case, "古い", "新しい"), RowFields(), [])["expected"] == "新しい"
    known = Case(case_id="a", vars={"q": "?"}, content_hash="h", expected="x")
    assert case_row(chosen(known, "新しい"), RowFields(), [])["expected"] == "x"


@pytest.mark.parametrize(
    "start", ['{"id": "a"}', '{"id": "a"}\n', '\ufeff{"id": "a"}\r\n', ""], ids=["cut", "lf", "bom", "empty"]
)
def test_what_is_in_the_file_stays_byte_for_byte(tmp_path: Path, start: str) -> None:
    """Whether or not its last line has an end."""
    path = tmp_path / "d.jsonl"
    path.write_bytes(start.encode())
    append(path, {"id": "b", "q": "質問"})
    data = path.read_bytes()
    assert data.startswith(start.encode())
    assert data.decode("utf-8-sig").splitlines()[-1] == '{"id": "b", "q": "質問"}'
    assert [case.case_id for case in read(path, id="id")] == (["a", "b"] if start else ["b"])


def test_rows_that_repeat_are_written_once(tmp_path: Path) -> None:
    """Tags are no difference between them."""
    done = append(tmp_path / "d.jsonl", {"q": "?"}, {"q": "?", "tags": ["x"]}, fields=RowFields())
    assert (done.added, done.already) == (("0",), ("1",))


def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    """Nor a folder."""
    done = append(tmp_path / "new" / "d.jsonl", {"id": "a"}, dry_run=True)
    assert done.added == ("a",)
    assert list(tmp_path.iterdir()) == []


def test_several_at_once_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    """Each waits for the other: all rows are there, none twice."""
    path = tmp_path / "d.jsonl"
    rows = [{"id": f"c{number}", "q": "質問" * 50} for number in range(20)]
    threads = [threading.Thread(target=append, args=(path, *rows[start : start + 12])) for start in (0, 4, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(case.case_id for case in read(path, id="id")) == sorted(str(row["id"]) for row in rows)


def test_a_file_in_another_encoding_is_left_alone(tmp_path: Path) -> None:
    """With the line at fault."""
    path = tmp_path / "d.jsonl"
    data = b'{"id": "a"}\n' + '{"id": "質問"}'.encode("cp932")
    path.write_bytes(data)
    with pytest.raises(UsageError, match="not UTF-8") as caught:
        append(path, {"id": "b"})
    where = caught.value.problems[0].where
    assert where is not None
    assert where.line == 2
    assert path.read_bytes() == data
