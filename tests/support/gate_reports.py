"""Gate reports as a gate makes them, built from real domain objects: one builder per situation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from retest.domain.comparison import (
    Answer,
    ArmComparison,
    CaseChange,
    ChangedCase,
    ComparedRun,
    Difference,
    MetricComparison,
    RunComparison,
    SliceComparison,
    UnpairedCase,
    Usage,
    Verdict,
)
from retest.domain.gate import GateReason, GateReport, Waiver
from retest.domain.run import Provenance, Run, RunArm, RunCounts, RunMetric
from retest.domain.summary import ArmSummary, LimitResult, MetricSummary, RunSummary

STARTED = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
FINISHED = datetime(2026, 5, 1, 9, 31, 30, tzinfo=UTC)
ARM = "intent/local"

HOSTILE = (
    "@octocat see #12, GH-7, https://evil.test, www.evil.test, [x](y) ![i](j) | a | b |\n# head\n"
    "<script>alert(1)</script><!-- retest:gate --> `tick` ```` fence ````\n````\n**bold** \x1b[31m\x00\u202e\u2028 "
    "\ud800 &amp; $x$ ::error file=a::b\r\n::set-output name=a::b ]]> 100% -->"
)


def metric(
    name: str = "exact_match", verdict: Verdict = "not_worse", *, delta: float | None = 0.01
) -> MetricComparison:
    """Return one compared metric on a scale from 0 to 1, with an interval of ±.06 around its change."""
    return MetricComparison(
        metric=name,
        verdict=verdict,
        direction="higher",
        scale="linear",
        baseline_mean=None if delta is None else 0.8,
        candidate_mean=None if delta is None else 0.8 + delta,
        delta=delta,
        low=None if delta is None else delta - 0.06,
        high=None if delta is None else delta + 0.06,
        p=0.0004 if verdict == "regressed" else 0.4,
        p_adjusted=0.0008 if verdict == "regressed" else 0.6,
        p_worse=0.0004,
        p_better=0.9,
        p_cases=0.5,
        mde=0.05,
        margin=0.02,
        n_cases=60,
    )


def changed_case(case_id: str = "case-7", *, before: str = "billing", after: str = "Billing.") -> ChangedCase:
    """Return a case that passed in 3 of 3 samples and passes in none."""
    change = CaseChange(
        metric="exact_match",
        label="newly_failing",
        baseline_mean=1.0,
        candidate_mean=0.0,
        certainty=0.998,
        samples_before=3,
        samples_after=3,
        passed_before=3,
        passed_after=0,
    )
    return ChangedCase(
        case_id=case_id,
        changes=(change,),
        before=Answer(sample_index=0, output=before),
        after=Answer(sample_index=0, output=after),
    )


def arm(*metrics: MetricComparison, changed: Sequence[ChangedCase] = (), name: str = ARM) -> ArmComparison:
    """Return one compared arm with usage on both sides, a flaky case and one that was left out."""
    return ArmComparison(
        baseline=name,
        candidate=name,
        metrics=metrics,
        differences=(Difference(what="params.temperature", before="0.0", after="0.7"),),
        slices=(
            SliceComparison(
                kind="tag",
                name="ja",
                metric="exact_match",
                n_cases=30,
                baseline_mean=0.8,
                candidate_mean=0.7,
                delta=-0.1,
                low=-0.2,
                high=0.0,
            ),
        ),
        changed=tuple(changed),
        n_worse=len(changed),
        flaky=("case-3",),
        baseline_usage=Usage(answers=180, latency_p50_ms=220.0, input_tokens=212.0, output_tokens=3.0, cost_usd=0.0012),
        candidate_usage=Usage(
            answers=179, errors=1, latency_p50_ms=440.0, input_tokens=516.0, output_tokens=3.5, cost_usd=0.0024
        ),
        n_cases=60,
        unpaired=(UnpairedCase(case_id="case-99", reason="only the candidate has it"),),
    )


def comparison(*arms: ArmComparison) -> RunComparison:
    """Return two compared runs, the baseline's answers twelve days old."""
    baseline = ComparedRun(label="20260419-a1", suite="support/ja", started_at=STARTED, status="complete")
    return RunComparison(
        baseline=baseline,
        candidate=replace(baseline, label="20260501-b2", revision="c0ffee00" * 5),
        arms=arms,
        age_days=12.4,
    )


def run(*, suite: str = "support/ja", arm_name: str = ARM, prompt_path: str | None = "prompts/intent.md") -> Run:
    """Return the header of a complete run with one arm."""
    return Run(
        run_id="20260501-b2",
        suite=suite,
        suite_path="evals/ja/support.yaml",
        suite_source="",
        fingerprint="f" * 32,
        config_hash="c" * 32,
        status="complete",
        draw=0,
        samples_per_case=3,
        planned=180,
        started_at=STARTED,
        finished_at=FINISHED,
        arms=(
            RunArm(
                name=arm_name,
                prompt_name="intent",
                prompt_path=prompt_path,
                prompt_hash="p" * 32,
                prompt_source="Classify.",
                target_name="local",
                provider="replay",
                model=None,
                identity={},
            ),
        ),
        metrics=(RunMetric(name="exact_match", metric="exact_match", signature="exact_match"),),
        provenance=Provenance(git_commit="c0ffee00" * 5, user="someone", host="build-7", retest_version="0.1.0"),
        counts=RunCounts(cases=60, samples=180, calls=60, ledger_hits=120),
    )


def summary(*limits: LimitResult) -> RunSummary:
    """Return what the run adds up to, with the limits given."""
    metric_summary = MetricSummary(name="exact_match", metric="exact_match", mean=0.81, n_cases=60, n_samples=180)
    return RunSummary(arms=(ArmSummary(name=ARM, metrics=(metric_summary,), cases=60, samples=180),), limits=limits)


def limit(judgement: str = "pass") -> LimitResult:
    """Return the limit ``min: 0.75`` as judged."""
    return LimitResult(
        arm=ARM, metric="exact_match", limit="min", value=0.75, mean=0.81, low=0.7, high=0.9, judgement=judgement
    )


def passed() -> GateReport:
    """Return a suite that passed against its baseline."""
    return GateReport(
        suite="support/ja",
        suite_path="evals/ja/support.yaml",
        outcome="passed",
        exit_code=0,
        reasons=(),
        run=run(),
        summary=summary(limit()),
        comparison=comparison(arm(metric(), metric("valid_label", "improved", delta=0.1))),
        baseline_label="git:origin/main",
        reproduce="retest gate evals/ja/support.yaml --baseline git:origin/main",
    )


def regressed(changed: Sequence[ChangedCase] | None = None) -> GateReport:
    """Return a suite whose exact_match fell by 12 points, with the cases that fell."""
    cases = (changed_case(),) if changed is None else changed
    reason = GateReason(
        kind="regressed",
        message="regressed: 0.8 before, 0.68 now (-0.12), p <.001",
        blocking=True,
        arm=ARM,
        metric="exact_match",
    )
    metrics = (metric("exact_match", "regressed", delta=-0.12), metric("valid_label"))
    return replace(
        passed(), outcome="failed", exit_code=1, reasons=(reason,), comparison=comparison(arm(*metrics, changed=cases))
    )


def case_rule() -> GateReport:
    """Return a suite that failed because of one case that must never fail."""
    reason = GateReason(
        kind="case_rule",
        message="must never fail, and fails in 3 of 3 samples",
        blocking=True,
        arm=ARM,
        metric="exact_match",
        case_id="case-7",
    )
    found = comparison(arm(metric(), changed=(changed_case(),)))
    return replace(passed(), outcome="failed", exit_code=1, reasons=(reason,), comparison=found)


def waived() -> GateReport:
    """Return a suite whose regression is lifted by a waiver."""
    found = regressed()
    waiver = Waiver(
        suite="support/ja", metric="exact_match", reason="labels move", expires=date(2026, 6, 1), author="aiko"
    )
    reasons = tuple(
        replace(reason, blocking=False, waived_by="labels move (until 2026-06-01)") for reason in found.reasons
    )
    return replace(found, outcome="passed", exit_code=0, reasons=reasons, waivers=(waiver,))


def inconclusive() -> GateReport:
    """Return a suite that could not prove itself not worse, where proof is asked for."""
    reason = GateReason(
        kind="unproven",
        message="inconclusive: 0.8 before, 0.77 now (-0.03)",
        blocking=True,
        arm=ARM,
        metric="exact_match",
    )
    found = comparison(arm(metric("exact_match", "inconclusive", delta=-0.03)))
    return replace(passed(), outcome="inconclusive", exit_code=6, reasons=(reason,), comparison=found)


def incomplete() -> GateReport:
    """Return a suite whose run ended early for too many errors."""
    reason = GateReason(kind="errors", message="40 of 180 samples have no answer", blocking=True)
    return replace(passed(), outcome="incomplete", exit_code=4, reasons=(reason,), comparison=None)


def nothing_to_judge() -> GateReport:
    """Return a suite without a baseline and without a run."""
    return GateReport(
        suite="support/ja",
        suite_path="evals/ja/support.yaml",
        outcome="nothing_to_judge",
        exit_code=5,
        reasons=(GateReason(kind="baseline", message="there is no baseline to compare with", blocking=True),),
    )


def not_comparable() -> GateReport:
    """Return a suite one of whose metrics could not be compared."""
    missing = replace(metric("tone", "not_comparable", delta=None), note="its definition changed")
    reason = GateReason(
        kind="not_comparable",
        message="not compared: its definition changed",
        blocking=True,
        arm=ARM,
        metric="tone",
    )
    found = comparison(arm(metric(), missing))
    return replace(passed(), outcome="nothing_to_judge", exit_code=5, reasons=(reason,), comparison=found)


def japanese(cases: int = 3, chars: int = 400) -> GateReport:
    """Return a suite that regressed, all of whose text is Japanese and long."""
    changed = [
        changed_case(
            f"問い合わせ-{n}", before="請求に関するご質問です。" * (chars // 12), after=f"返品{n}。" * (chars // 4)
        )
        for n in range(cases)
    ]
    return replace(regressed(changed), suite="サポート/日本語")


def hostile() -> GateReport:
    """Return a suite that failed, every text of which tries to break out of its place."""
    found = regressed([changed_case(HOSTILE, before=HOSTILE, after=f"{HOSTILE}x")])
    reason = GateReason(kind="case_rule", message=HOSTILE, blocking=True, arm=HOSTILE, metric=HOSTILE, case_id=HOSTILE)
    lifted = replace(reason, blocking=False, waived_by=HOSTILE)
    broken = replace(
        arm(
            metric(HOSTILE, "regressed", delta=-0.12),
            replace(metric("m", "not_comparable", delta=None), note=HOSTILE),
            changed=[changed_case(HOSTILE, before=HOSTILE, after=f"{HOSTILE}x")],
            name=HOSTILE,
        ),
        differences=(Difference(what=HOSTILE, before=HOSTILE, after=HOSTILE),),
        flaky=(HOSTILE,),
        unpaired=(UnpairedCase(case_id=HOSTILE, reason=HOSTILE),),
        notes=(HOSTILE,),
    )
    return replace(
        found,
        suite=HOSTILE,
        reasons=(reason, lifted),
        run=run(suite=HOSTILE, arm_name=HOSTILE, prompt_path="prompts/a,b:c%20 日本.md"),
        comparison=replace(comparison(broken), warnings=(HOSTILE,), unpaired_arms=(HOSTILE,)),
        baseline_label=HOSTILE,
        waivers=(Waiver(suite=HOSTILE, metric=HOSTILE, reason=HOSTILE, expires=date(2026, 6, 1), author=HOSTILE),),
        reproduce=HOSTILE,
    )


def every_situation() -> list[GateReport]:
    """Return one report of each kind."""
    return [
        passed(),
        regressed(),
        case_rule(),
        waived(),
        inconclusive(),
        incomplete(),
        nothing_to_judge(),
        not_comparable(),
        japanese(),
        hostile(),
    ]
