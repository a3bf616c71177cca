"""What pacing makes of endpoints that refuse calls: simulated, so that hours pass in a minute; and one by the clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.table import Row
from retest.domain.sample import CallError
from retest.runner.paced import paced
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import StopSignal
from retest.targets.base import Request, Target
from support import pacing_scenarios as scenarios
from support.openai_server import OpenAIServer, Received, Reply, ok, rate_limited
from support.pacing_scenarios import Scenario, Summary, summarise
from support.targets import make_request, open_with

_SEEDS = 10
_REAL_RATE, _REAL_CALLS = 50, 1_000


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
    what = "a limit of 50 or 100 calls/s, 0 to 10 calls/s for 12 to 60 s: 40 s after that"
    yield _row(what, scenarios.returns(), seeds, _returned)
    yield _row("two processes share 10 to 200 calls/s", scenarios.shared(announced=False), seeds, _split)
    yield _row("the same with headers", scenarios.shared(announced=True), seeds, _split)
    for share in (0.01, 0.1, 0.3):
        what = f"{share:.0%} refused at random, answers after 0.05 to 5 s, 64 to 256 workers"
        yield _row(what, scenarios.at_random(share), seeds, _free)
    yield _row(
        "a limit of 50 to 200 calls/s, and 2% to 10% refused at random besides", scenarios.mixed(), seeds, _rated
    )
    yield _real()


def _row(what: str, tried: Iterable[Scenario], seeds: range, describe: Callable[[Summary], tuple[str, str]]) -> Row:
    found = summarise(scenario.run(seed) for scenario in tried for seed in seeds)
    measured, goal = describe(found)
    return Row(what=what, measured=measured, against=f"{found.runs:,} runs: median (worst)", goal=goal)


def _rated(found: Summary) -> tuple[str, str]:
    measured = f"used {_percent(found.used)}, refused {_percent(found.refused)}"
    return measured, "used at least 90%, refused under 2%"


def _returned(found: Summary) -> tuple[str, str]:
    return f"used {_percent(found.used)}", "used at least half"


def _split(found: Summary) -> tuple[str, str]:
    measured, goal = _rated(found)
    return f"{measured}; the smaller part {_percent((found.fairness[0] / 2, found.fairness[1] / 2))}", goal


def _free(found: Summary) -> tuple[str, str]:
    return f"{found.slower[0]:.2f} (worst {found.slower[1]:.2f}) times as long as ideal", "at most 1.3"


def _percent(values: tuple[float, float]) -> str:
    return f"{values[0]:.1%} ({values[1]:.1%})"


class _Limiter:
    """Answers of an endpoint with a token bucket, by the clock of the machine."""

    def __init__(self) -> None:
        self.refused = 0
        self._began: float | None = None
        self._answered = 0

    def __call__(self, _request: Received) -> Reply:
        now = time.monotonic()
        self._began = self._began or now
        if self._answered >= _REAL_RATE * (1 + now - self._began):
            self.refused += 1
            return rate_limited()
        self._answered += 1
        return ok("yes")


async def _ask(server: OpenAIServer) -> tuple[int, float]:
    """Return how many calls were answered, and in how many seconds."""
    target = paced(open_with("openai", {"base_url": server.base_url, "api_key_env": None}), StopSignal())
    calls = iter(range(_REAL_CALLS))
    retry, rng = RetryPolicy(), random.Random(1)  # noqa: S311 - jitter

    async def work() -> int:
        return sum([await _answered(target, make_request(sample_index=number), retry, rng) for number in calls])

    began = time.monotonic()
    answered = await asyncio.gather(*(work() for _ in range(128)))
    took_s = time.monotonic() - began
    await target.aclose()
    return sum(answered), took_s


async def _answered(target: Target, request: Request, retry: RetryPolicy, rng: random.Random) -> bool:
    attempt, waited_s = 0, 0.0
    while isinstance(outcome := await target.call(request), CallError):
        attempt += 1
        wait_s = retry.wait_before_retry(outcome, attempt, waited_s, rng, paced=True)
        if wait_s is None:
            return False
        await asyncio.sleep(wait_s)
        waited_s += wait_s
    return True


def _real() -> Row:
    limiter = _Limiter()
    with OpenAIServer(limiter) as server:
        answered, took_s = asyncio.run(_ask(server))
    permitted = min(_REAL_CALLS, _REAL_RATE * (1 + took_s))
    return Row(
        what=f"on loopback, by the clock: a bucket of {_REAL_RATE} calls/s, {_REAL_CALLS:,} calls, 128 in flight",
        measured=f"{answered:,} answered, used {answered / (_REAL_RATE * (1 + took_s)):.1%}, "
        f"refused {limiter.refused / (answered + limiter.refused):.1%}",
        against=f"permitted in {took_s:.1f} s: {permitted:,.0f}",
        goal="none lost, used at least 90%, refused under 2%",
    )
