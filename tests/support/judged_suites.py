"""Suites with judges, loaded against the real catalog."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retest.domain.suite import Suite
from retest.errors import Problem
from retest.suites.load import LoadResult, load_suites
from retest.workflows.catalog import load_catalog
from support.suite_folder import SuiteFolder

GRADER = {"name": "grader", "provider": "openai", "model": "grader-1"}
SUITE: dict[str, Any] = {
    "prompts": ["../prompts/ask.md"],
    "dataset": {"path": "../datasets/qa.jsonl", "id": "id", "expected": "expected"},
    "targets": [{"name": "small", "provider": "openai", "model": "test-model"}],
    "judges": [GRADER],
    "metrics": ["judge_grade"],
    "gate": {"block": "regression"},
}


class JudgedFolder(SuiteFolder):
    """A project whose suite has judges; what is written is the standard suite with changes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.path = "evals/judged.yaml"

    def read(self, **changes: Any) -> LoadResult:
        """Load the suite with top-level keys replaced; a value of None takes the key away."""
        suite = {key: value for key, value in {**SUITE, **changes}.items() if value is not None}
        self.write(self.path, json.dumps(suite, ensure_ascii=False, indent=1))
        return load_suites([self.path], load_catalog(), cwd=self.root)

    def sound(self, **changes: Any) -> Suite:
        """Return the suite, which has no mistake."""
        (suite,) = self.read(**changes).checked()
        return suite

    def wrong(self, **changes: Any) -> Sequence[Problem]:
        """Return what is wrong with the suite."""
        return self.read(**changes).problems
