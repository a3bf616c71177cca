"""Every report at every width: no line is wider than the console, and no number or name is broken where it fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from retest.domain.calibration import Calibration, Figure
from retest.domain.case import Case
from retest.domain.comparison import ArmComparison, MetricComparison, RunComparison
from retest.domain.design import CheapestDesign, MetricDesign, Price, SeenDrop, SuiteDesign
from retest.domain.pairwise import PairwiseRank, PairwiseRanking
from retest.domain.ranking import RankedVersion, Ranking
from retest.domain.sample import Response, Score
from retest.domain.self_test import AlarmRate, MetricDrift, MetricNeed, SelfTest
from retest.domain.summary import ArmSummary, CaseSummary, MetricSummary, RunSummary, WorstCase
from retest.report.terminal import histogram_bars, run_result
from retest.report.terminal_aa import self_test_report
from retest.report.terminal_cases import SampleView, case_detail, case_table, run_table
from retest.report.terminal_diff import run_comparison
from retest.report.terminal_gate import gate_report
from retest.report.terminal_judge import calibration_report
from retest.report.terminal_pairwise import pairwise_ranking
from retest.report.terminal_plan import plan_report
from retest.report.terminal_ranking import ranking_table
from retest.report.terminal_table import FittedTable
from support import gate_reports as made

NAMES = {
    "english": ("answer_matches_the_reference_after_normalisation", "support-intent-with-examples/gpt-large-2026-01"),
    "japanese": ("正規化したあとの参照回答との完全一致", "問い合わせ分類の例つきプロンプト/日本語の大型モデル"),
    "short": ("exact_match", "ask/small"),
}
WIDTHS = (120, 80, 60, 40)
_NUMBER = re.compile(r"[\d.,+-]*\d")
LARGE, SMALL = 1.234e8, 5.678e-5


def metric_comparison(name: str) -> MetricComparison:
    """Return a metric without bounds whose numbers have exponents."""
    found = made.metric(name, "regressed", delta=-0.12)
    return replace(
        found,
        baseline_mean=LARGE,
        candidate_mean=-LARGE,
        delta=-SMALL,
        low=-LARGE,
        high=SMALL,
        range_low=None,
        range_high=None,
    )


def comparison(metric: str, arm: str) -> RunComparison:
    """Return two runs of two arms with that metric and a plain one."""
    metrics = (metric_comparison(metric), made.metric("bleu", "inconclusive"))
    arms = [made.arm(*metrics, changed=[made.changed_case()], name=name) for name in (arm, f"{arm}-b")]
    return made.comparison(*arms)


def summary(metric: str, arm: str) -> RunSummary:
    """Return two arms with a histogram each, one of which has no price."""
    first = MetricSummary(
        name=metric,
        metric="exact_match",
        mean=0.412,
        low=0.312,
        high=0.512,
        within_sd=0.123,
        pass_rate=0.4,
        histogram=(9, 1, 2, 3, 4, 5, 6, 7, 8, 9),
        failures=12,
        not_applicable=3,
    )
    second = replace(
        first, name="length", mean=LARGE, low=-LARGE, high=LARGE, range_low=None, range_high=None, within_sd=SMALL
    )
    arms = [
        ArmSummary(
            name=name,
            metrics=(first, second),
            cases=60,
            samples=180,
            latency_p50_ms=1234.0,
            latency_p95_ms=12345.0,
            input_tokens=12_345_678,
            output_tokens=1_234_567,
            cost_usd=cost,
        )
        for name, cost in ((arm, 0.00123), (f"{arm}-b", None))
    ]
    worst = WorstCase(arm=arm, case_id="問い合わせ-1", metric=metric, value=0.25, expected="返金", output="配送" * 50)
    return RunSummary(arms=tuple(arms), worst=(worst,), comparisons=comparison(metric, arm).arms)


def plan(metric: str, arm: str) -> SuiteDesign:
    """Return a plan whose price is not known."""
    grid = tuple(
        SeenDrop(cases=cases, samples=k, spread=0.123, concentrated=0.234) for cases in (50, 12_000) for k in (1, 3, 10)
    )
    cheapest = tuple(
        CheapestDesign(drop=0.05, shape=shape, cases=1_234, samples=5, calls=12_340)
        for shape in ("spread", "concentrated")
    )
    design = MetricDesign(
        arm=arm, metric=metric, low=0, high=1, width=1, seen=grid[0], grid=grid, cheapest=cheapest, source="bound"
    )
    price = Price(calls=12_345, tokens=123_456_789, cost_usd=None)
    return SuiteDesign(
        suite="support/ja",
        path="evals/support.yaml",
        cases=50,
        existing_cases=40,
        compared=40,
        units=40,
        samples=3,
        arms=(arm, f"{arm}-b"),
        planned=300,
        in_ledger=0,
        now=price,
        anew=price,
        reference="20260501-b2",
        baseline_samples=None,
        alpha=0.05,
        power=0.8,
        metrics=(design, replace(design, arm=f"{arm}-b")),
    )


def self_test(metric: str, arm: str) -> SelfTest:
    """Return a suite of two arms compared with itself five times."""
    rate = AlarmRate(alarms=12, unproven=3, trials=200, samples=(5, 5), low=0.0312, high=0.1234)
    drift = MetricDrift(arm=arm, metric=metric, means=(0.412, 0.423, 0.434, 0.445, 0.456), tau=0.0123, p=0.012)
    need = MetricNeed(
        arm=arm, metric=metric, repeat_sd=0.123, seen=0.0789, drop=0.05, is_margin=True, samples=12, cases=1_234
    )
    return SelfTest(
        suite="support/ja",
        path="evals/support.yaml",
        runs=tuple("abcde"),
        samples=5,
        cases=60,
        alpha=0.05,
        pairs=rate,
        splits=rate,
        drifts=(drift, replace(drift, arm=f"{arm}-b")),
        needs=(need,),
        flaky=((arm, ("問い合わせ-1", "case-7")),),
    )


def ranking(metric: str, arm: str) -> Ranking:
    """Return two versions that share a rank."""
    first = RankedVersion(rank=1, label=f"main:{arm}", mean=0.412, low=0.312, high=0.512)
    second = replace(first, label="feature/新しい", delta=-0.123, verdict="not_comparable")
    return Ranking(metric=metric, arm=arm, baseline="main", direction="lower", versions=(first, second))


def pairwise(metric: str, arm: str) -> PairwiseRanking:
    """Return two arms that a pairwise judge put in order."""
    ranks = [
        PairwiseRank(
            version=name,
            rank=1,
            strength=0.5,
            strength_low=-0.5,
            strength_high=1.5,
            open_ended=False,
            win_rate=0.512,
            low=0.412,
            high=0.612,
            wins=1_234,
            ties=12,
            losses=1_111,
            best_rank=1,
            worst_rank=2,
        )
        for name in (arm, f"{arm}-b")
    ]
    return PairwiseRanking(
        metric=metric, group=arm, versions=tuple(ranks), n_cases=1_234, n_pairs=12_345, connected=True
    )


def calibration(metric: str, arm: str) -> Calibration:
    """Return a judge of three labels held against people."""
    figure = Figure(value=0.612, low=0.512, high=0.712)
    return Calibration(
        definition=metric,
        version="3",
        definition_hash="d" * 64,
        judge=arm,
        against="people",
        data="labels.jsonl",
        data_hash="e" * 64,
        items=123,
        unlabelled=1,
        failed=2,
        coefficient="kappa",
        figures={"exact": figure, "kappa": figure, "exact_order_swapped": figure},
        bias={"first_share": figure},
        labels=("正しい", "partially_correct_answer", "wrong"),
        confusion=((10, 2, 1234), (1, 20, 3), (0, 1, 30)),
        position_p=0.0123,
    )


def reports(metric: str, arm: str) -> Mapping[str, RenderableType]:
    """Return every report with those names in it."""
    found = comparison(metric, arm)
    gate = replace(made.regressed(), comparison=found)
    case = CaseSummary(case_id="問い合わせ-1", values={metric: 0.412, "length": LARGE}, spread={metric: 0.2})
    return {
        "run": run_result(made.run(arm_name=arm), summary(metric, arm), verbose=True),
        "show": case_table([(arm, case)], [metric, "length"], show_arm=True),
        "runs": run_table([made.run(suite="support/日本語/返品と交換", arm_name=arm)], metric),
        "diff": run_comparison(found, verbose=True),
        "gate": gate_report(gate, verbose=True),
        "plan": plan_report(plan(metric, arm)),
        "aa": self_test_report(self_test(metric, arm)),
        "ranking": ranking_table(ranking(metric, arm)),
        "pairwise": pairwise_ranking(pairwise(metric, arm)),
        "calibrate": calibration_report(calibration(metric, arm)),
    }


def printed(report: RenderableType, width: int, **options: object) -> str:
    """Return what a console of that width shows."""
    out = StringIO()
    Console(file=out, width=width, highlight=False, **options).print(report)  # type: ignore[arg-type] # options of rich
    return out.getvalue()


def numbers(text: str) -> list[str]:
    """Return every number of a text, in order of spelling; those within names too."""
    return sorted(_NUMBER.findall(text))


KINDS = tuple(reports(*NAMES["short"]))


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_line_is_wider_than_the_console(kind: str, names: str) -> None:
    """A wide character counts as two."""
    for width in WIDTHS:
        for line in printed(reports(*NAMES[names])[kind], width).splitlines():
            assert cell_len(line) <= width, line


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_broken(kind: str, names: str) -> None:
    """A narrow console shows the numbers that an endless line shows, whole."""
    report = reports(*NAMES[names])[kind]
    whole = {number for number in numbers(printed(report, 1_000)) if not number.isdigit()}
    for width in (80, 60):
        assert whole <= set(numbers(printed(report, width))), width


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_name_is_broken_where_a_line_holds_it(kind: str, names: str) -> None:
    """A name is what people search a page for."""
    metric, arm = NAMES[names]
    report = reports(metric, arm)[kind]
    whole = printed(report, 1_000)
    for name in (metric, arm):
        if name in whole and cell_len(name) < 58:
            assert name in printed(report, 60), name


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("width", [80, 60])
def test_samples_stand_side_by_side_only_where_their_scores_fit(width: int, names: str) -> None:
    """A metric's name and value are on one line, however many samples there are."""
    metric, _ = NAMES[names]
    outcome = Response(output="配送は三日後です。" * 20, model="m", latency_ms=12_345.0)
    samples = [SampleView("ask/small", k, outcome, {metric: Score(value=0.412)}) for k in range(4)]
    case = Case(case_id="問い合わせ-1", vars={"q": "x"}, content_hash="0")
    shown = printed(case_detail(case, samples, None, width), width)
    assert shown.count(f"{metric} 0.412") == 4
    assert all(cell_len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize("width", [80, 60])
def test_the_histogram_is_whole(width: int) -> None:
    """Ten bins at any width."""
    bars = histogram_bars(summary(*NAMES["short"]).arms[0].metrics[0].histogram)
    assert len(bars) == 10
    assert printed(run_result(made.run(), summary(*NAMES["english"])), width).count(bars) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_colours_change_no_text(kind: str) -> None:
    """A dumb terminal and NO_COLOR show what a colourful one does."""
    report = reports(*NAMES["japanese"])[kind]
    colourful = printed(report, 60, force_terminal=True, color_system="truecolor")
    plain = printed(report, 60, force_terminal=True, no_color=True, color_system=None)
    assert Text.from_ansi(colourful).plain.split() == Text.from_ansi(plain).plain.split()
    assert "\x1b" not in printed(report, 60, color_system=None)


def test_an_excerpt_is_cut_and_nothing_else() -> None:
    """Only what is marked as an excerpt may lose its end."""
    table = FittedTable()
    table.add("name", "case")
    table.add("number", "mean")
    table.add("excerpt", "answer")
    table.add_row("a" * 20, "0.123", "b" * 200)
    for width in (60, 30):
        shown = printed(table, width)
        assert "a" * 20 in shown
        assert "0.123" in shown
        assert "b…" in shown


def test_an_arm_comparison_without_numbers_is_shown() -> None:
    """A metric that cannot be compared has dashes in its row."""
    empty: ArmComparison = made.arm(made.metric("m", "not_comparable", delta=None))
    assert "not comparable" in printed(run_comparison(made.comparison(empty)), 60)
