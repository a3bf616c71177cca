"""A repository with a trusted commit, and what a stranger changed on top of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retest.errors import Problem
from retest.workflows.check import CheckResult, check_suites
from retest.workflows.ci_origin import CiOrigin
from retest.workflows.settings import load_settings
from retest.workflows.untrusted import find_untrusted
from retest.workflows.workspace import Workspace
from support.project import Project
from support.repository import commit_all, git

URL = "http://127.0.0.1:9/v1"
MARKER = "ran"
CODE = f"""\
from pathlib import Path

Path(__file__).with_name({MARKER!r}).write_text("it ran")


def score(output):
    return 1.0


def answer(prompt):
    return prompt
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A project at a trusted commit; its files may be changed like a pull request does."""

    project: Project
    base: str

    @property
    def root(self) -> Path:
        """Return the checkout."""
        return self.project.root

    def suite(self, **changes: Any) -> Path:
        """Write the suite with top-level keys replaced."""
        return self.project.write_suite(URL, **{"prompts": ["../prompts/ask.md"], **changes})

    def target(self, **changes: Any) -> dict[str, Any]:
        """Return the base's target, changed."""
        return {"name": "small", "provider": "openai", "model": "m", "base_url": URL, **changes}

    def commit(self) -> str:
        """Commit the change."""
        return commit_all(self.root, "a stranger's change")

    def workspace(self, base: str | None = "", *, calls: bool = True) -> Workspace:
        """Return the guarded surroundings of a command; an empty base is the trusted commit."""
        origin = CiOrigin(fork="a test says so")
        guard = find_untrusted(self.root, self.root, origin, self.base if base == "" else base, calls=calls)
        return Workspace(cwd=self.root, settings=load_settings(self.root, {}), env={}, untrusted=guard)

    def check(self, base: str | None = "", *, calls: bool = True) -> CheckResult:
        """Check every suite of the checkout as an untrusted one."""
        return check_suites([], self.workspace(base, calls=calls))

    @property
    def refused(self) -> list[Problem]:
        """Return what is refused of the files as they are; nothing of them ran."""
        checked = self.check()
        assert not list(self.root.rglob(MARKER)), "code of the stranger ran"
        return list(checked.errors)


def make_stranger(root: Path) -> Stranger:
    """Return a project whose first commit is trusted."""
    root.mkdir(exist_ok=True)
    project = Project(root)
    project.write(".gitignore", ".retest\n.env\n")
    project.write_cases(3)
    project.write("prompts/ask.md", "{{ question }}\n")
    stranger = Stranger(project=project, base="")
    stranger.suite(
        judges=[
            {"name": "strict", "provider": "openai", "model": "j", "base_url": URL, "limits": {"max_calls": 10}},
        ],
        metrics=["exact_match", {"metric": "judge_correctness", "judge": "strict"}],
    )
    base = commit_all(root, "trusted")
    stranger.suite()
    git(root, "branch", "trusted")
    return Stranger(project=project, base=base)
