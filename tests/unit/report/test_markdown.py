"""The Markdown report: the verdict first, nothing breaks out of its place, and it always fits a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from retest.domain.gate import GateReport
from retest.report.markdown import MarkdownReporter
from retest.report.markdown_text import MARKER, escape_text, fence
from support import gate_reports as reports

GITHUB_LIMIT = 65_536
OUR_HTML = re.compile(r"</?details>|<summary>[\w ]+</summary>|<!-- retest:gate -->")


def render(*found: GateReport) -> str:
    return MarkdownReporter().render(found)


def tokens(text: str) -> Iterator[Token]:
    """Yield all tokens of CommonMark with tables, inline ones too."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def assert_whole(text: str) -> None:
    """Check that every construct is closed: fences, folds, rows, and the marker at the end."""
    found = list(tokens(text))
    fences = [token for token in found if token.type == "fence"]
    lines = text.splitlines()
    assert all(token.map is not None and lines[token.map[1] - 1] == token.markup for token in fences)
    html = "".join(token.content for token in found if token.type in {"html_block", "html_inline"})
    assert html.count("<details>") == html.count("</details>")
    assert OUR_HTML.sub("", html).strip() == ""
    assert MARKER.fullmatch(lines[-1])


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (reports.passed(), "**retest: passed** - support/ja: 1 not worse, 1 improved"),
        (
            reports.regressed(),
            "**retest: failed** - support/ja: exact_match regressed by 12.0 points [-18.0, -6.0]",
        ),
        (reports.waived(), "**retest: passed** - support/ja: 1 regressed, 1 not worse"),
        (
            reports.inconclusive(),
            "**retest: inconclusive** - support/ja: exact_match: inconclusive: 0.8 before, 0.77 now (-0.03)",
        ),
        (reports.incomplete(), "**retest: incomplete** - support/ja: 40 of 180 samples have no answer"),
        (reports.nothing_to_judge(), "**retest: nothing to judge** - support/ja: there is no baseline to compare with"),
    ],
)
def test_the_first_line_is_the_verdict(report: GateReport, line: str) -> None:
    """One line says how the gate went, and why."""
    assert render(report).splitlines()[0] == line


def test_no_suite_is_no_pass() -> None:
    """A gate over nothing never reads as passed."""
    assert render().startswith("**retest: nothing to judge**")


def test_several_suites_share_one_report() -> None:
    """The worst suite is in the first line, whatever its place, and the table has all of them."""
    text = render(reports.passed(), reports.regressed(), reports.incomplete())
    assert text.startswith("**retest: failed** - support/ja: exact_match")
    assert len(re.findall(r"^\| support/ja \| ", text, re.MULTILINE)) == 3


def test_a_regression_is_shown_with_its_cases() -> None:
    """Table row with interval, the case with k of n, both answers."""
    text = render(reports.regressed())
    assert "| exact_match | 0.800 | 0.680 | -0.120 | [-0.180, -0.060] | \\<.001 | \\<.001 | ❌ regressed |" in text
    assert "**case-7** exact_match passed 3 of 3 → 0 of 3, newly failing" in text
    assert "```diff\n- billing\n+ Billing.\n```" in text


@pytest.mark.parametrize(
    "part",
    [
        "| cost | \\$0.0012 | \\$0.0024 | +100.0% |",
        "| latency p50 | 220 ms | 440 ms | +100.0% |",
        "before and after): case-3",
        "- params.temperature: 0.0 → 0.7",
        "- 1 case: only the candidate has it: case-99",
        "- exact_match min 0.75: mean 0.81 [0.7, 0.9], pass",
        "its answers 12 days old",
        "```sh\nretest gate evals/ja/support.yaml --baseline git:origin/main\n```",
    ],
)
def test_what_else_a_reviewer_needs(part: str) -> None:
    """Cost, latency, flaky cases, differences, what was left out, limits, age and the command are there."""
    assert part in render(reports.passed())


def test_what_an_inconclusive_metric_could_have_missed() -> None:
    """The size of the drop that may hide is said."""
    assert "- exact_match: a drop of less than 0.05 could have been missed" in render(reports.inconclusive())


def test_a_waiver_is_shown_as_one() -> None:
    """A lifted regression stays visible, with reason, end and author."""
    text = render(reports.waived())
    assert "- ⚠️ waived: exact_match regressed by 12.0 points" in text
    assert "- exact_match until 2026-06-01: labels move (aiko)" in text


def test_an_expired_waiver_is_marked() -> None:
    """A waiver that lifts nothing any more says so."""
    text = render(replace(reports.waived(), judged_on=date(2026, 6, 2)))
    assert "- exact_match expired on 2026-06-01: labels move (aiko)" in text
    assert "[-18.0, -6.0]; its waiver expired on 2026-06-01" in text


def test_a_metric_that_could_not_be_compared() -> None:
    """It has its reason in the list of what was not compared."""
    assert "- metric tone: its definition changed" in render(reports.not_comparable())


def test_slices_of_what_is_not_well() -> None:
    """Tags and clusters are shown for metrics that regressed, with intervals; for those that did well they are not."""
    assert "| tag ja | exact_match | 30 | -0.100 | [-0.200, 0] |" in render(reports.regressed())
    assert "By tag and cluster" not in render(reports.passed())


def test_what_may_be_chance_is_counted_apart() -> None:
    """A suspect is no case that got worse."""
    case = reports.changed_case("case-8")
    suspect = replace(case, changes=(replace(case.changes[0], label="suspect"),))
    assert "**Cases that got worse: 1** (better: 0; 1 more may be chance)" in render(
        only_counted(reports.regressed([reports.changed_case(), suspect]), 1)
    )


def only_counted(report: GateReport, n_worse: int) -> GateReport:
    """Return the report as `retest diff` counts: suspects are not among the worse."""
    assert report.comparison is not None
    arms = tuple(replace(arm, n_worse=n_worse) for arm in report.comparison.arms)
    return replace(report, comparison=replace(report.comparison, arms=arms))


def test_excerpts_begin_shortly_before_the_difference() -> None:
    """The difference is shown also where it comes after a long common beginning."""
    case = reports.changed_case(before="同じ" * 2000 + "はい", after="同じ" * 2000 + "いいえ")
    text = render(reports.regressed([case]))
    assert re.search(r"^- …(同じ)+はい$", text, re.MULTILINE)
    assert re.search(r"^\+ …(同じ)+いいえ$", text, re.MULTILINE)


def test_an_answer_that_never_came() -> None:
    """The error stands in the answer's place."""
    case = reports.changed_case()
    assert case.after is not None
    lost = replace(case, after=replace(case.after, output=None, error="timeout after 30 s"))
    assert "+ (no answer: timeout after 30 s)" in render(reports.regressed([lost]))


@pytest.mark.parametrize("report", reports.every_situation())
def test_every_construct_is_whole(report: GateReport) -> None:
    """Fences, folds and tables are closed, and the marker is the last line."""
    assert_whole(render(report))


def test_hostile_text_is_only_text() -> None:
    """No link, image, heading, emphasis, HTML, mention or reference comes from names, messages or answers."""
    text = render(reports.hostile())
    found = list(tokens(text))
    assert not {token.type for token in found} & {"link_open", "image", "heading_open", "em_open", "code_inline"}
    shown = "\n".join(token.content for token in found if token.type == "text")
    assert not re.search(r"@\w|#\d|GH-\d|www\.|://|\x1b|\u202e", shown)


def test_hostile_text_keeps_the_tables_in_shape() -> None:
    """Every row of every table has the columns of its header."""
    rows = [line for line in render(reports.hostile()).splitlines() if line.startswith("| ")]
    widths = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert widths <= {9, 6, 5}
    assert len(rows) > 10


def test_hostile_text_is_shown_as_it_is() -> None:
    """What Markdown shows is what was there, but for joiners that nobody sees and control characters spelt out."""
    wanted = "a_b *c* <b> [x](y) &amp; $x$ ~s~ `t` | 1. @me #1 https://x.test"
    (shown,) = [token for token in MarkdownIt("commonmark").parse(f"- {escape_text(wanted)}") if token.children]
    assert "".join(child.content for child in shown.children or ()).replace("\u2060", "") == wanted


@pytest.mark.parametrize("text", ["- a", "+ a", "1. a", "1) a", "---", "===", "    code", "# h", "> q", "a\n# b"])
def test_text_starts_no_block(text: str) -> None:
    """A list item whose text looks like a block is a plain paragraph."""
    kinds = [token.type for token in MarkdownIt("commonmark").parse(f"- {escape_text(text)}")]
    assert kinds == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    ]


@pytest.mark.parametrize("text", ["", "```", "`````\n````", "a`b"])
def test_a_fence_holds_any_backticks(text: str) -> None:
    """The content of a code block never ends it."""
    (token,) = MarkdownIt("commonmark").parse(fence(text))
    assert token.content == f"{text}\n"


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([reports.japanese(2_000, 4_000)], id="2,000 changed cases of long Japanese text"),
        pytest.param([reports.japanese(200, 4_000)] * 10, id="ten suites of them"),
        pytest.param([reports.hostile()] * 40, id="40 suites of text that grows when escaped"),
        pytest.param([reports.regressed()] * 5_000, id="5,000 suites"),
        pytest.param([replace(reports.hostile(), suite="\u202e" * 5_000)] * 500, id="names that grow sevenfold"),
        pytest.param([replace(reports.passed(), reproduce="`" * 80_000)], id="a command past the limit by itself"),
    ],
)
def test_it_fits_a_comment(found: list[GateReport]) -> None:
    """However much changed, it is below GitHub's limit, whole, and says that it was shortened if it was."""
    text = render(*found)
    assert len(text.encode("utf-16-le", "surrogatepass")) // 2 < GITHUB_LIMIT
    assert_whole(text)
    assert text.startswith("**retest: ")


def test_shortening_leaves_out_the_least_important_first() -> None:
    """The verdict table and the reasons stay when excerpts and slices go, and the report says that it was shortened."""
    text = render(*[reports.japanese(200, 4_000)] * 10)
    assert "_Shortened to fit a comment" in text
    assert text.count("❌ regressed") == 10
    assert "By tag and cluster" not in text


def test_nothing_is_left_out_without_need() -> None:
    """An ordinary report is not shortened."""
    assert "_Shortened" not in render(reports.regressed())
