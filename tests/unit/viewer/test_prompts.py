"""Prompts in the viewer: read, changed, tried, saved to the working tree; nothing is committed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.asgi import Browser
from support.project import Project
from support.repository import commit_all
from support.versions import case_rows, right_answers, run_version
from support.viewing import FORM_KEY, viewing

ROWS = case_rows(4)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project under git with one prompt and one run."""
    project = Project(tmp_path)
    run_version(project, right_answers(ROWS, 1), ROWS)
    commit_all(project.root, "first")
    return project


@pytest.fixture
def browser(project: Project) -> Iterator[Browser]:
    """Give a browser on the viewer."""
    with viewing(project.root) as found:
        yield found


def version(browser: Browser, path: str = "prompts/ask.md") -> str:
    """Return the version of a prompt as its page carries it."""
    found = re.search(r'name="version" value="([0-9a-f]+)"', browser.get(f"/prompts/{path}").text)
    assert found is not None
    return found[1]


def test_prompts_are_listed(browser: Browser) -> None:
    """Those below prompts/ and those of the suites, each once."""
    assert browser.get("/prompts").text.count('href="/prompts/prompts/ask.md"') == 2


def test_saving_writes_the_file_and_proposes_a_message(project: Project, browser: Browser) -> None:
    """The working tree has the text, git's folder the message; no commit is made."""
    fields = {
        "key": FORM_KEY,
        "version": version(browser),
        "text": "どのチーム？\r\n{{ q }}\r\n",
        "message": "日本語で聞く",
    }
    answer = browser.post("/prompts/prompts/ask.md/save", fields)
    assert answer.status == 200
    assert (project.root / "prompts/ask.md").read_bytes() == "どのチーム？\n{{ q }}\n".encode()
    assert (project.root / ".git/RETEST_COMMIT_MSG").read_text("utf-8") == "日本語で聞く\n"
    assert "git commit -F .git/RETEST_COMMIT_MSG -- prompts/ask.md" in answer.text
    log = subprocess.run(["git", "log", "--oneline"], cwd=project.root, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 1


def test_the_shown_command_commits_what_was_saved(project: Project, browser: Browser) -> None:
    """As it stands, typed by somebody who knows git."""
    fields = {"key": FORM_KEY, "version": version(browser), "text": "Team?\n{{ q }}\n", "message": "Shorter"}
    text = browser.post("/prompts/prompts/ask.md/save", fields).text
    found = re.search(r"<code>(git commit [^<]*)</code>", text)
    assert found is not None
    subprocess.run(found[1].split(), cwd=project.root, capture_output=True, check=True)
    log = subprocess.run(
        ["git", "log", "-1", "--format=%s"], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert log.stdout.strip() == "Shorter"


def test_a_file_that_changed_meanwhile_is_not_overwritten(project: Project, browser: Browser) -> None:
    """The page shows both, and saving again over it is a second, deliberate step."""
    opened = version(browser)
    project.write("prompts/ask.md", "Somebody else\n{{ q }}\n")
    fields = {"key": FORM_KEY, "version": opened, "text": "Mine\n{{ q }}\n", "message": ""}
    answer = browser.post("/prompts/prompts/ask.md/save", fields)
    assert answer.status == 409
    assert (project.root / "prompts/ask.md").read_text("utf-8") == "Somebody else\n{{ q }}\n"
    assert "Mine" in answer.text
    assert "Somebody else" in answer.text
    again = re.search(r'name="version" value="([0-9a-f]+)"', answer.text)
    assert again is not None
    assert browser.post("/prompts/prompts/ask.md/save", fields | {"version": again[1]}).status == 200
    assert (project.root / "prompts/ask.md").read_text("utf-8") == "Mine\n{{ q }}\n"


def test_a_text_that_is_no_prompt_is_not_saved(project: Project, browser: Browser) -> None:
    """The problems are shown with their line, and the text is still in the form."""
    before = (project.root / "prompts/ask.md").read_bytes()
    fields = {"key": FORM_KEY, "version": version(browser), "text": "{% if x %}\nno end\n", "message": "m"}
    answer = browser.post("/prompts/prompts/ask.md/save", fields)
    assert answer.status == 422
    assert "prompts/ask.md:" in answer.text
    assert "no end" in answer.text
    assert (project.root / "prompts/ask.md").read_bytes() == before
    assert sorted(path.name for path in (project.root / "prompts").iterdir()) == ["ask.md"]


def test_line_ends_and_byte_order_mark_stay(project: Project, browser: Browser) -> None:
    """A file from Windows is still one."""
    (project.root / "prompts/ask.md").write_bytes(b"\xef\xbb\xbfone\r\n{{ q }}\r\n")
    fields = {"key": FORM_KEY, "version": version(browser), "text": "two\n{{ q }}\n", "message": ""}
    assert browser.post("/prompts/prompts/ask.md/save", fields).status == 200
    assert (project.root / "prompts/ask.md").read_bytes() == b"\xef\xbb\xbftwo\r\n{{ q }}\r\n"


@pytest.mark.parametrize("key", ["", "wrong"])
def test_a_form_without_the_key_of_the_pages_changes_nothing(project: Project, browser: Browser, key: str) -> None:
    """Origin and key must both be right."""
    before = (project.root / "prompts/ask.md").read_bytes()
    fields = {"key": key, "version": version(browser), "text": "Mine\n{{ q }}\n", "message": ""}
    assert browser.post("/prompts/prompts/ask.md/save", fields).status == 403
    assert (project.root / "prompts/ask.md").read_bytes() == before


@pytest.mark.parametrize(
    "path",
    ["../outside.md", "retest.toml", "prompts/../retest.toml", "prompts/link.md", "/etc/passwd", "prompts/missing.md"],
)
def test_only_prompts_of_the_project_can_be_opened(project: Project, browser: Browser, path: str) -> None:
    """Neither other files, nor what a link leads to."""
    (project.root.parent / "outside.md").write_text("secret", "utf-8")
    (project.root / "prompts/link.md").symlink_to(project.root.parent / "outside.md")
    answer = browser.get(f"/prompts/{path}")
    assert answer.status == 404
    assert "secret" not in answer.text


def test_a_text_is_tried_on_chosen_cases(project: Project, browser: Browser) -> None:
    """The answer stands beside the text, the file stays as it is, and the text is still in the form."""
    before = (project.root / "prompts/ask.md").read_bytes()
    fields = {
        "key": FORM_KEY,
        "version": version(browser),
        "text": "Changed\n{{ q }}\n",
        "message": "",
        "place": "evals/teams.yaml\tmodel",
        "case": ["c01", "c02"],
    }
    answer = browser.post("/prompts/prompts/ask.md/try", fields)
    assert answer.status == 200
    assert answer.text.count('<article class="sample">') == 2
    assert "Changed" in answer.text
    assert (project.root / "prompts/ask.md").read_bytes() == before


def test_hostile_prompts_stay_in_their_box(project: Project, browser: Browser) -> None:
    """A text that ends the text area does not end it."""
    project.write("prompts/ask.md", "</textarea><script>alert(1)</script>\n{{ q }}\n")
    text = browser.get("/prompts/prompts/ask.md").text
    assert "<script>alert" not in text
    assert text.count("</textarea>") == 2


def test_a_history_shows_the_versions_in_git(project: Project, browser: Browser) -> None:
    """Commits with their results, what is not committed on top, verdicts where they are asked for."""
    wrong = {case: ["wrong"] for case in right_answers(ROWS, 1)}
    run_version(project, wrong, ROWS, prompt="---\nlabels: [実験]\n---\nAnother text\n{{ q }}\n")
    commit_all(project.root, "<b>二つ目</b>")
    project.write("prompts/ask.md", "Not yet {{ q }}\n")
    text = browser.get("/prompts/prompts/ask.md/history").text
    assert text.index("not committed") < text.index("&lt;b&gt;二つ目&lt;/b&gt;") < text.index("first")
    assert "実験" in text
    assert "inconclusive" not in text
    judged = browser.get("/prompts/prompts/ask.md/history?verdicts=1").text
    assert any(verdict in judged for verdict in ("inconclusive", "regressed"))


@pytest.mark.parametrize("path", ["retest.toml", "prompts/gone.md", "../../etc/passwd"])
def test_a_history_is_of_prompts_alone(browser: Browser, path: str) -> None:
    """No other file of the repository is read for it."""
    assert 'id="git"' not in browser.get(f"/prompts/{path}/history").text
