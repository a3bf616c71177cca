"""A suite compared with itself, on the terminal: false alarms, drift, flaky cases, what it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.self_test import AlarmRate, MetricDrift, MetricNeed, SelfTest
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_p, format_points, format_share, format_value, plural
from retest.report.terminal_table import FittedTable

_SHOWN = 10
_SUSPICIOUS = 0.05


def self_test_report(found: SelfTest) -> RenderableType:
    """Return everything that `retest aa` shows."""
    size = f"{plural(len(found.runs), 'run')} of {plural(found.cases, 'case')} x {plural(found.samples, 'sample')}"
    parts: list[RenderableType] = [Text.assemble((one_line(found.suite), "bold"), f" against itself: {size}")]
    parts += [Text(line) for line in _alarm_lines(found)]
    arms = list(dict.fromkeys(drift.arm for drift in found.drifts))
    for arm in arms:
        parts += _arm_parts(found, arm, headed=len(arms) > 1)
    parts += [Text(line, "yellow") for line in (*_drift_lines(found.drifts), *_margin_lines(found))]
    parts += [Text(f"note: {one_line(note)}", "yellow") for note in found.notes]
    return Group(*parts, Text())


def _arm_parts(found: SelfTest, arm: str, *, headed: bool) -> Iterator[RenderableType]:
    drifts = [drift for drift in found.drifts if drift.arm == arm]
    needs = [need for need in found.needs if need.arm == arm]
    flaky = next((cases for name, cases in found.flaky if name == arm), ())
    yield Text()
    if headed:
        yield Text(one_line(arm), "bold")
    if any(drift.tau is not None for drift in drifts):
        yield _drift_table(drifts)
        yield Text()
    if needs:
        yield _need_table(needs, found)
    if flaky:
        yield Text(_flaky_line(flaky), "dim")


def _alarm_lines(found: SelfTest) -> Iterator[str]:
    if found.pairs is not None:
        yield f"gate, run against run:         {_rate(found.pairs)}"
    if found.splits is not None:
        yield f"gate, samples dealt at random: {_rate(found.splits)}"
        yield f"  {_expectation(found.splits, found.alpha)}"


def _rate(rate: AlarmRate) -> str:
    text = f"{plural(rate.alarms, 'false alarm')} in {rate.trials:,}"
    if rate.low is not None and rate.high is not None:
        text += f" = {format_share(rate.alarms / rate.trials)} [{format_share(rate.low)}, {format_share(rate.high)}]"
    if rate.unproven:
        text += f"; {rate.unproven:,} unproven"
    return text


def _expectation(rate: AlarmRate, alpha: float) -> str:
    sides = f"{rate.samples[0]} against {rate.samples[1]} samples a case"
    wanted = f"alpha {alpha:g} allows {format_share(alpha)}"
    if rate.low is not None and rate.low > alpha:
        return f"{sides}; {wanted}: this gate alarms too often"
    return f"{sides}; {wanted}"


def _drift_table(drifts: Sequence[MetricDrift]) -> FittedTable:
    table = _table("drift from run to run, beyond sampling")
    table.add("number", "means of the runs", "drift (sd)", "p")
    for drift in drifts:
        table.add_row(
            Text(one_line(drift.metric)),
            " ".join(format_value(mean, low=drift.range_low, high=drift.range_high) for mean in drift.means) or MISSING,
            _tau(drift),
            format_p(drift.p),
        )
    return table


def _table(title: str) -> FittedTable:
    table = FittedTable(title)
    table.add("name", "metric")
    return table


def _tau(drift: MetricDrift) -> str:
    if drift.tau is None:
        return MISSING
    if drift.tau == 0:
        return "none"
    return f"{drift.tau:.1%}" if drift.is_ratio else format_value(drift.tau, low=drift.range_low, high=drift.range_high)


def _drift_lines(drifts: Sequence[MetricDrift]) -> Iterator[str]:
    sure = [drift.metric for drift in drifts if drift.tau and drift.p is not None and drift.p <= _SUSPICIOUS]
    if sure:
        named = ", ".join(one_line(name) for name in dict.fromkeys(sure))
        yield f"the runs differ more than their samples explain: {named}"
    if any(drift.tau for drift in drifts):
        yield "diff and gate point out a regression that stays within this drift"


def _need_table(needs: Sequence[MetricNeed], found: SelfTest) -> FittedTable:
    table = _table(f"smallest drop seen in 80 of 100 runs, {plural(found.samples, 'sample')} a case")
    table.add("number", "sd of repeats", "seen", "wanted")
    table.add("word", "takes")
    for need in needs:
        table.add_row(
            Text(one_line(need.metric)),
            format_value(need.repeat_sd, low=need.range_low, high=need.range_high),
            _size(need, need.seen),
            f"{_size(need, need.drop)}{' margin' if need.is_margin else ''}",
            _takes(need, found),
        )
    return table


def _size(need: MetricNeed, drop: float | None) -> str:
    if drop is None:
        return "none"
    if (need.range_low, need.range_high) == (0.0, 1.0):
        return f"{format_points(drop)} pt"
    return format_value(drop, low=need.range_low, high=need.range_high)


def _takes(need: MetricNeed, found: SelfTest) -> str:
    if need.samples is not None and need.samples <= found.samples:
        return "what it has"
    ways = [] if need.samples is None else [plural(need.samples, "sample")]
    if need.cases is not None:
        ways.append(plural(need.cases, "case"))
    return " or ".join(ways) or "no design does"


def _margin_lines(found: SelfTest) -> Iterator[str]:
    short = {
        need.metric: need
        for need in found.needs
        if need.cases_to_prove is not None and need.cases_to_prove > found.cases
    }
    for name, need in short.items():
        takes = f"it takes at least {need.cases_to_prove:,} cases"
        yield f"margin of {one_line(name)}: no run of this size could prove it, {takes}"


def _flaky_line(cases: Sequence[str]) -> str:
    more = f", and {len(cases) - _SHOWN:,} more" if len(cases) > _SHOWN else ""
    return f"flaky, {plural(len(cases), 'case')}: {', '.join(one_line(case) for case in cases[:_SHOWN])}{more}"
