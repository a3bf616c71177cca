"""What judges did and how far they can be relied on, in a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from retest.domain.run import JudgeCounts
from retest.domain.summary import ArmSummary, JudgeSpread
from retest.report.escape import one_line
from retest.report.numbers import format_cost, format_count, format_share, format_value, plural


def judge_line(name: str, counts: JudgeCounts) -> str:
    """Return one judge's account: calls, ledger hits, failures, tokens, cost."""
    parts = [f"{plural(counts.calls, 'call')} made, {format_count(counts.ledger_hits)} from the ledger"]
    if counts.failures:
        parts.append(f"{plural(counts.failures, 'judgment')} without a verdict")
    if counts.calls and (counts.input_tokens or counts.output_tokens):
        parts.append(f"tokens {format_count(counts.input_tokens)} in, {format_count(counts.output_tokens)} out")
    if counts.calls and counts.cost_usd != 0:
        parts.append(f"cost {format_cost(counts.cost_usd)}")
    return f"judge {one_line(name)}: {', '.join(parts)}"


def spread_lines(arms: Sequence[ArmSummary]) -> Iterator[Text]:
    """Yield a line per arm and metric that was judged more than once."""
    for arm in arms:
        for metric in arm.metrics:
            if metric.judges is not None:
                where = f"{one_line(arm.name)} " if len(arms) > 1 else ""
                yield Text(f"{where}{one_line(metric.name)}: {_spread(metric.judges)}", "dim")


def _spread(judges: JudgeSpread) -> str:
    parts = [f"{judges.votes} votes an answer, {format_share(judges.agreement)} of pairs agree"]
    known = {"judge": judges.judge_sd, "samples": judges.sample_sd, "cases": judges.case_sd}
    shown = ", ".join(f"{name} {format_value(sd, low=None)}" for name, sd in known.items() if sd is not None)
    if shown:
        parts.append(f"standard deviation: {shown}")
    if judges.levels:
        levels = ", ".join(f"{one_line(name)} {level:+.2g}" for name, level in judges.levels.items())
        parts.append(f"level: {levels}")
    return "; ".join(parts)
