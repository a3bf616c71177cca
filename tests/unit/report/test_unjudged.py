"""A suite that could not be judged is in every report, and never as a pass."""

from __future__ import annotations

import pytest

from retest.errors import Location, NothingToJudgeError, Problem, RetestError, StoreError
from retest.report.base import REPORTERS, reporter
from retest.report.unjudged import unjudged_report
from support import gate_reports as reports

LOCKED = StoreError(Problem(slug="x", message="the store is locked", where=Location(path="retest.toml", line=3)))


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [(LOCKED, "incomplete", 2), (NothingToJudgeError(Problem(slug="x", message="no case")), "nothing_to_judge", 5)],
)
def test_it_has_the_errors_exit_code(error: RetestError, outcome: str, code: int) -> None:
    """What kept it from being judged decides the code."""
    report = unjudged_report("support/ja", "evals/ja.yaml", error)
    assert (report.outcome, report.exit_code) == (outcome, code)


def test_it_says_why_and_where() -> None:
    """The problem's message with its place."""
    (reason,) = unjudged_report("support/ja", "evals/ja.yaml", LOCKED).reasons
    assert reason.message == "not judged: retest.toml:3: the store is locked"


def test_an_error_without_problems_has_a_reason() -> None:
    """No report is without one."""
    assert unjudged_report("a", "b", StoreError()).reasons[0].message == "not judged: StoreError"


def test_it_wins_over_a_pass_in_every_report() -> None:
    """Beside a suite that passed, each format tells of it."""
    found = [reports.passed(), unjudged_report("support/en", "evals/en.yaml", LOCKED)]
    for name in REPORTERS:
        content = reporter(name).render(found)
        text = content.decode() if isinstance(content, bytes) else content
        assert "the store is locked" in text
    markdown = reporter("markdown").render(found)
    assert isinstance(markdown, str)
    assert markdown.startswith("**retest: incomplete** - support/en: not judged")
