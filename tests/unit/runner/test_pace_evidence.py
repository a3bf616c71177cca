"""What tells refusals by chance from a limit."""

from __future__ import annotations

from retest.runner.pace_evidence import Sends, Stretch, Suspicion, evidence


def test_one_share_at_every_rate_is_chance() -> None:
    """Three in ten at 100 a second, and at half of that."""
    chance, _ = evidence([Stretch(0, 100, 60, 18), Stretch(1, 50, 40, 12)], background=0.005)
    assert chance > 3


def test_refusals_that_go_away_at_a_lower_rate_are_a_limit() -> None:
    """It is at about what got through."""
    chance, limit = evidence([Stretch(0, 100, 60, 30), Stretch(1, 25, 40, 0)], background=0.005)
    assert chance < -10
    assert 45 < limit < 55


def test_refusals_that_get_fewer_with_the_rate_are_a_limit_that_is_not_reached_yet() -> None:
    """Of 20 a second: four in five at 100, half at 40."""
    chance, limit = evidence([Stretch(0, 100, 100, 80), Stretch(1, 40, 60, 30)], background=0.005)
    assert chance < -3
    assert 17 < limit < 23


def test_the_calls_before_a_burst_was_used_up_fit_a_limit() -> None:
    """Many went through at a high rate, then all are refused, then none at a low one."""
    stretches = [Stretch(-1, 500, 300, 6), Stretch(0, 350, 10, 10), Stretch(1, 20, 20, 0)]
    assert evidence(stretches, background=0.005)[0] < -5


def test_few_outcomes_decide_nothing() -> None:
    """A refusal at either rate may be anything."""
    chance, _ = evidence([Stretch(0, 100, 3, 1), Stretch(1, 50, 2, 0)], background=0.005)
    assert abs(chance) < 3


def test_a_rare_refusal_is_not_suspicious() -> None:
    """One in a hundred, for ever."""
    suspicion = Suspicion()
    for number in range(2000):
        suspicion.note_sent(searching=True)
        if number % 100 == 99:
            suspicion.note_refused(number, 1, searching=True)
        assert suspicion.score < 5
    assert 0.005 < suspicion.usual < 0.012


def test_refusals_one_after_the_other_are() -> None:
    """Four, after many answers."""
    suspicion = Suspicion()
    for _ in range(200):
        suspicion.note_sent(searching=True)
    for number in range(4):
        suspicion.note_sent(searching=True)
        suspicion.note_refused(number, 1, searching=True)
    assert suspicion.score > 9
    assert suspicion.usual == 0


def test_a_share_that_nobody_looked_into_wants_a_trial_once() -> None:
    """One in twenty: not many at any time, and yet it may be a limit just below."""
    suspicion = Suspicion()
    for number in range(1000):
        suspicion.note_sent(searching=True)
        if number % 20 == 19:
            suspicion.note_refused(number, 1, searching=True)
        if suspicion.wants_trial:
            break
    assert suspicion.wants_trial
    suspicion.tried = suspicion.usual
    assert not suspicion.wants_trial


def test_the_rate_of_sending_is_that_of_the_latest_calls() -> None:
    """Twenty a second after a hundred a second; unknown as long as they are few."""
    sends = Sends()
    assert sends.rate(7.0) == 7.0
    for number in range(100):
        sends.note(number / 100)
    for number in range(70):
        sends.note(1 + number / 20)
    assert 19 < sends.rate(0.0) < 21
    assert sends.since(1 + 60 / 20, now=4.5) == 10
