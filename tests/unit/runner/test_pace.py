"""How fast calls go, against simulated endpoints: a token bucket, refusals at random, and both."""

from __future__ import annotations

import pytest

from retest.runner.pace import Pace
from support import pacing_scenarios as scenarios
from support.pacing_scenarios import Scenario, Summary, summarise
from support.rate_limited_endpoint import Bucket, Load, Simulation

_MANY = 12  # seeds of the slow tests
_SILENT = [one for one in scenarios.limits(announced=False, burst_s=1.0) if one.bucket.rate <= 200]
_SAID = [one for one in scenarios.limits(announced=True, burst_s=60.0) if one.bucket.rate <= 50]
_CHANGES = [one for one in scenarios.changes() if one.bucket.rate <= 100]
_SHARED = list(scenarios.shared(announced=False))
_SHARED_SAID = list(scenarios.shared(announced=True))
_RANDOM = [one for share in (0.01, 0.1, 0.3) for one in scenarios.at_random(share)]


def name(scenario: Scenario) -> str:
    return scenario.name


def over(scenario: Scenario, seeds: int) -> Summary:
    return summarise(scenario.run(seed) for seed in range(seeds))


@pytest.mark.parametrize("scenario", _SILENT, ids=name)
def test_a_permitted_rate_is_used_and_hardly_exceeded(scenario: Scenario) -> None:
    """From 2 to 200 calls a second, answers after 50 ms to 5 s: 90% of it is used, and under 2% are refused."""
    found = over(scenario, 2)
    assert found.used[1] >= 0.9
    assert found.refused[1] < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("scenario", list(scenarios.limits(announced=False, burst_s=1.0)), ids=name)
def test_a_permitted_rate_is_used_by_every_seed(scenario: Scenario) -> None:
    """The same for a dozen seeds, and up to 500 calls a second."""
    found = over(scenario, _MANY)
    assert found.used[1] >= 0.9
    assert found.refused[1] < 0.02


@pytest.mark.parametrize("scenario", _SAID, ids=name)
def test_what_headers_announce_is_used_without_refusals(scenario: Scenario) -> None:
    """A minute's worth at once, then what refills."""
    found = over(scenario, 1)
    assert found.used[1] >= 0.88
    assert found.refused[1] < 0.005


@pytest.mark.parametrize("scenario", _CHANGES, ids=lambda one: f"{one.name}, {one.load.latency_s:g} s")
def test_a_rate_that_changes_midway_is_found_again(scenario: Scenario) -> None:
    """Halved or doubled after a minute, without a word."""
    found = over(scenario, 3)
    assert found.used[0] >= 0.9
    assert found.refused[0] < 0.02


@pytest.mark.parametrize("scenario", list(scenarios.returns()), ids=name)
def test_a_limit_that_was_next_to_nothing_for_a_while_is_used_again_soon(scenario: Scenario) -> None:
    """However little got through: 40 s after it is over at least half of the limit is used."""
    assert over(scenario, 1).used[1] >= 0.5


def test_a_limit_that_fell_is_not_taken_for_chance_for_good() -> None:
    """Of this seed the refusals after a fall to a tenth look like chance at first, but not for long."""
    load = Load(workers=64, latency_s=0.5, changes=((40.0, 10.0),), lasts_s=340.0)
    found = Simulation(Bucket(rate=100, burst=100), load, seed=0).run()
    assert found.share_refused < 0.1


@pytest.mark.parametrize("rate", [0.7, 1.0])
def test_a_limit_that_stays_next_to_nothing_is_tried_ever_more_rarely(rate: float) -> None:
    """Some two refusals a minute in the first ten, of 40 to 60 calls, and fewer in the next ten."""
    first, both = (
        Simulation(Bucket(rate=rate, burst=10), Load(workers=32, latency_s=0.5, lasts_s=lasts_s)).run().refused
        for lasts_s in (600.0, 1200.0)
    )
    assert first <= 35
    assert both - first <= 0.6 * first


@pytest.mark.parametrize("scenario", _SHARED_SAID, ids=name)
def test_two_processes_share_what_headers_announce_fairly(scenario: Scenario) -> None:
    """By what is left each can tell that somebody else is there: nearly halves, and hardly a refusal."""
    found = over(scenario, 1)
    assert found.used[1] >= 0.9
    assert found.refused[1] < 0.01
    assert found.fairness[1] > 0.8


@pytest.mark.parametrize("scenario", _SHARED[:4], ids=name)
def test_two_processes_share_a_key(scenario: Scenario) -> None:
    """Neither knows of the other; together they use what is permitted, and neither is left with nothing."""
    found = over(scenario, 3)
    assert found.used[0] >= 0.9
    assert found.refused[0] < 0.03
    assert found.fairness[0] > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("scenario", _SHARED, ids=name)
def test_two_processes_share_a_key_for_most_seeds(scenario: Scenario) -> None:
    """The same for a dozen seeds, and 200 calls a second."""
    found = over(scenario, _MANY)
    assert found.used[0] >= 0.9
    assert found.refused[0] < 0.03
    assert found.fairness[0] > 0.2


@pytest.mark.parametrize("scenario", [one for one in _RANDOM if one.load.calls <= 5000], ids=name)
def test_refusals_at_random_slow_nothing_down(scenario: Scenario) -> None:
    """Whatever share of the calls is refused: that is no reason to send less."""
    assert over(scenario, 3).slower[0] < 1.3


@pytest.mark.slow
@pytest.mark.parametrize("scenario", _RANDOM, ids=name)
def test_refusals_at_random_slow_little_down_for_most_seeds(scenario: Scenario) -> None:
    """The same for a dozen seeds, and answers after 50 ms, where refused calls are most of the time."""
    assert over(scenario, _MANY).slower[0] < (1.5 if scenario.bucket.at_random > 0.2 else 1.35)


@pytest.mark.parametrize("scenario", list(scenarios.mixed()), ids=name)
def test_a_limit_behind_random_refusals_is_neither_ignored_nor_the_end(scenario: Scenario) -> None:
    """Refusals that were taken for chance are taken seriously once they are many."""
    found = over(scenario, 3)
    assert found.used[0] >= 0.5
    assert found.refused[0] < 0.15


def test_refusals_that_say_when_to_come_back_do_not_stop_the_others() -> None:
    """A tenth is refused for a second each: only those calls wait for it."""
    load = Load(calls=5000, workers=64, latency_s=0.5)
    found = Simulation(Bucket(at_random=0.1, retry_after_s=1.0), load).run()
    waiting = load.calls * (load.latency_s + 0.111 * 1.29) / load.workers
    assert found.seconds < 1.3 * waiting


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
        drain(pace, tick / 100)
    assert pace.rate == first
    for tick in range(600, 700):
        pace.answered(tick / 100, tick / 100 - 0.05)
        drain(pace, tick / 100)
    assert pace.rate > first


@pytest.mark.parametrize("ceiling", [2.0, 0.1])
def test_the_ceiling_is_never_exceeded(ceiling: float) -> None:
    """From the first call to the last, be it less than the pace would ever fall to."""
    pace = Pace(0.0, ceiling=ceiling)
    gone = 0
    for tick in range(10_000):
        now = tick / 100
        while pace.take(now, waiting=True):
            gone += 1
            pace.answered(now, now)
    assert 100 * ceiling - 1 <= gone <= 100 * ceiling + 1


def test_the_limit_that_was_found_can_be_told() -> None:
    """About what the endpoint lets through; nothing where it refuses nothing."""
    simulation = Simulation(Bucket(rate=50, burst=50), Load(workers=64, lasts_s=60.0))
    seconds = simulation.run().seconds
    found = simulation.paces[0].limit(seconds)
    assert found is not None
    assert 40 < found < 60
    free = Simulation(Bucket(), Load(calls=2000))
    assert free.paces[0].limit(free.run().seconds) is None


def drain(pace: Pace, now: float) -> None:
    while pace.take(now, waiting=True):
        pass
