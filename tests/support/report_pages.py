"""Pages of runs and comparisons to render, with as few words as a test allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from retest.domain.case import Case
from retest.domain.comparison import ArmComparison, ComparedRun, MetricComparison, PromptChange, RunComparison
from retest.domain.pages import (
    CaseDetail,
    CaseEntry,
    CaseSide,
    Histogram,
    MetricPanel,
    PairPage,
    ReportPage,
    ShownSample,
)
from retest.domain.sample import CallOutcome, Response, Score, ScoreOutcome
from retest.report.html.document import Making, Section, report_document

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def sample(index: int, output: CallOutcome | str, **scores: ScoreOutcome | float) -> ShownSample:
    """Return a sample with scores given as numbers or in full."""
    return ShownSample(
        sample_index=index,
        outcome=Response(output=output, latency_ms=812.0) if isinstance(output, str) else output,
        scores={name: score if not isinstance(score, float) else Score(value=score) for name, score in scores.items()},
        created_at=NOW,
    )


def detail(
    number: int, after: Sequence[ShownSample], before: Sequence[ShownSample] | None = None, **changes: Any
) -> CaseDetail:
    """Return the page of a case."""
    entry: dict[str, Any] = {"case_id": f"c{number}", "state": "same", "after": {"exact_match": 1.0}, "tags": ("ja",)}
    case = Case(case_id=f"c{number}", vars={"message": "返品したい"}, content_hash="h", expected="返品")
    return CaseDetail(
        entry=CaseEntry(number=number, **(entry | changes)),
        after=CaseSide(
            label="r2", arm="ask/model", samples=tuple(after), messages=({"role": "user", "content": "訊く"},)
        ),
        before=None if before is None else CaseSide(label="r1", arm="ask/model", samples=tuple(before)),
        case=case,
    )


def metric_comparison(**changes: Any) -> MetricComparison:
    """Return a metric that regressed by a third."""
    values: dict[str, Any] = {
        "metric": "exact_match",
        "verdict": "regressed",
        "direction": "higher",
        "scale": "linear",
        "baseline_mean": 1.0,
        "candidate_mean": 0.667,
        "delta": -0.333,
        "low": -0.5,
        "high": -0.1,
        "p": 0.001,
        "p_adjusted": 0.002,
        "p_worse": 0.001,
        "p_better": 0.999,
        "p_cases": 0.5,
        "mde": 0.2,
        "margin": None,
        "n_cases": 30,
    }
    return MetricComparison(**(values | changes))


def comparison(**changes: Any) -> RunComparison:
    """Return two runs compared on one metric, the prompt changed."""
    side: Mapping[str, Any] = {"suite": "teams", "started_at": NOW, "status": "complete"}
    arm = ArmComparison(baseline="ask/model", candidate="ask/model", metrics=(metric_comparison(),), n_cases=30)
    values: dict[str, Any] = {
        "baseline": ComparedRun(label="r1", **side),
        "candidate": ComparedRun(label="r2", **side),
        "arms": (arm,),
        "prompts": (
            PromptChange(name="ask", before="Which team?\n", after="どのチーム？\n", after_path="prompts/ask.md"),
        ),
    }
    return RunComparison(**(values | changes))


def page(details: Sequence[CaseDetail], *, compared: bool = False, **changes: Any) -> ReportPage:
    """Return the page of one pair of arms with these cases."""
    found = comparison() if compared else None
    panel = MetricPanel(
        name="exact_match",
        comparison=None if found is None else found.arms[0].metrics[0],
        histogram=Histogram(low=0.0, high=1.0, after=(1, 0, 2), before=(0, 0, 3) if compared else ()),
    )
    pair = PairPage(
        name="ask/model",
        reference="ask/model" if compared else None,
        metrics=(panel,),
        comparison=None if found is None else found.arms[0],
        n_cases=len(details),
    )
    values: dict[str, Any] = {"suite": "teams", "label": "r2", "comparison": found, "pairs": (pair,)}
    return ReportPage(generated_at=NOW, details=lambda: iter(details), **(values | changes))


def rendered(*pages: ReportPage, language: Any = "en") -> str:
    """Return the report file of these pages."""
    making = Making(made_at=NOW, version="0", language=language)
    return report_document([Section(page=one) for one in pages], making)
