"""Figures from the scores of a run: what scores keep is enough, and is what the whole texts would give."""

from __future__ import annotations

from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.run import RunMetric
from retest.domain.sample import MetricFailure, Response
from retest.metrics.base import Metric, MetricContext
from retest.metrics.registry import metric_classes
from retest.runner.figure_facts import FigureFacts
from retest.workflows.figures import fact_rows, figure_changes, figures_makeup, metric_figures

PAIRS = [
    ("the cat sat on the mat", ["the cat is on the mat", "there is a cat on the mat"]),
    ("a quick brown fox jumps high", ["the quick brown fox jumps over the lazy dog"]),
    ("猫が座った", ["猫がマットに座った"]),
    ("it is what it is today", ["it is what it was yesterday"]),
]
LABELS = ["返金", "billing", "other"]


def built(metric: RunMetric) -> Metric[Any]:
    cls = metric_classes()[metric.metric]
    return cls(cls.Options.model_validate(dict(metric.options)), MetricContext(name=metric.name))


def facts_of(metric: RunMetric, answers: list[tuple[str, Any]]) -> FigureFacts:
    """Return what the scores of the answers keep, two places a case, the first of them filled."""
    scorer, facts = built(metric), FigureFacts(metric.metric)
    for number, (answer, expected) in enumerate(answers):
        case = Case(case_id=str(number), vars={}, content_hash="", expected=expected)
        score = scorer.score(case, Response(output=answer))
        facts.put(2 * number, score)  # type: ignore[arg-type] # these metrics are not awaited
    return facts


def metric(name: str, **options: Any) -> RunMetric:
    return RunMetric(name=name, metric=name, signature="", options=options)


@pytest.mark.parametrize(
    "wanted",
    [
        metric("bleu"),
        metric("bleu", smooth_method="add-k", max_ngram_order=2),
        metric("chrf"),
        metric("chrf", word_order=2, beta=1),
        metric("ter"),
    ],
    ids=["bleu", "bleu add-k", "chrf", "chrf++", "ter"],
)
def test_the_corpus_score_equals_sacrebleus(wanted: RunMetric) -> None:
    """From the statistics that the scores keep, without any text, over languages and several references."""
    found = metric_figures(wanted, facts_of(wanted, PAIRS), 2, None)
    assert found is not None
    scorer: Any = built(wanted)
    assert found.values[0].value == pytest.approx(scorer.corpus(PAIRS), abs=1e-9)


def test_labels_are_numbered_as_the_suite_lists_them() -> None:
    """Whatever the order in which they come up; the last column is no label."""
    wanted = metric("classification", labels=LABELS)
    answers = [("other", "other"), ("返金", "billing"), ("?", "返金"), ("返金", "返金")]
    found = metric_figures(wanted, facts_of(wanted, answers), 2, None)
    assert found is not None
    assert found.confusion is not None
    assert found.confusion.counts == ((1, 0, 0, 1), (1, 0, 0, 0), (0, 0, 1, 0))


def test_a_metric_without_confidence_has_no_calibration() -> None:
    """A figure that nothing states is not shown as missing."""
    wanted = metric("classification", labels=LABELS)
    found = metric_figures(wanted, facts_of(wanted, [("other", "other")]), 2, None)
    assert found is not None
    assert found.get("ece") is None
    assert found.get("accuracy") is not None


def test_a_failure_is_no_sample() -> None:
    """What could not be scored counts neither as right nor as wrong."""
    facts = FigureFacts("classification")
    facts.put(0, MetricFailure(kind="bad_expected", message="?"))
    found = metric_figures(metric("classification", labels=LABELS), facts, 1, None)
    assert found is not None
    assert (found.n_samples, found.get("accuracy").value) == (0, None)  # type: ignore[union-attr] # it is there


def test_a_change_is_over_the_cases_of_both_sides() -> None:
    """A case that one side lacks says nothing of the change."""
    wanted = metric("classification", labels=LABELS)
    makeup = figures_makeup(wanted)
    assert makeup is not None
    before = facts_of(wanted, [("返金", "返金"), ("other", "other"), ("?", "billing")])
    after = facts_of(wanted, [("返金", "返金"), ("billing", "other")])
    changes = figure_changes(wanted, fact_rows(before, makeup, 2), fact_rows(after, makeup, 2), makeup, None)
    accuracy = next(change for change in changes if change.name == "accuracy")
    assert (accuracy.before, accuracy.after, accuracy.delta, accuracy.n_cases) == (1.0, 0.5, -0.5, 2)
