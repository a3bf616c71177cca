"""A suite before it is run, on the terminal: what it costs, what it would see, what would see more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.design import CheapestDesign, MetricDesign, Price, SeenDrop, SuiteDesign
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_cost, format_count, format_points, format_value, plural
from retest.report.terminal_table import FittedTable

_SOURCES = {"measured": "measured", "bound": "at most, by the mean", "assumed": "assumed"}


def plan_report(plan: SuiteDesign) -> RenderableType:
    """Return everything that `retest plan` shows of one suite."""
    table = _drops(plan)
    parts: list[RenderableType] = [*_head(plan), Text(), *([table] if table.row_count else []), *_unforeseen(plan)]
    hardest = _hardest(plan.metrics)
    if hardest is not None:
        parts += [Text(), *_grid(plan, hardest)]
    parts += [*_cheapest(plan), *_margins(plan)]
    parts += [Text(f"note: {one_line(note)}", "yellow") for note in plan.notes]
    return Group(*parts, Text())


def _head(plan: SuiteDesign) -> Iterator[Text]:
    arms = f" x {len(plan.arms)} arms" if len(plan.arms) > 1 else ""
    design = f"  {plural(plan.cases, 'case')} x {plural(plan.samples, 'sample')}{arms}"
    yield Text.assemble((one_line(plan.suite), "bold"), f"{design} = {plural(plan.planned, 'call')}")
    if plan.cases > plan.existing_cases:
        yield Text(f"the dataset has {plural(plan.existing_cases, 'case')}; the others are imagined", "yellow")
    yield Text(f"as it is now:         {_price(plan.now)}, {format_count(plan.in_ledger)} in the ledger")
    yield Text(f"with another prompt:  {_price(plan.anew)}")
    if plan.judging is not None:
        cost = "cost unknown" if plan.judging.cost_usd is None else format_cost(plan.judging.cost_usd)
        most = f"at most {plural(plan.judging.calls, 'call')}"
        yield Text(f"judges, on top:       {most}, about {format_count(plan.judging.tokens)} tokens, {cost}")
    yield Text(_against(plan), "dim")


def _price(price: Price) -> str:
    cost = "cost unknown" if price.cost_usd is None else format_cost(price.cost_usd)
    return f"{plural(price.calls, 'call')} to pay for, about {format_count(price.tokens)} tokens, {cost}"


def _against(plan: SuiteDesign) -> str:
    if plan.baseline_samples is None:
        source = "" if plan.reference is None else f"; spread of repeats from {one_line(plan.reference)}"
        return f"no baseline yet: making it costs as much again{source}"
    samples = f"{plan.baseline_samples:.3g} samples a case"
    return f"against the baseline {one_line(plan.reference or '')}, {samples}, {plan.compared:,} cases in common"


def _drops(plan: SuiteDesign) -> FittedTable:
    table = FittedTable(f"smallest drop found in {plan.power:.0%} of runs (alpha {plan.alpha:g})")
    table.add("name", "metric")
    table.add("number", "if all cases slip", "if few cases break")
    table.add("word", "spread of repeats")
    for metric in plan.metrics:
        if metric.seen is not None:
            table.add_row(
                Text(_name(plan, metric)),
                _drop(metric, metric.seen.spread),
                _drop(metric, metric.seen.concentrated),
                Text(_SOURCES[metric.source], "dim"),
            )
    return table


def _name(plan: SuiteDesign, metric: MetricDesign) -> str:
    return one_line(metric.metric if len(plan.arms) == 1 else f"{metric.arm} · {metric.metric}")


def _drop(metric: MetricDesign, drop: float | None) -> str:
    if drop is None:
        return "none"
    if metric.low == 0 and metric.high == 1:
        return f"{format_points(drop)} pt"
    return format_value(drop, low=metric.low, high=metric.high)


def _unforeseen(plan: SuiteDesign) -> Iterator[Text]:
    unforeseen = [metric for metric in plan.metrics if metric.width is None]
    names = list(dict.fromkeys(one_line(metric.metric) for metric in unforeseen if metric.aggregate == "mean"))
    aggregates = dict.fromkeys((one_line(one.metric), one.aggregate) for one in unforeseen if one.aggregate != "mean")
    for name, aggregate in aggregates:
        yield Text(
            f"{name}: which drop {aggregate} of the samples would see is not foretold; a comparison says it after",
            "dim",
        )
    if names:
        yield Text(
            f"{', '.join(names)}: no bounded scale, so no drop can be foretold; a comparison says it after", "dim"
        )


def _hardest(metrics: Sequence[MetricDesign]) -> MetricDesign | None:
    """Return the metric whose visible drop is the largest share of its scale: the one that the design must serve."""
    return max((one for one in metrics if one.seen is not None), key=_share, default=None)


def _share(metric: MetricDesign) -> float:
    drop = None if metric.seen is None else metric.seen.spread
    return float("inf") if drop is None else drop / (metric.width or 1.0)


def _grid(plan: SuiteDesign, metric: MetricDesign) -> Iterator[RenderableType]:
    yield Text(f"{_name(plan, metric)} with other designs (if all cases slip / if few break)")
    samples = sorted({seen.samples for seen in metric.grid})
    table = FittedTable()
    table.add("number", "cases", *(plural(k, "sample") for k in samples))
    for cases in sorted({seen.cases for seen in metric.grid}):
        cells = [next(seen for seen in metric.grid if (seen.cases, seen.samples) == (cases, k)) for k in samples]
        table.add_row(format_count(cases), *(_cell(metric, seen) for seen in cells))
    yield table


def _cell(metric: MetricDesign, seen: SeenDrop) -> str:
    both = (seen.spread, seen.concentrated)
    return " / ".join(MISSING if drop is None else _drop(metric, drop).removesuffix(" pt") for drop in both)


def _cheapest(plan: SuiteDesign) -> Iterator[RenderableType]:
    """Yield one row a metric with the design for either shape of the drop; nothing where none was asked for."""
    asked = [metric for metric in plan.metrics if metric.cheapest]
    if not asked:
        return
    share = asked[0].cheapest[0].drop / (asked[0].width or 1.0)
    each = ", calls of each arm" if len(plan.arms) > 1 else ""
    sides = "; they include a baseline's" if plan.baseline_samples is None else ""
    yield Text()
    yield Text(f"cheapest design that sees a drop by {format_points(share)} points of 100{each}{sides}")
    if plan.baseline_samples is not None and not all(one.enough_cases for metric in asked for one in metric.cheapest):
        yield Text("where it takes more cases, the baseline's answers to them come on top", "dim")
    table = FittedTable()
    table.add("name", "metric")
    table.add("word", "if all cases slip", "if few cases break")
    for metric in asked:
        table.add_row(Text(_name(plan, metric)), *(_design(plan, design) for design in metric.cheapest))
    yield table


def _design(plan: SuiteDesign, design: CheapestDesign) -> str:
    if design.cases is None or design.samples is None or design.calls is None:
        return "no design does"
    text = f"{design.cases:,} cases x {design.samples}, {plural(design.calls, 'call')}"
    return text if design.enough_cases else f"{text}: {plural(design.cases - plan.cases, 'more case')}"


def _margins(plan: SuiteDesign) -> Iterator[Text]:
    """Yield each margin that no run of this size proves; it is the same for all arms."""
    units = "cases" if plan.units == plan.compared else "clusters"
    needs = {metric.metric: metric.margin for metric in plan.metrics if metric.margin is not None}
    for name, margin in needs.items():
        if not margin.provable:
            has = f"it takes at least {margin.units_needed:,} {units}, and there are {plan.units:,.0f}"
            head = f"margin {margin.margin:g} of {one_line(name)}: no run of this size could prove it; "
            yield Text(f"{head}{has}", "bold yellow")
