"""One hostile text in answers, ids, tags, expected values and a prompt, through everything that shows or writes it."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.project import Project
from support.versions import right_answers, run_version

HOSTILE = (
    '=HYPERLINK("http://evil.example","x")\x1b]0;owned\x07\x1b[31m[bold red]@octo/team[/] #1 '
    "<img src=x onerror=alert(1)>"
    "</script><script>alert(2)</script> [l](http://evil.example) `x` | a ]]> & \u202egnp.exe ::error::no\r\n"
    "::warning::line {{ 7*7 }} ${{ secrets.X }} 日本"
)
FORMULA = "=cmd|' /C calc'!A0"
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CASES = (FORMULA, "+1", "-1+1", "@SUM(1)", "c<b>&\"'", "日本")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with a good run as baseline, and one whose answers are hostile."""
    project = Project(tmp_path_factory.mktemp("hostile"))
    rows = [{"id": name, "q": HOSTILE, "expected": f"右 {HOSTILE}", "tags": ["<b>tag</b>", "=1"]} for name in CASES]
    rows += [{"id": f"c{i}", "q": "q", "expected": "yes", "tags": []} for i in range(20)]
    good = right_answers(rows, 2)
    run_version(project, good, rows, gate={"block": "regression"})
    assert project.run("baseline", "set").code == 0
    bad = {str(row["id"]): [HOSTILE, FORMULA] for row in rows}
    run_version(project, bad, rows, gate={"block": "regression"}, prompt="Which team, now?\n{{ q }}\n")
    return project


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("show", "--failures"),
        ("show", "--case", FORMULA),
        ("diff", "latest~1", "latest", "--verbose"),
        ("search", "octo"),
        ("runs",),
        ("gate", "evals/teams.yaml", "--offline"),
    ],
    ids=["show", "failures", "case", "diff", "search", "runs", "gate"],
)
def test_nothing_steers_a_terminal(hostile: Project, command: tuple[str, ...]) -> None:
    """No escape, bell, carriage return or override reaches the screen, and rich's markup is text."""
    done = hostile.run(*command)
    assert done.code in {0, 1}, done.err
    for text in (done.out, done.err):
        assert not CONTROL.search(text.replace("\x1b[0m", ""))
        assert "Traceback" not in text
    if command[:2] == ("show", "--case"):
        assert "[bold" in done.out


def test_cells_of_a_table_are_no_formulas(hostile: Project) -> None:
    """Whatever begins like a formula is text to a spreadsheet; the rest comes back as it was."""
    out = hostile.run("export", "latest", "--to", "csv").out
    rows = list(csv.reader(io.StringIO(out, newline="")))
    assert len(rows) == 1 + 2 * (len(CASES) + 20)
    for row in rows[1:]:
        assert not any(re.match(r"[=+\-@\t\r]", cell) and not re.fullmatch(r"-?[\d.]+", cell) for cell in row)


def test_jsonl_is_exact(hostile: Project) -> None:
    """For programs nothing is changed: the answers come back character by character."""
    rows = [json.loads(line) for line in hostile.run("export", "latest", "--to", "jsonl").out.splitlines()]
    assert {row["output"] for row in rows} == {HOSTILE, FORMULA}


class Tags(HTMLParser):
    """Collects what a browser would take for elements, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.seen.append((tag, dict(attrs)))


def test_reports_for_pull_requests_are_inert(hostile: Project, tmp_path: Path) -> None:
    """JUnit and SARIF are well-formed, Markdown mentions nobody, HTML runs nothing, GitHub gets no command."""
    files = {name: tmp_path / f"r.{name}" for name in ("junit", "markdown", "json", "sarif", "html")}
    wanted = [f"--report={name}={path}" for name, path in files.items()]
    done = hostile.run("gate", "evals/teams.yaml", "--offline", *wanted, "--report=github")
    assert done.code == 1, done.err
    ET.fromstring(files["junit"].read_text("utf-8"))  # noqa: S314 - of our own making, as this test is about
    for name in ("json", "sarif"):
        json.loads(files[name].read_text("utf-8"))
    markdown = outside_code(files["markdown"].read_text("utf-8"))
    assert not re.search(r"(?<![\\\w])@octo|(?<!\\)<img|(?<!\\)<script|\]\(http://evil|#1\b", markdown)
    assert not CONTROL.search(markdown)
    page = Tags()
    page.feed(files["html"].read_text("utf-8"))
    assert not [tag for tag, attributes in page.seen if tag == "img" or "onerror" in attributes]
    assert not [attributes for _, attributes in page.seen if "evil.example" in str(attributes.get("href"))]
    assert "alert(2)</script>" not in files["html"].read_text("utf-8")
    lines = (done.out + done.err).splitlines()
    assert not [line for line in lines if line.startswith(("::error::no", "::warning::line"))]


def outside_code(markdown: str) -> str:
    """Return Markdown without its fenced blocks and code spans, in which nothing is interpreted."""
    text = re.sub(r"(?ms)^(`{3,})[^\n]*\n.*?^\1$", "", markdown)
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", text)


def test_a_table_in_markdown_keeps_its_columns(hostile: Project) -> None:
    """Pipes and newlines in an answer break no row."""
    lines = hostile.run("export", "latest", "--to", "md").out.splitlines()
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines if line.startswith("|")}
    assert len(columns) == 1
