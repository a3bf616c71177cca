"""How a trial at a lower rate goes on and ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retest.runner.pace_evidence import Stretch
from retest.runner.pace_trial import LEAST, Grounds, Trial, Verdict

_REFUSAL_S = 0.04


def tried(
    refuses: Callable[[int, float], bool], *, known_limit: bool = False, rate: float = 50.0
) -> tuple[Verdict | None, float]:
    """Return the verdict and the last rate, where the calls so far were half refused at 100 a second."""
    burst = Stretch(0.0, 100.0, 20, 10)
    grounds = Grounds(
        stretches=(Stretch(-1.0, 0.0, 30, 0), burst), background=0.0, resume=100, passed=50, known_limit=known_limit
    )
    trial, now = Trial(grounds), 1.0
    trial.begin(now, rate)
    for number in range(1000):
        now += 1 / rate
        trial.note_sent(now)
        if refuses(number, rate):
            trial.note_refused(now)
        found = trial.look(now, _REFUSAL_S)
        if isinstance(found, float):
            rate = max(LEAST, found)
            trial.begin(now, rate)
        elif found is not None:
            return found, rate
    return None, rate


def test_no_refusal_at_a_lower_rate_is_a_limit() -> None:
    """After a few calls."""
    assert tried(lambda _number, _rate: False) == ("limit", 50.0)


@pytest.mark.parametrize("known_limit", [False, True])
def test_as_many_refusals_as_before_are_chance(known_limit: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Also where a limit was found before, if they last."""
    found, _ = tried(lambda number, _rate: number % 5 in (1, 3), known_limit=known_limit)
    assert found == "chance"


def test_a_limit_further_down_is_found_by_going_down() -> None:
    """At eight a second."""
    found, rate = tried(lambda number, rate: rate > 8 and number % 10 < 10 * (1 - 8 / rate))
    assert (found, rate < 8) == ("limit", True)


def test_an_endpoint_that_refuses_everything_is_retreated_from() -> None:
    """Down to the least, where it is called a limit."""
    assert tried(lambda _number, _rate: True) == ("limit", LEAST)


def test_a_refusal_counts_for_the_rate_at_which_its_call_was_sent() -> None:
    """It comes after the rate has fallen."""
    burst = Stretch(0.0, 100.0, 20, 10)
    trial = Trial(Grounds(stretches=(burst,), background=0.0, resume=100, passed=50))
    trial.begin(1.0, 50.0)
    trial.note_refused(0.9)
    trial.look(2.0, _REFUSAL_S)
    assert (burst.refused, trial.last.refused) == (11, 0)
