"""Endpoints that refuse calls, and what a paced run makes of each: over seeds, in no time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from support.rate_limited_endpoint import Bucket, Load, Simulated, Simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """An endpoint and what it is asked; `from_s` on it counts how much is used."""

    name: str
    bucket: Bucket
    load: Load
    from_s: float = 0.0

    def run(self, seed: int) -> Result:
        """Return what one seed gives."""
        found = self._simulated(self.load, seed)
        before = self._simulated(replace(self.load, lasts_s=self.from_s), seed) if self.from_s else Simulated()
        return Result(
            used=(found.answered - before.answered) / (self._permitted(found) - self._permitted(before)),
            refused=found.share_refused - self.bucket.at_random,
            slower=found.seconds / self._ideal_s(),
            fairness=min(found.shares) * len(found.shares) / max(1, sum(found.shares)),
        )

    def _simulated(self, load: Load, seed: int) -> Simulated:
        return Simulation(replace(self.bucket), load, seed=seed).run()

    def _permitted(self, found: Simulated) -> float:
        """Return the calls that could have been answered by then: by the bucket, and by the workers."""
        permitted, rate, since = self.bucket.burst, self.bucket.rate, 0.0
        for when, changed in (*self.load.changes, (found.seconds, 0.0)):
            permitted += rate * (min(when, found.seconds) - since)
            rate, since = changed, min(when, found.seconds)
        return min(permitted, self.load.workers * found.seconds / self.load.latency_s)

    def _ideal_s(self) -> float:
        """Return how long the calls would take at least where no rate limits them."""
        return self.load.calls / (1 - self.bucket.at_random) * self.load.latency_s / self.load.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run made of it.

    Attributes:
        used: share of what was permitted.
        refused: share of what was sent, beyond what is refused at random.
        slower: times as long as without any refusal but those at random.
        fairness: the least share of a process, times their number.
    """

    used: float
    refused: float
    slower: float
    fairness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Median and worst of many runs."""

    runs: int
    used: tuple[float, float]
    refused: tuple[float, float]
    slower: tuple[float, float]
    fairness: tuple[float, float]


def summarise(results: Iterable[Result]) -> Summary:
    """Return the median and the worst of each figure."""
    found = list(results)
    return Summary(
        runs=len(found),
        used=_spread([one.used for one in found], min),
        refused=_spread([one.refused for one in found], max),
        slower=_spread([one.slower for one in found], max),
        fairness=_spread([one.fairness for one in found], min),
    )


def _spread(values: Sequence[float], worst: Callable[[Sequence[float]], float]) -> tuple[float, float]:
    return median(values), worst(values)


def limits(*, announced: bool, burst_s: float) -> Iterator[Scenario]:
    """Yield one limit after the other, from 2 to 500 calls a second, with answers after 50 ms to 5 s."""
    for rate in (2.0, 10.0, 50.0, 200.0, 500.0):
        for latency_s in (0.05, 0.5, 5.0):
            if 256 / latency_s > 1.1 * rate:
                yield Scenario(
                    name=f"{rate:g}/s, {latency_s:g} s",
                    bucket=Bucket(rate=rate, burst=rate * burst_s, announces=announced),
                    load=Load(calls=int(max(1000, rate * (60 + burst_s))), workers=256, latency_s=latency_s),
                )


def changes() -> Iterator[Scenario]:
    """Yield limits that halve or double midway, without a word."""
    for before, after in ((100.0, 50.0), (50.0, 100.0), (20.0, 10.0), (10.0, 20.0), (200.0, 100.0)):
        for latency_s in (0.05, 1.0):
            calls = int(60 * (before + after))
            load = Load(calls=calls, workers=256, latency_s=latency_s, changes=((60.0, after),))
            yield Scenario(name=f"{before:g} to {after:g}/s", bucket=Bucket(rate=before, burst=50), load=load)


def returns() -> Iterator[Scenario]:
    """Yield limits that are next to nothing for a while, and what is used of them 40 s later, for 20 s."""
    for rate, low, began_s, ended_s in (
        (50.0, 0.0, 0.0, 12.0),
        (50.0, 0.0, 0.0, 22.0),
        (50.0, 0.0, 0.0, 50.0),
        (100.0, 0.0, 40.0, 100.0),
        (100.0, 1.0, 40.0, 100.0),
        (100.0, 2.0, 40.0, 70.0),
        (100.0, 10.0, 40.0, 100.0),
    ):
        bucket = Bucket(rate=rate, burst=rate, left=rate if began_s else 0.0)
        changes = ((began_s, low), (ended_s, rate))
        load = Load(workers=256, latency_s=0.3, changes=changes, lasts_s=ended_s + 60.0)
        name = f"{rate:g}/s, {low:g}/s from {began_s:g} to {ended_s:g} s"
        yield Scenario(name=name, bucket=bucket, load=load, from_s=ended_s + 40.0)


def shared(*, announced: bool) -> Iterator[Scenario]:
    """Yield limits that two processes share without knowing of each other."""
    for rate in (10.0, 50.0, 200.0):
        for apart_s in (0.0, 20.0):
            load = Load(workers=256, latency_s=0.1, processes=2, apart_s=apart_s, lasts_s=150.0)
            bucket = Bucket(rate=rate, burst=rate, announces=announced)
            yield Scenario(name=f"{rate:g}/s, {apart_s:g} s apart", bucket=bucket, load=load)


def at_random(share: float) -> Iterator[Scenario]:
    """Yield endpoints that refuse a share whatever the rate."""
    for calls, workers, latency_s in ((20_000, 128, 0.05), (10_000, 128, 0.2), (5_000, 64, 0.5), (2_000, 256, 5.0)):
        load = Load(calls=calls, workers=workers, latency_s=latency_s)
        yield Scenario(name=f"{share:g}, {latency_s:g} s", bucket=Bucket(at_random=share), load=load)


def mixed() -> Iterator[Scenario]:
    """Yield limits of endpoints that also refuse at random."""
    for rate, share in ((200.0, 0.02), (100.0, 0.05), (50.0, 0.1)):
        bucket = Bucket(rate=rate, burst=rate, at_random=share)
        yield Scenario(name=f"{rate:g}/s and {share:g}", bucket=bucket, load=Load(calls=int(60 * rate)))
