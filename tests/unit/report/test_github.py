"""Annotations: at the prompt's file, and no text becomes a command."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from retest.domain.comparison import PromptChange
from retest.domain.gate import GateReport
from retest.report.github import GitHubReporter, escape_data, escape_property
from support import gate_reports as reports


def lines(*found: GateReport) -> list[str]:
    return GitHubReporter().render(found).splitlines()


def test_a_regression_is_an_error_at_the_prompt() -> None:
    """File, first line, a title, and one sentence with the numbers."""
    (line,) = lines(reports.regressed())
    command, message = line.rsplit("::", 1)
    assert command == "::error file=prompts/intent.md,line=1,title=retest%3A failed"
    assert message == "support/ja: intent/local: exact_match regressed by 12.0 points [-18.0, -6.0]"


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", 2),
        ("a\nb\n", "a\nb\nc\n", 3),
        ("a\nb\n", "a\n", 1),
        ("a\n", "", 1),
        ("件\n今\n", "件\n前\n", 2),
    ],
)
def test_a_changed_prompt_is_pointed_at_where_it_changed(before: str, after: str, line: int) -> None:
    """A reviewer sees the annotation beside the edit, or at the last line where the end was cut off."""
    report = reports.regressed()
    assert report.comparison is not None
    change = PromptChange(name="intent", before=before, after=after, after_path="prompts/intent.md")
    other = replace(change, after_path="prompts/other.md", before="x", after="y")
    changed = replace(report, comparison=replace(report.comparison, prompts=(other, change)))
    assert lines(changed)[0].startswith(f"::error file=prompts/intent.md,line={line},")


def test_without_a_prompt_file_the_suite_is_named() -> None:
    """An inline prompt, or no run at all, points at the suite's file."""
    inline = replace(reports.regressed(), run=reports.run(prompt_path=None))
    assert lines(inline)[0].startswith("::error file=evals/ja/support.yaml,line=1,")
    assert lines(reports.nothing_to_judge())[0].startswith("::error file=evals/ja/support.yaml,line=1,")


def test_a_pass_is_silent() -> None:
    """Nothing to say, no line."""
    assert lines(reports.passed()) == []


def test_a_waived_regression_is_a_warning() -> None:
    """It stays visible without failing anything."""
    (line,) = lines(reports.waived())
    assert line.startswith("::warning file=")
    assert line.endswith("(waived: labels move (until 2026-06-01))")


@pytest.mark.parametrize(
    ("folder", "path", "shown"),
    [
        ("services/bot/", "prompts/intent.md", "services/bot/prompts/intent.md"),
        ("services/bot/", "../shared/a.md", "services/shared/a.md"),
        ("services/bot/", "/elsewhere/a.md", "/elsewhere/a.md"),
        ("", "prompts/intent.md", "prompts/intent.md"),
    ],
)
def test_files_are_named_from_the_root_of_the_repository(folder: str, path: str, shown: str) -> None:
    """GitHub looks from there, wherever the gate ran."""
    report = replace(reports.regressed(), folder=folder, run=reports.run(prompt_path=path))
    assert lines(report)[0].startswith(f"::error file={shown},")


def test_a_waiver_that_lifts_nothing_is_a_notice() -> None:
    """It stands until somebody takes it out, and says so."""
    (line,) = lines(replace(reports.waived(), reasons=(), judged_on=date(2026, 7, 1)))
    assert line.startswith("::notice file=prompts/intent.md,")
    assert line.endswith("waiver: exact_match expired on 2026-06-01: it lifts nothing any more: labels move (aiko)")


@pytest.mark.parametrize("report", reports.every_situation())
def test_an_outcome_that_is_no_pass_has_an_error(report: GateReport) -> None:
    """Whatever the outcome, if the gate did not pass there is an annotation."""
    assert any(line.startswith("::error ") for line in lines(report)) == (report.outcome != "passed")


def test_an_outcome_without_a_reason_has_an_error() -> None:
    """Even where nothing says why."""
    assert lines(replace(reports.incomplete(), reasons=()))[0].startswith("::error ")


def test_hostile_text_starts_no_command() -> None:
    """Every line is a command of ours, and the path with commas and colons stays one property."""
    found = lines(reports.hostile())
    assert len(found) == 2
    assert all(line.startswith(("::error file=", "::warning file=")) for line in found)
    assert "file=prompts/a%2Cb%3Ac%2520 日本.md,line=1," in found[0]


def test_escapes() -> None:
    """Percent, CR and LF everywhere; colon and comma in properties; older commands are broken up."""
    assert escape_data("50%\r\na,b:c") == "50%25%0Aa,b:c"
    assert escape_data("a\rb\u2028c") == "a\\x0db\\u2028c"
    assert escape_property("50%\na,b:c") == "50%25%0Aa%2Cb%3Ac"
    assert "##[" not in escape_data("##[error]x")


def test_no_more_than_github_shows() -> None:
    """Ten errors, and one notice that says how many more there are."""
    found = lines(*[reports.regressed()] * 25)
    assert sum(line.startswith("::error ") for line in found) == 10
    assert found[-1] == "::notice title=retest::15 more; the report has them all"
