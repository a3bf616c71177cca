from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from retest.errors import UsageError
from retest.targets.recording import Recording, Selection


def write(folder: Path, *rows: Any, name: str = "r.jsonl") -> Path:
    path = folder / name
    path.write_bytes(
        b"".join(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n" for row in rows)
    )
    return path


def row(case: str = "a", sample: int = 0, **more: Any) -> dict[str, Any]:
    return {"case_id": case, "repeat": sample, "output": f"{case}{sample}", **more}


def output(recording: Recording, case: str, sample: int = 0) -> Any:
    found = recording.find(case, sample)
    recording.close()
    return None if found is None else recording.get(found, "output")


def test_a_row_is_found_by_case_and_sample(tmp_path: Path) -> None:
    """Order in the file does not matter where samples are numbered."""
    recording = Recording(write(tmp_path, row("b", 1), row("a", 0), row("b", 0)), Selection())
    assert output(recording, "b", 1) == "b1"


@pytest.mark.parametrize(("case", "sample"), [("a", 1), ("zz", 0), ("", 0), ("a", -1)])
def test_what_was_not_recorded_is_not_found(tmp_path: Path, case: str, sample: int) -> None:
    """Another sample is never handed out in its place."""
    assert output(Recording(write(tmp_path, row("a", 0)), Selection()), case, sample) is None


def test_samples_counted_from_one_are_understood(tmp_path: Path) -> None:
    """The lowest number in the file is sample 0."""
    assert output(Recording(write(tmp_path, row("a", 1), row("a", 2)), Selection()), "a", 0) == "a1"


def test_one_repeat_alone_is_sample_zero(tmp_path: Path) -> None:
    """The second repeat can be replayed as a run of its own, for an A/A comparison."""
    path = write(tmp_path, row("a", 0), row("a", 1))
    assert output(Recording(path, Selection(where={"repeat": 1})), "a", 0) == "a1"


def test_a_gap_in_the_samples_stays_a_gap(tmp_path: Path) -> None:
    """A missing repeat is missing, not filled by the next."""
    assert output(Recording(write(tmp_path, row("a", 0), row("a", 2)), Selection()), "a", 1) is None


def test_rows_without_sample_numbers_are_numbered_in_order(tmp_path: Path) -> None:
    """The n-th row of a case is its sample n."""
    path = write(tmp_path, {"id": "a", "response": "x"}, {"id": "b", "response": "y"}, {"id": "a", "response": "z"})
    assert output(Recording(path, Selection()), "a", 1) == "z"


def test_where_selects_rows_by_value_or_list_of_values(tmp_path: Path) -> None:
    """A list means any of them."""
    path = write(tmp_path, row("a", v="x"), row("b", v="y"), row("c", v="z"))
    recording = Recording(path, Selection(where={"v": ["x", "z"]}))
    recording.close()
    assert recording.rows == 2


def test_where_tells_true_from_one(tmp_path: Path) -> None:
    """JSON's true is not 1."""
    path = write(tmp_path, row("a", ok=True), row("b", ok=1))
    assert output(Recording(path, Selection(where={"ok": True})), "b") is None


def test_fields_may_be_nested(tmp_path: Path) -> None:
    """A dotted path reaches into objects; a field whose very name has a dot wins."""
    path = write(tmp_path, {"meta": {"case": "a"}, "out.text": "flat", "out": {"text": "nested"}})
    recording = Recording(path, Selection(fields={"case": "meta.case", "output": "out.text"}))
    assert output(recording, "a") == "flat"


def test_numbers_as_case_ids_are_text(tmp_path: Path) -> None:
    """Datasets read ids as text too."""
    assert output(Recording(write(tmp_path, {"id": 7, "output": "x"}), Selection()), "7") == "x"


def test_optional_fields_may_be_in_some_rows_only(tmp_path: Path) -> None:
    """A first row that failed does not hide the outputs of the others."""
    path = write(tmp_path, {"id": "a", "error": "boom"}, {"id": "b", "output": "x"})
    assert output(Recording(path, Selection()), "b") == "x"


@pytest.mark.parametrize("text", ["a\u2028b", "a\x85b\x0bc", "\ud800", "日本語", "", "\x1b[31mred"])
def test_text_survives_exactly(tmp_path: Path, text: str) -> None:
    """U+2028 and its kin end no line; lone surrogates, Japanese and control codes are kept."""
    path = tmp_path / "r.jsonl"
    line = json.dumps({"id": "a", "output": text}, ensure_ascii="\ud800" in text)
    path.write_bytes(line.encode() + b"\n" + b'{"id": "b", "output": "next"}\n')
    recording = Recording(path, Selection())
    assert (recording.rows, output(recording, "a")) == (2, text)


def test_bom_crlf_blank_lines_and_a_missing_last_newline_are_fine(tmp_path: Path) -> None:
    """Files from other systems are read as they are."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "output": "x"}\r\n\r\n   \n{"id": "b", "output": "y"}')
    assert output(Recording(path, Selection()), "b") == "y"
    assert output(Recording(path, Selection()), "a") == "x"


def test_a_gzipped_recording_is_the_same_recording(tmp_path: Path) -> None:
    """Content and digest do not depend on the packing."""
    plain = write(tmp_path, row("a"), row("b"))
    packed = tmp_path / "r.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    first, second = Recording(plain, Selection()), Recording(packed, Selection())
    assert first.digest == second.digest
    assert output(second, "b") == "b0"
    first.close()


def test_another_content_has_another_digest(tmp_path: Path) -> None:
    """An edited recording is not taken for the old one, even where rows outside `where` changed."""
    first = Recording(write(tmp_path, row("a"), name="1"), Selection())
    second = Recording(write(tmp_path, row("a", more=1), name="2"), Selection())
    first.close()
    second.close()
    assert first.digest != second.digest


def refused(path: Path, selection: Selection | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        Recording(path, selection or Selection())
    return str(caught.value)


def test_duplicates_are_refused_with_both_lines_and_a_fix(tmp_path: Path) -> None:
    """Two variants in one file need a `where`, and the message writes it."""
    message = refused(write(tmp_path, row("a", v="x"), row("b", v="x"), row("a", v="y")))
    assert "lines 1 and 3" in message
    assert "where: {v: x}" in message


def test_true_duplicates_are_refused(tmp_path: Path) -> None:
    """Where nothing tells two rows apart, one must go."""
    assert "remove one of the two rows" in refused(write(tmp_path, row("a"), row("a")))


def test_a_where_without_match_is_refused_and_shows_what_there_is(tmp_path: Path) -> None:
    """A typo in a variant's name is no empty run."""
    message = refused(write(tmp_path, row(v="gpt-4")), Selection(where={"v": "gpt4"}))
    assert "no row of the recording matches" in message
    assert "gpt-4" in message


def test_a_where_on_an_unknown_field_is_refused(tmp_path: Path) -> None:
    """The message says that no row has it."""
    assert "no row has a field 'varaint'" in refused(write(tmp_path, row()), Selection(where={"varaint": "x"}))


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing recorded is a mistake, not a run without errors."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(content)
    assert "recording-empty" in refused(path)


@pytest.mark.parametrize("line", [b"{broken", b"[1]", b"3", b'"text"', b"\xff\xfe", b"null"])
def test_a_line_that_is_no_object_is_refused_with_its_number(tmp_path: Path, line: bytes) -> None:
    """The place is file and line."""
    path = tmp_path / "r.jsonl"
    path.write_bytes(b'{"id": "a", "output": "x"}\n' + line + b"\n")
    assert "r.jsonl:2" in refused(path)


@pytest.mark.parametrize("sample", [-1, "x", None, True, 1.5, [0], 10**30])
def test_a_sample_that_is_no_number_is_refused(tmp_path: Path, sample: object) -> None:
    """Nothing is guessed about which repeat a row is."""
    assert "no sample number" in refused(write(tmp_path, {"id": "a", "repeat": sample, "output": "x"}))


@pytest.mark.parametrize("case", [None, True, [], {}])
def test_a_row_without_case_id_is_refused(tmp_path: Path, case: object) -> None:
    """Its line is named."""
    assert ":1" in refused(write(tmp_path, {"id": case, "output": "x"}))


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"case": "nope"}, "'nope'"), ({"output": "nope"}, "no field for the output"), ({"sample": "nope"}, "'nope'")],
)
def test_a_mistyped_field_name_is_refused(tmp_path: Path, fields: dict[str, str], says: str) -> None:
    """A recording whose named field is in no row is not a recording of nothing."""
    assert says in refused(write(tmp_path, row()), Selection(fields=fields))


def test_rows_without_any_known_field_are_refused_with_the_fields_they_have(tmp_path: Path) -> None:
    """The message lists what could be named."""
    message = refused(write(tmp_path, {"question": "q", "answer": "a"}))
    assert "question, answer" in message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is in the message."""
    assert "none.jsonl" in refused(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    "content",
    [
        b"no gzip",
        b"",
        gzip.compress(b"x" * 1000, mtime=0)[:-20],
        gzip.compress(bytes(range(256)), mtime=0)[:20] + b"y" * 99,
    ],
)
def test_a_broken_gzip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """Truncated downloads are found before the run."""
    path = tmp_path / "r.jsonl.gz"
    path.write_bytes(content)
    assert "[recording-" in refused(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """A path to a folder is no crash."""
    assert "recording-unreadable" in refused(tmp_path)
