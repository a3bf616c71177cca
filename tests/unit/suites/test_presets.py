from __future__ import annotations

from typing import get_args

import pytest

from retest.suites.load import load_suites
from retest.suites.presets import PRESETS
from retest.suites.spec import PRESETS as NAMES
from retest.suites.spec import SuiteSpec
from retest.workflows.catalog import load_catalog
from support.suite_folder import SuiteFolder, with_lines


def load(folder: SuiteFolder, text: str) -> list[tuple[str, str]]:
    folder.write("evals/qa.yaml", text)
    (suite,) = load_suites(["evals/qa.yaml"], load_catalog(), cwd=folder.root).checked()
    return [(metric.name, metric.metric) for metric in suite.metrics]


def test_the_presets_are_those_that_a_suite_may_name() -> None:
    """The list in the format and the table of metrics agree."""
    assert set(PRESETS) == set(NAMES)
    assert set(get_args(get_args(SuiteSpec.model_fields["preset"].annotation)[0])) == set(NAMES)


@pytest.mark.parametrize("preset", NAMES)
def test_a_preset_brings_metrics_that_exist(folder: SuiteFolder, preset: str) -> None:
    """Each preset works with the real metrics and their real options."""
    assert load(folder, with_lines(f"preset: {preset}", without="metrics"))


def test_a_suites_own_metrics_add_to_the_preset_or_replace_by_name(folder: SuiteFolder) -> None:
    """The suite has the last word."""
    text = with_lines(
        "preset: summarization", "metrics: [{metric: rouge, name: rouge_l, variant: rougeLsum}, latency]",
        without="metrics",
    )  # fmt: skip
    names = load(folder, text)
    assert names == [("rouge_1", "rouge"), ("length", "length"), ("rouge_l", "rouge"), ("latency", "latency")]


def test_an_unknown_preset_is_refused_with_a_suggestion(folder: SuiteFolder) -> None:
    """A mistyped preset is found like any other word."""
    found = folder.problem(with_lines("preset: sumarization", without="metrics"))
    assert found.fix == "did you mean 'summarization'?"
