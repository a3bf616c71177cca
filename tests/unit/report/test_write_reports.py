"""Reports as files: each whole or not there, every mistake in what was asked for found at once."""

from __future__ import annotations

import io
import json
import os
import resource
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from retest.domain.gate import GateReport
from retest.errors import ExitCode, UsageError
from retest.report.base import REPORTERS, reporter
from retest.report.write_reports import parse_report_option, parse_report_options, write_reports, write_whole
from support import gate_reports as reports


def slugs(error: UsageError) -> list[str]:
    return [problem.slug for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("junit=out.xml", ("junit", Path("out.xml"))),
        ("markdown=報告/x=y.md", ("markdown", Path("報告/x=y.md"))),
        ("github", ("github", None)),
        ("json=-", ("json", None)),
    ],
)
def test_an_option(text: str, wanted: tuple[str, Path | None]) -> None:
    """Name and file; no file, or ``-``, is the standard output."""
    assert parse_report_option(text) == wanted


@pytest.mark.parametrize(
    ("text", "fix"), [("jnuit=x", "'junit'?"), ("Markdown", "'markdown'?"), ("pdf=x", "NAME=FILE")]
)
def test_an_unknown_report(text: str, fix: str) -> None:
    """The nearest name is suggested, all are listed, the exit code is that of usage."""
    with pytest.raises(UsageError) as caught:
        parse_report_option(text)
    (problem,) = caught.value.problems
    assert problem.details == ("known reports: github, html, json, junit, markdown, sarif",)
    assert fix in (problem.fix or "")
    assert caught.value.exit_code is ExitCode.USAGE


def test_several_options() -> None:
    """Repeated options and commas alike."""
    assert parse_report_options(["junit=a.xml,github", "json=b.json"]) == {
        "junit": Path("a.xml"),
        "github": None,
        "json": Path("b.json"),
    }


def test_a_comma_in_a_file_name() -> None:
    """Only a comma before a report's name separates."""
    assert parse_report_options(["junit=a,b.xml, json=c"]) == {"junit": Path("a,b.xml"), "json": Path("c")}


@pytest.mark.parametrize("text", ["", ",", "json=a,", "json=a,jnuit", "json=a,jnuit=b"])
def test_an_empty_or_misspelt_part(text: str) -> None:
    """No part of an option is silently dropped."""
    with pytest.raises(UsageError, match="report-unknown"):
        parse_report_options([text])


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Unknown, empty, twice, the same file, a folder: each has its problem."""
    options = ["nope", "junit=", "json=a", "json=b", "sarif=b", f"markdown={tmp_path}"]
    with pytest.raises(UsageError) as caught:
        parse_report_options(options)
    assert slugs(caught.value) == [
        "report-unknown",
        "report-without-path",
        "report-twice",
        "report-same-file",
        "report-unwritable",
    ]


@pytest.mark.parametrize("name", REPORTERS)
def test_every_report_can_be_written(name: str, tmp_path: Path) -> None:
    """Each registered format renders every situation to a file, and knows its own name."""
    path = tmp_path / "new" / "folder" / name
    write_reports(reports.every_situation(), {name: path})
    assert path.stat().st_size > 100
    assert reporter(name).name == name
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_no_file_is_the_stream() -> None:
    """Without a file the report goes to the standard output, in characters that UTF-8 has."""
    stream = io.StringIO()
    write_reports([reports.hostile()], {"json": None}, stream=stream)
    assert json.loads(stream.getvalue())["exit_code"] == 1
    stream.getvalue().encode("utf-8")


def test_the_summary_is_appended(tmp_path: Path) -> None:
    """GitHub's step summary keeps what earlier steps wrote; annotations go to the stream."""
    summary, stream = tmp_path / "summary.md", io.StringIO()
    summary.write_text("# earlier\n", "utf-8")
    write_reports([reports.regressed()], {"github": None}, stream=stream, summary=summary)
    assert summary.read_text("utf-8").startswith("# earlier\n**retest: failed**")
    assert stream.getvalue().startswith("::error ")


def test_without_github_there_is_no_summary(tmp_path: Path) -> None:
    """The summary is part of the report named ``github``."""
    write_reports([reports.passed()], {"json": tmp_path / "a"}, summary=tmp_path / "summary.md")
    assert not (tmp_path / "summary.md").exists()


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """The rest is written, then the error names report and file."""
    (tmp_path / "file").write_text("x", "utf-8")
    with pytest.raises(UsageError) as caught:
        write_reports([reports.passed()], {"junit": tmp_path / "file" / "out.xml", "json": tmp_path / "b.json"})
    assert slugs(caught.value) == ["report-unwritable"]
    assert "out.xml" in caught.value.problems[0].message
    assert (tmp_path / "b.json").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """Where the disk ends half-way, the older report is untouched and nothing is left beside it."""
    path = tmp_path / "report.md"
    path.write_text("old", "utf-8")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(path, "x" * 1_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text("utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.md"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A report that is a symbolic link stays one."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.md"
    link.symlink_to(tmp_path / "real" / "report.md")
    write_whole(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "real" / "report.md").read_text("utf-8") == "new"


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    """A named pipe, as ``>(command)`` makes one, receives the report and stays a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_text("utf-8")))
    reader.start()
    write_whole(pipe, "日本語")
    reader.join(10)
    assert received == ["日本語"]
    assert pipe.is_fifo()


def test_a_long_japanese_name(tmp_path: Path) -> None:
    """A name as long as the file system takes is no obstacle."""
    path = tmp_path / ("報" * 80 + ".md")
    write_whole(path, "x")
    assert path.read_text("utf-8") == "x"


def render_all(found: Sequence[GateReport]) -> list[str | bytes]:
    return [reporter(name).render(found) for name in REPORTERS]


def test_the_same_reports_give_the_same_bytes() -> None:
    """Nothing of the moment of writing is in a report, so that an unchanged report is an unchanged file."""
    assert render_all(reports.every_situation()) == render_all(reports.every_situation())
