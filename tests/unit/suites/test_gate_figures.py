"""Limits of the gate on figures: every mistake is found before the first call."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.suites.load import LoadResult, load_suites
from retest.workflows.catalog import load_catalog
from support.suite_folder import SuiteFolder

SUITE = """\
prompts: [../prompts/ask.md]
dataset: {path: ../datasets/qa.jsonl, id: id, expected: expected}
targets: [{name: small, provider: openai, model: test-model}]
metrics:
  - {metric: classification, name: intent, labels: [返金, billing, a1, a2]}
  - {metric: classification, name: sure, labels: [a1, a2], confidence: percentage}
  - bleu
  - exact_match
gate:
  metrics: {%s}
"""


def load(root: Path, limits: str) -> LoadResult:
    SuiteFolder(root).write("evals/qa.yaml", SUITE % limits)
    return load_suites(["evals/qa.yaml"], load_catalog(), cwd=root)


@pytest.mark.parametrize(
    "name",
    ["intent", "intent.f1_macro", "intent.recall.返金", "intent.kappa", "sure.ece", "bleu.corpus"],
)
def test_a_limit_on_a_figure_that_the_metric_has_is_taken(tmp_path: Path, name: str) -> None:
    """Under its full name, that of a label too."""
    (suite,) = load(tmp_path, f"{name}: {{max: 0.2}}").checked()
    assert suite.gate.metrics[name].max == 0.2


@pytest.mark.parametrize(
    ("name", "slug", "fix"),
    [
        ("intent.f1_macr", "gate-unknown-figure", "did you mean 'f1_macro'?"),
        ("intent.recall", "gate-unknown-figure", "name the label too: recall.返金"),
        ("intent.recall.biling", "gate-unknown-figure", "did you mean 'recall.billing'?"),
        ("intent.ece", "gate-unknown-figure", "give the metric the option `confidence`"),
        ("exact_match.f1_macro", "gate-unknown-figure", "remove gate.metrics.exact_match.f1_macro"),
        ("intnt.f1_macro", "gate-unknown-metric", "did you mean 'intent.f1_macro'?"),
    ],
)
def test_a_figure_that_is_not_there_is_refused(tmp_path: Path, name: str, slug: str, fix: str) -> None:
    """A mistyped name would gate nothing."""
    (found,) = load(tmp_path, f"{name}: {{min: 0.7}}").problems
    assert (found.slug, found.fix) == (slug, fix)
    assert str(found.where) == "evals/qa.yaml:10:13"


def test_a_figure_takes_no_margin(tmp_path: Path) -> None:
    """No test compares it with a baseline, so that a margin would decide nothing."""
    (found,) = load(tmp_path, "intent.f1_macro: {margin: 0.03, min: 0.7}").problems
    assert found.slug == "gate-figure-margin"
    assert found.fix == "give the margin to gate.metrics.intent; a figure takes min and max"


def test_an_empty_limit_is_refused(tmp_path: Path) -> None:
    """It would look like a limit and be none."""
    (found,) = load(tmp_path, "intent.f1_macro: {}").problems
    assert found.slug == "suite-empty-set"


@pytest.mark.parametrize(("name", "limit"), [("intent.f1_macro", "min: 70"), ("intent.kappa", "max: -2")])
def test_a_limit_beyond_the_scale_is_pointed_out(tmp_path: Path, name: str, limit: str) -> None:
    """Per cent on a scale from 0 to 1, say."""
    (found,) = load(tmp_path, f"{name}: {{{limit}}}").problems
    assert (found.slug, found.severity) == ("suite-threshold", "warning")


def test_an_expected_answer_that_is_no_label_is_pointed_out(tmp_path: Path) -> None:
    """Before its samples are paid for and fail to be scored; which rows, and what the labels are."""
    folder = SuiteFolder(tmp_path)
    rows = [{"id": f"c{i}", "question": "q", "expected": label} for i, label in enumerate(("a1", "a3", "返金", "a3"))]
    folder.write_rows(rows)
    folder.write("evals/qa.yaml", SUITE % "exact_match: {min: 0.1}")
    problems = load_suites(["evals/qa.yaml"], load_catalog(), cwd=tmp_path).problems
    found = [(problem.message, problem.severity) for problem in problems if problem.slug == "suite-bad-expected"]
    assert found == [
        (
            "metric 'intent' cannot judge 2 of 4 cases: expected 'a3' is none of the labels: 返金, billing, a1, a2",
            "warning",
        ),
        ("metric 'sure' cannot judge 2 of 4 cases: expected 'a3' is none of the labels: a1, a2", "warning"),
        ("metric 'sure' cannot judge 1 of 4 cases: expected '返金' is none of the labels: a1, a2", "warning"),
    ]
