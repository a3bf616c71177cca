"""The Python API: the very prompt that was tested, and a suite run from code."""

from __future__ import annotations

from pathlib import Path

import pytest

import retest
from retest.errors import ExitCode, SuiteError
from support.openai_server import OpenAIServer, ok
from support.project import Project


def test_a_prompt_renders_as_a_run_sends_it(tmp_path: Path) -> None:
    """Messages in wire form, Japanese untouched."""
    path = tmp_path / "ask.md"
    path.write_text("---\nparams: {temperature: 0}\n---\nsystem:\n簡潔に。\n\nuser:\n{{ question }}\n", "utf-8")
    prompt = retest.load_prompt(path)
    assert prompt.render(question="首都は？") == [
        {"role": "system", "content": "簡潔に。"},
        {"role": "user", "content": "首都は？"},
    ]
    assert prompt.params == {"temperature": 0}


def test_a_prompt_includes_what_a_suite_would_let_it_include(tmp_path: Path) -> None:
    """Production reads the prompts folder just as a run does, parts in other folders of it included."""
    for path, text in {
        "parts/tone.md": "丁寧に。",
        "qa/ask.md": "{% include '../parts/tone.md' %} {{ question }}",
    }.items():
        (tmp_path / "prompts" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "prompts" / path).write_text(text, "utf-8")
    rendered = retest.load_prompt(tmp_path / "prompts" / "qa" / "ask.md").render(question="？")
    assert rendered == [{"role": "user", "content": "丁寧に。 ？"}]


def test_a_missing_variable_is_an_error(tmp_path: Path) -> None:
    """A production call with a hole in its prompt fails loudly."""
    path = tmp_path / "ask.md"
    path.write_text("{{ question }}\n", "utf-8")
    with pytest.raises(SuiteError, match="question"):
        retest.load_prompt(path).render(qestion="x")


def test_a_suite_runs_from_python(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`retest.run` gives the run, its summary and its exit code, and fills the same ledger."""
    monkeypatch.chdir(project.root)
    project.write_cases(3)
    with OpenAIServer(lambda request: ok(request.last_user)) as server:
        project.write_suite(server.base_url)
        outcome = retest.run("evals/qa.yaml", samples=2)
        again = retest.run("evals/qa.yaml", samples=2)
    assert outcome.exit_code is ExitCode.PASSED
    assert outcome.summary is not None
    assert outcome.summary.arms[0].metrics[0].mean == 1.0
    assert again.run is not None
    assert (again.run.counts.calls, again.run.counts.ledger_hits) == (0, 6)


def test_a_broken_suite_is_refused_before_any_call(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that is wrong is in the exception."""
    monkeypatch.chdir(project.root)
    project.write_cases(3)
    project.write_suite(metrics=["exact_mach"])
    with pytest.raises(SuiteError, match="exact_match"):
        retest.run("evals/qa.yaml")
