"""A decision belongs to the comparison that it was taken in, and its verdicts are never tested again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retest.domain.comparison import RunComparison
from retest.domain.sequential import ArmStand, MetricStand, SequentialDecision, decision_document
from retest.store.database import Store, open_store
from retest.workflows.diff import DiffOptions, diff_runs, stored_side
from retest.workflows.stored_decision import scores_digest
from support.store_data import START, Clock, make_metric, make_record, make_run, store_run

ARM = "intent/small"
STAND = MetricStand(
    metric="exact_match",
    signature="exact_match",
    verdict="regressed",
    p=0.01,
    p_adjusted=0.02,
    p_worse=0.01,
    p_better=1.0,
    p_cases=1.0,
    level=0.004,
)
DECISION = SequentialDecision(
    outcome="fail",
    looks=2,
    looks_planned=6,
    samples=6,
    samples_planned=18,
    samples_per_case=6,
    against="base",
    arms=(ArmStand(baseline=ARM, candidate=ARM, metrics=(STAND,)),),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "retest.db"), clock=Clock()) as opened:
        for number, name in enumerate(("base", "other", "run")):
            put(opened, name, value=number / 4)
        yield opened


def put(store: Store, name: str, *, value: float) -> None:
    """Store a run of three cases x two samples, all of one score."""
    records = [
        make_record((0, case, sample), f"{name}", {"exact_match": value}, key=f"{name}-{case}-{sample}")
        for case in range(3)
        for sample in range(2)
    ]
    store_run(store, make_run(name, metrics=(make_metric("exact_match"),)), records)


def decide(store: Store, decision: SequentialDecision = DECISION, **changes: Any) -> None:
    """Keep a decision against `base` with the run."""
    digest = scores_digest(stored_side(store, store.get_run("base")).scores)
    document = decision_document(replace(decision, digest=digest, **changes))
    store.update_run("run", summary={"sequential": document, "planned": decision.samples})


def compared(store: Store, first: str, second: str = "run") -> RunComparison:
    sides = [stored_side(store, store.get_run(name)) for name in (first, second)]
    return diff_runs(sides[0], sides[1], DiffOptions(), cwd=Path(), now=START)


def test_its_own_comparison_repeats_the_verdict(store: Store) -> None:
    """With the p-values of the whole design, and a note where they come from."""
    decide(store)
    found = compared(store, "base")
    metric = found.arms[0].metrics[0]
    assert (metric.verdict, metric.p, metric.p_adjusted, metric.level) == ("regressed", 0.01, 0.02, 0.004)
    assert "look 2 of 6" in found.arms[0].notes[0]
    assert not any("sampled until a verdict" in warning for warning in found.warnings)


def test_another_comparison_tests_for_itself_and_warns(store: Store) -> None:
    """Its means lean towards the verdict that stopped it."""
    decide(store)
    found = compared(store, "other")
    assert found.arms[0].metrics[0].level is None
    assert any("the candidate run was sampled until a verdict against base stood" in each for each in found.warnings)


def test_a_baseline_that_was_stopped_is_warned_about(store: Store) -> None:
    """Whatever is compared with it."""
    decide(store)
    found = compared(store, "run", "other")
    assert any("the baseline run was sampled until a verdict" in warning for warning in found.warnings)


def test_a_run_without_a_look_has_no_verdict(store: Store) -> None:
    """It was cut short: a test of its few samples would be one look more than the design has."""
    decide(store, replace(DECISION, outcome="undecided", looks=0, arms=()))
    metric = compared(store, "base").arms[0].metrics[0]
    assert (metric.verdict, metric.p, metric.p_adjusted) == ("inconclusive", 1.0, 1.0)


def test_a_metric_judged_by_another_definition_is_tested_anew(store: Store) -> None:
    """Its stored verdict is about other scores."""
    decide(store, replace(DECISION, arms=(replace(DECISION.arms[0], metrics=(replace(STAND, signature="v0"),)),)))
    assert compared(store, "base").arms[0].metrics[0].level is None


def test_the_run_has_planned_what_it_took(store: Store) -> None:
    """Else a run that stopped early would be incomplete."""
    decide(store)
    assert store.get_run("run").planned == 6


def test_the_digest_is_of_the_scores(store: Store) -> None:
    """Equal for equal scores under another name, another where one differs."""
    scores: Mapping[str, str] = {
        name: scores_digest(stored_side(store, store.get_run(name)).scores) for name in ("base", "other")
    }
    again = scores_digest(replace(stored_side(store, store.get_run("base")).scores, label="git:main"))
    assert scores["base"] == again != scores["other"]
