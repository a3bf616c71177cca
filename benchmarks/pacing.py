"""What pacing makes of endpoints that refuse calls: simulated, so that hours pass in a minute; seeded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.table import Row
from support import pacing_scenarios as scenarios
from support.pacing_scenarios import Scenario, Summary, summarise

_SEEDS = 10


def measure(folder: Path, fewer: int) -> Iterator[Row]:  # noqa: ARG001 - as the other groups
    """Yield the rows; `fewer` divides the seeds."""
    seeds = range(max(1, _SEEDS // fewer))
    for burst_s in (1.0, 10.0, 60.0):
        what = f"token bucket of 2 to 500 calls/s, bursts of {burst_s:g} s, answers after 0.05 to 5 s"
        yield _row(what, scenarios.limits(announced=False, burst_s=burst_s), seeds, _rated)
    for burst_s in (1.0, 60.0):
        what = f"the same with `x-ratelimit-*` headers, bursts of {burst_s:g} s"
        yield _row(what, scenarios.limits(announced=True, burst_s=burst_s), seeds, _rated)
    yield _row("a limit of 10 to 200 calls/s that halves or doubles midway", scenarios.changes(), seeds, _rated)
    yield _row("two processes share 10 to 200 calls/s", scenarios.shared(announced=False), seeds, _split)
    yield _row("the same with headers", scenarios.shared(announced=True), seeds, _split)
    for share in (0.01, 0.1, 0.3):
        what = f"{share:.0%} refused at random, answers after 0.05 to 5 s, 64 to 256 workers"
        yield _row(what, scenarios.at_random(share), seeds, _free)
    yield _row("a limit, and 2% to 10% refused at random besides", scenarios.mixed(), seeds, _rated)


def _row(what: str, tried: Iterable[Scenario], seeds: range, describe: Callable[[Summary], tuple[str, str]]) -> Row:
    found = summarise(scenario.run(seed) for scenario in tried for seed in seeds)
    measured, goal = describe(found)
    return Row(what=what, measured=measured, against=f"{found.runs:,} runs: median (worst)", goal=goal)


def _rated(found: Summary) -> tuple[str, str]:
    measured = f"used {_percent(found.used)}, refused {_percent(found.refused)}"
    return measured, "used at least 90%, refused under 2%"


def _split(found: Summary) -> tuple[str, str]:
    measured, goal = _rated(found)
    return f"{measured}; the smaller part {_percent((found.fairness[0] / 2, found.fairness[1] / 2))}", goal


def _free(found: Summary) -> tuple[str, str]:
    return f"{found.slower[0]:.2f} (worst {found.slower[1]:.2f}) times as long as ideal", "at most 1.3"


def _percent(values: tuple[float, float]) -> str:
    return f"{values[0]:.1%} ({values[1]:.1%})"
