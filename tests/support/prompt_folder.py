"""Prompt files for tests: write them, read them, see what they render to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from retest.domain.prompt import Message, Prompt
from retest.errors import Location, Problem, SuiteError
from retest.suites.prompt_files import inline_prompt, read_prompt


@dataclass(frozen=True)
class PromptFolder:
    """A folder ``prompts`` with its files."""

    path: Path

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file exactly as given."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    def read(self, name: str) -> Prompt:
        """Read a prompt as a suite would."""
        return read_prompt(self.path / name, display=f"prompts/{name}", root=self.path)

    def prompt(self, content: str | bytes, name: str = "p.md") -> Prompt:
        """Write and read."""
        self.write(name, content)
        return self.read(name)

    def problems(self, content: str | bytes, name: str = "p.md") -> list[Problem]:
        """Return the problems of a file that must not be accepted."""
        self.write(name, content)
        try:
            self.read(name)
        except SuiteError as error:
            return list(error.problems)
        raise AssertionError("the prompt was accepted")

    def inline(self, text: str) -> Prompt:
        """Return an inline prompt of a suite."""
        return inline_prompt(
            text, name="inline", where=Location(path="evals/a.yaml", line=5, column=11), root=self.path
        )


def texts(messages: list[Message]) -> list[tuple[object, object]]:
    """Return (role, content) of each message."""
    return [(message["role"], message["content"]) for message in messages]


def render_problem(prompt: Prompt, **variables: object) -> Problem:
    """Return the one problem of a render that must fail."""
    try:
        prompt.template.render(variables)  # type: ignore[arg-type]  # tests also pass what JSON cannot hold
    except SuiteError as error:
        (problem,) = error.problems
        return problem
    raise AssertionError("the prompt rendered")
