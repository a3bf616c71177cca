"""The project's own suites: each passes its check, also those that run only where they are named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.project import Project

ROOT = Path(__file__).parents[2]
SUITES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "evals").rglob("*.yaml"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a copy of the project's suites, prompts and datasets."""
    project = Project(tmp_path_factory.mktemp("examples"))
    for name in ("evals", "prompts", "datasets"):
        shutil.copytree(ROOT / name, project.root / name)
    return project


def test_every_suite_of_the_project_passes_its_check(copy: Project) -> None:
    """Without a key, a model or the network."""
    checked = copy.run("check", *SUITES)
    assert checked.code == 0, checked.err
    assert "support-judged" in checked.out


def test_the_judged_suite_is_planned(copy: Project) -> None:
    """Sixty answers, each judged once: the plan says so before anything is asked."""
    done = copy.run("plan", "evals/_live/judged.yaml", "--json")
    assert done.code == 0, done.err
    assert (done.json["planned"], done.json["judging"]["calls"]) == (60, 60)
