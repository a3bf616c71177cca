"""Tables that a page shows, as cells ready to print: slices, and what answers took."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retest.domain.comparison import SliceComparison, Usage
from retest.domain.pages import PairPage
from retest.domain.summary import SliceSummary
from retest.report.numbers import (
    MISSING,
    format_cost,
    format_interval,
    format_latency,
    format_relative,
    format_relative_interval,
    format_signed,
    format_value,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One slice on one metric: the figure, and its interval below."""

    main: str
    sub: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """One tag or cluster; a metric that has nothing on it is None."""

    kind: str
    name: str
    n_cases: int
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceTable:
    """Slices by metrics."""

    metrics: tuple[str, ...]
    rows: tuple[SliceRow, ...]


def slice_table(pair: PairPage) -> SliceTable | None:
    """Return the slices of a pair; None where there are none, or one that says what the whole says."""
    parts: Sequence[SliceComparison | SliceSummary] = ()
    if pair.comparison is not None:
        parts = pair.comparison.slices
    elif pair.summary is not None:
        parts = pair.summary.slices
    names = tuple(dict.fromkeys((part.kind, part.name) for part in parts))
    if len(names) <= 1:
        return None
    metrics = tuple(dict.fromkeys(part.metric for part in parts))
    ranges = {panel.name: (panel.range_low, panel.range_high) for panel in pair.metrics}
    by_place = {(part.kind, part.name, part.metric): part for part in parts}
    return SliceTable(
        metrics=metrics,
        rows=tuple(
            SliceRow(
                kind=kind,
                name=name,
                n_cases=max(part.n_cases for part in parts if (part.kind, part.name) == (kind, name)),
                cells=tuple(
                    _cell(by_place.get((kind, name, metric)), ranges.get(metric, (0.0, 1.0))) for metric in metrics
                ),
            )
            for kind, name in names
        ),
    )


def _cell(part: SliceComparison | SliceSummary | None, scale: tuple[float | None, float | None]) -> Cell | None:
    if part is None:
        return None
    if isinstance(part, SliceSummary):
        return Cell(
            main=format_value(part.mean, low=scale[0], high=scale[1]),
            sub=format_interval(part.low, part.high, scale=scale),
        )
    return _change_cell(part)


def _change_cell(part: SliceComparison) -> Cell:
    if part.scale == "log":
        known = part.low is not None and part.high is not None
        return Cell(
            main=format_relative(part.delta),
            sub=format_relative_interval(part.low, part.high) if known else MISSING,
        )
    scale = (part.range_low, part.range_high)
    return Cell(
        main=format_signed(part.delta, low=scale[0], high=scale[1]),
        sub=format_interval(part.low, part.high, scale=scale),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What an answer took, before and after; `key` is a word of the pages."""

    key: str
    before: str
    after: str
    change: str
    suffix: str = ""


def usage_rows(before: Usage, after: Usage) -> list[UsageRow]:
    """Return latency, tokens and cost of both sides; a row that neither side knows is left out."""
    return list(_usage_rows(before, after))


def _usage_rows(before: Usage, after: Usage) -> Iterator[UsageRow]:
    for key, suffix, first, second, spell in (
        ("latency", " p50", before.latency_p50_ms, after.latency_p50_ms, format_latency),
        ("latency", " p95", before.latency_p95_ms, after.latency_p95_ms, format_latency),
        ("tokens_in", "", before.input_tokens, after.input_tokens, _tokens),
        ("tokens_out", "", before.output_tokens, after.output_tokens, _tokens),
        ("cost", "", before.cost_usd, after.cost_usd, _cost),
    ):
        if first or second:
            change = MISSING if not first or second is None else format_relative(second / first - 1)
            yield UsageRow(key=key, suffix=suffix, before=spell(first), after=spell(second), change=change)
    if before.errors or after.errors:
        yield UsageRow(key="errors", before=f"{before.errors:,}", after=f"{after.errors:,}", change="")


def _tokens(count: float | None) -> str:
    return format_value(count, low=None)


def _cost(usd: float | None) -> str:
    return MISSING if usd is None else format_cost(usd)
