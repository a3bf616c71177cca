"""How fast calls go, against a simulated endpoint with a token bucket."""

from __future__ import annotations

import pytest

from retest.runner.pace import Pace
from support.rate_limited_endpoint import Bucket, Load, Simulation


@pytest.mark.parametrize("latency_s", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("rate", [10.0, 50.0, 200.0])
def test_a_permitted_rate_is_used_and_hardly_exceeded(rate: float, latency_s: float) -> None:
    """Whatever the rate is: 90% of it is used, and under 2% of the calls are refused."""
    calls = int(max(1000, rate * 30))
    found = Simulation(Bucket(rate=rate, burst=rate), Load(calls=calls, latency_s=latency_s)).run()
    assert calls >= 0.9 * (rate * found.seconds + rate)
    assert found.share_refused < 0.02


@pytest.mark.parametrize(("before", "after"), [(100.0, 50.0), (50.0, 100.0)])
def test_a_rate_that_changes_midway_is_found_again(before: float, after: float) -> None:
    """Halved or doubled after half a minute, without a word."""
    found = Simulation(Bucket(rate=before, burst=50), Load(calls=4500, change=(30.0, after))).run()
    permitted = 30 * before + (found.seconds - 30) * after + 50
    assert found.answered >= 0.9 * permitted
    assert found.share_refused < 0.02


def test_two_processes_share_a_key() -> None:
    """Neither knows of the other; together they use what is permitted, and neither is left with nothing."""
    found = Simulation(Bucket(rate=50, burst=50), Load(calls=3000, processes=2)).run()
    assert found.answered >= 0.9 * (50 * found.seconds + 50)
    assert found.share_refused < 0.02
    assert min(found.rates) > 10


def test_refusals_at_random_slow_little_down() -> None:
    """A tenth of the calls is refused whatever the rate: that is no reason to send less."""
    load = Load(calls=20_000)
    found = Simulation(Bucket(at_random=0.1), load).run()
    waiting = load.calls * (load.latency_s + 0.1 * 0.625) / load.workers  # each refused call waits by itself
    assert found.seconds < 2.5 * waiting


def test_a_few_refusals_at_random_do_not_bring_everything_to_a_stop() -> None:
    """One call in fifty is refused: too few for a series, and no reason to fall and fall."""
    found = Simulation(Bucket(at_random=0.02), Load(calls=10_000)).run()
    assert found.seconds < 60


def test_a_limit_behind_random_refusals_is_neither_ignored_nor_the_end() -> None:
    """Refusals that were taken for unrelated are taken seriously once they are many."""
    found = Simulation(Bucket(rate=100, burst=100, at_random=0.05), Load(calls=4000)).run()
    assert found.answered >= 0.25 * (100 * found.seconds)
    assert found.share_refused < 0.3


def test_without_limits_nothing_is_held_back_for_long() -> None:
    """All workers are busy after a second or two."""
    load = Load(calls=20_000, workers=256, latency_s=0.5)
    found = Simulation(Bucket(), load).run()
    assert found.answered >= 0.95 * found.seconds * load.workers / load.latency_s
    assert found.refused == 0


def test_server_errors_pause_growth() -> None:
    """The rate is the first one as long as there are errors, and grows again when they are over."""
    pace, first = Pace(0.0), Pace(0.0).rate
    for tick in range(200):
        pace.answered(tick / 100, tick / 100 - 0.05)
        pace.failed(tick / 100)
        pace.take(tick / 100, waiting=True)
    assert pace.rate == first
    for tick in range(600, 700):
        pace.answered(tick / 100, tick / 100 - 0.05)
        pace.take(tick / 100, waiting=True)
    assert pace.rate > first


def test_the_ceiling_is_never_exceeded() -> None:
    """Two calls a second from the first to the last."""
    pace = Pace(0.0, ceiling=2.0)
    gone = 0
    for tick in range(1000):
        now = tick / 100
        while pace.take(now, waiting=True):
            gone += 1
            pace.answered(now, now)
    assert 20 <= gone <= 21
