"""The report that a pull request shows, in Markdown: the verdict in its first line, short enough for a comment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retest.domain.gate import GateReport
from retest.report import markdown_sections as sections
from retest.report.markdown_cases import changed_cases, flaky_cases
from retest.report.markdown_figures import figures
from retest.report.markdown_text import escape_text, marker, table
from retest.report.numbers import plural
from retest.report.verdict_text import (
    OUTCOME_WORDS,
    blocks,
    by_urgency,
    compared_arms,
    headline,
    leading_report,
    summary_of_verdicts,
)

MAX_CHARS = 65_000  # GitHub refuses comments past 65,536


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much is shown; each level of `LEVELS` shows less, the least important left out first.

    Attributes:
        suites: shown in full; the others have a line in the table of suites.
        headlines: suites in that table.
        arms: compared arms of each suite.
        rows: lines of each list and rows of each table.
        excerpts, chars: cases shown with answers, and characters of each answer.
        cases: further cases, a line each.
        ids: names in a line.
        extras: means by tag and cluster are shown.
    """

    suites: int
    headlines: int
    arms: int
    rows: int
    excerpts: int
    chars: int
    cases: int
    ids: int
    extras: bool = False


LEVELS = (
    Detail(suites=50, headlines=200, arms=50, rows=100, excerpts=20, chars=400, cases=50, ids=20, extras=True),
    Detail(suites=50, headlines=200, arms=50, rows=100, excerpts=20, chars=400, cases=50, ids=20),
    Detail(suites=50, headlines=200, arms=50, rows=50, excerpts=10, chars=250, cases=20, ids=10),
    Detail(suites=20, headlines=100, arms=20, rows=30, excerpts=5, chars=200, cases=10, ids=5),
    Detail(suites=10, headlines=50, arms=10, rows=20, excerpts=3, chars=150, cases=5, ids=3),
    Detail(suites=5, headlines=30, arms=5, rows=10, excerpts=1, chars=100, cases=3, ids=3),
    Detail(suites=2, headlines=20, arms=3, rows=6, excerpts=0, chars=0, cases=3, ids=2),
    Detail(suites=0, headlines=20, arms=0, rows=0, excerpts=0, chars=0, cases=0, ids=0),
)


class MarkdownReporter:
    """Markdown as GitHub and GitLab show it."""

    name = "markdown"

    def render(self, reports: Sequence[GateReport]) -> str:
        """Return the report, its last line the marker, never longer than a comment may be."""
        return render_markdown(reports)


def render_markdown(reports: Sequence[GateReport], *, max_chars: int = MAX_CHARS) -> str:
    """Return the first level of detail that fits; the shortest is always taken, for it is bounded by its clips."""
    document = ""
    for level in range(len(LEVELS)):
        document = _document(reports, level)
        if _length(document) <= max_chars:
            break
    return document


def _length(text: str) -> int:
    """Return the length in UTF-16 units, the strictest way that a service may count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _document(reports: Sequence[GateReport], level: int) -> str:
    detail = LEVELS[level]
    urgent = by_urgency(reports)
    parts = [first_line(reports)]
    if len(reports) > 1:
        parts.append(_overview(urgent, detail.headlines))
    for report in urgent[: detail.suites]:
        if len(reports) > 1:
            parts.append(f"### {escape_text(report.suite, chars=100)}")
        parts += _suite(report, detail)
    if level:
        parts.append("_Shortened to fit a comment: the JSON report holds everything._")
    return "\n\n".join([*parts, marker()]) + "\n"


def first_line(reports: Sequence[GateReport]) -> str:
    """Return the verdict over all suites, with the first reason for it."""
    leading = leading_report(reports)
    if leading is None:
        return "**retest: nothing to judge** - no suite was run"
    said = escape_text(f"{leading.suite}: {headline(leading)}", chars=300)
    if leading.outcome == "passed" and len(reports) > 1:
        said = f"{len(reports):,} suites"
    others = sum(len([reason for reason in report.reasons if blocks(reason)]) for report in reports) - 1
    more = f" (and {plural(others, 'more reason')})" if others > 0 and leading.outcome != "passed" else ""
    return f"**retest: {OUTCOME_WORDS[leading.outcome]}** - {said}{more}"


def _overview(reports: Sequence[GateReport], shown: int) -> str:
    rows = [
        (escape_text(report.suite, chars=100), OUTCOME_WORDS[report.outcome], escape_text(headline(report), chars=120))
        for report in reports[:shown]
    ]
    rest = "" if len(reports) <= shown else f"\n\nand {len(reports) - shown:,} more suites"
    return table(("suite", "outcome", "why"), rows) + rest


def _suite(report: GateReport, detail: Detail) -> Iterator[str]:
    """Yield the blocks of one suite, the most important first."""
    found = [sections.reasons(report, detail.rows), sections.limits(report, detail.rows), *_warnings(report, detail)]
    yield from (part for part in found if part is not None)
    arms = compared_arms(report)
    for arm in arms[: detail.arms]:
        yield from sections.verdicts(arm, detail.rows)
        yield from changed_cases(arm, excerpts=detail.excerpts, chars=detail.chars, lines=detail.cases)
        yield from (part for part in (figures(arm, detail.rows), sections.usage(arm)) if part is not None)
    if len(arms) > detail.arms:
        yield f"and {len(arms) - detail.arms:,} more arms; over all: {escape_text(summary_of_verdicts(report))}"
    yield from (part for part in _rest(report, detail) if part is not None)


def _warnings(report: GateReport, detail: Detail) -> Iterator[str]:
    warnings = () if report.comparison is None else report.comparison.warnings
    notes = () if report.summary is None else report.summary.notes
    yield from (f"> warning: {escape_text(text)}" for text in (*warnings, *notes)[: detail.rows])


def _rest(report: GateReport, detail: Detail) -> Iterator[str | None]:
    yield flaky_cases(compared_arms(report), detail.ids)
    if report.comparison is not None:
        yield sections.differences(report.comparison, detail.rows)
        yield sections.not_compared(report.comparison, detail.rows, detail.ids)
    yield sections.slices(report, detail.rows) if detail.extras else None
    yield sections.waivers(report, detail.rows)
    yield sections.origins(report)
