"""A folder with suites, and a small catalog of metrics and providers to check them against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retest.domain.catalog import Catalog, MetricInfo, ProviderInfo
from retest.domain.suite import Suite
from retest.errors import Problem
from retest.suites.load import LoadResult, load_suites

SUITE = """\
prompts: [../prompts/ask.md]
dataset: {path: ../datasets/qa.jsonl, id: id, expected: expected}
targets: [{name: small, provider: openai, model: test-model}]
metrics: [exact_match]
gate: {block: regression}
"""


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RougeOptions(Options):
    variant: Literal["rouge1", "rouge2", "rougeL"] = Field(default="rougeL", description="which kind of overlap")
    stemmer: bool = False


class ContainsOptions(Options):
    values: str | tuple[str, ...] | None = None


class SchemaOptions(Options):
    schema_: str | dict[str, Any] = Field(alias="schema")


class PythonOptions(Options):
    path: str


class Retry(Options):
    attempts: int = 3


class OpenAIOptions(Options):
    base_url: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    api_key_env: str | None = None
    timeout_s: float = 60
    retry: Retry | None = None


class ReplayOptions(Options):
    path: str
    where: dict[str, Any] = Field(default_factory=dict)


METRICS = (
    MetricInfo(
        name="exact_match", summary="equal", options=lambda: Options, needs_expected=True, binary=True, group="text"
    ),
    MetricInfo(
        name="contains",
        summary="holds a text",
        options=lambda: ContainsOptions,
        needs_expected=True,
        instead_of_expected=("values",),
        binary=True,
    ),
    MetricInfo(name="rouge", summary="common words", options=lambda: RougeOptions, needs_expected=True),
    MetricInfo(name="json_schema", summary="fits a schema", options=lambda: SchemaOptions, binary=True),
    MetricInfo(name="json_valid", summary="is JSON", options=lambda: Options, binary=True),
    MetricInfo(name="python", summary="your code", options=lambda: PythonOptions, runs_code=True),
    MetricInfo(name="latency", summary="time", options=lambda: Options, direction="lower", high=None, scale="log"),
)
PROVIDERS = (
    ProviderInfo(name="openai", summary="chat", options=lambda: OpenAIOptions, needs_model=True),
    ProviderInfo(name="replay", summary="recording", options=lambda: ReplayOptions),
)
CATALOG = Catalog(metrics={info.name: info for info in METRICS}, providers={info.name: info for info in PROVIDERS})


class SuiteFolder:
    """A project with one prompt and two cases; suites are written as text."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("retest.toml", "")
        self.write("prompts/ask.md", "{{ question }}\n")
        self.write_rows([{"id": f"c{i}", "question": f"q{i}?", "expected": f"a{i}"} for i in (1, 2)])

    def write(self, path: str, text: str | bytes) -> Path:
        """Write a file below the root."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text if isinstance(text, bytes) else text.encode())
        return full

    def write_rows(self, rows: Sequence[Mapping[str, Any]], path: str = "datasets/qa.jsonl") -> None:
        """Write the dataset."""
        self.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def load(self, suite: str = SUITE, *overrides: str, path: str = "evals/qa.yaml") -> LoadResult:
        """Write a suite and load it, and only it."""
        self.write(path, suite)
        return load_suites([path], CATALOG, cwd=self.root, overrides=overrides)

    def suite(self, suite: str = SUITE, *overrides: str, path: str = "evals/qa.yaml") -> Suite:
        """Return the suite of a text without mistakes."""
        (loaded,) = self.load(suite, *overrides, path=path).checked()
        return loaded

    def problems(self, suite: str = SUITE, *overrides: str) -> tuple[Problem, ...]:
        """Return what is wrong with a suite's text."""
        return self.load(suite, *overrides).problems

    def problem(self, suite: str = SUITE, *overrides: str) -> Problem:
        """Return the one thing that is wrong with a suite's text."""
        (problem,) = self.problems(suite, *overrides)
        return problem


def with_lines(*lines: str, without: str = "") -> str:
    """Return the standard suite with further lines, and without the top-level keys named in `without`."""
    left_out = tuple(f"{key}:" for key in without.split())
    kept = [line for line in SUITE.splitlines() if not (left_out and line.startswith(left_out))]
    return "\n".join([*kept, *lines]) + "\n"
