"""A trial at a lower rate: where refusals go away there, a limit was the reason; where they stay, chance is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from retest.runner.pace_evidence import Stretch, evidence, pooled_share

LEAST = 0.5  # calls a second

_SURE, _SURE_OF_LIMIT, _CLOSE = 3.0, 5.0, -2.0  # log likelihood ratios
_HARDER = 3.0  # further evidence of chance, where a limit was found before
_FLOOR = 0.005  # share that a limit refuses below itself: of what other processes do, and of uneven arrival
_FIRST, _FIRST_REFUSED = 5, 3  # outcomes before anything is said
_PLAIN = 0.1
_MOSTLY = 0.5  # a share of refusals from which to retreat, whatever the reason
_FEW = 0.05  # a share that costs little if it is taken for chance
_LASTED_S, _LASTED_LONG_S = 0.3, 1.5  # refusals that go on so long are not another process that is about to slow down
_SETTLED = 1.5  # times the time that a refusal takes, after which a call counts as let through
_TICK_S = 0.01

Verdict: TypeAlias = Literal["limit", "chance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why there is a trial.

    Attributes:
        stretches: what is known already; the first one of before the refusals.
        background: share that is refused anyway.
        resume: calls a second to go back to if chance is the reason.
        passed: calls a second that seem to get through.
        known_limit: a limit was found before, so that chance needs more evidence.
        routine: nothing happened; a share of refusals that seems usual is looked into.
    """

    stretches: Sequence[Stretch]
    background: float
    resume: float
    passed: float
    known_limit: bool = False
    routine: bool = False


class Trial:
    """What came of the calls at each rate so far."""

    def __init__(self, grounds: Grounds) -> None:
        self.grounds = grounds
        self.stretches = list(grounds.stretches)
        self._unsettled: deque[float] = deque()  # when calls were sent that may still be refused
        self._refused: list[float] = []  # when those were sent that are refused
        self._last_refused = 0.0
        self._seen = (0, 0.0, 0.0)  # what the last look was at
        self._again = False

    @property
    def share(self) -> float:
        """Return the share of refusals in all that was sent."""
        return pooled_share(self.stretches)

    @property
    def last(self) -> Stretch:
        """Return the stretch that goes on."""
        return self.stretches[-1]

    def begin(self, now: float, rate: float) -> None:
        """Go on at another rate."""
        self.last.sent += len(self._unsettled)
        self.last.refused += len(self._refused)
        self._unsettled.clear()
        self._refused.clear()
        self.stretches.append(Stretch(now, rate))

    def note_sent(self, now: float) -> None:
        """Count a call."""
        self._unsettled.append(now)

    def note_refused(self, sent: float) -> None:
        """Count a refusal for the rate at which its call was sent."""
        if sent > self.last.began:
            self._refused.append(sent)
            return
        earlier = (one for one in reversed(self.stretches[:-1]) if sent >= one.began >= 0)
        stretch = next(earlier, None)
        if stretch is not None:
            stretch.refused += 1

    def look(self, now: float, delay_s: float) -> Verdict | float | None:
        """Return the verdict, or the rate to go on at, or None where nothing changes yet.

        Args:
            now: seconds.
            delay_s: how long a refusal takes.
        """
        self._settle(now - _SETTLED * delay_s - _TICK_S)
        last = self.last
        seen = len(self.stretches), last.sent, sum(one.refused for one in self.stretches)
        if seen == self._seen:
            return None
        self._seen = seen
        if last.sent < _FIRST and not last.sent == last.refused >= _FIRST_REFUSED:
            return None
        chance, limit = evidence(self.stretches, max(_FLOOR, self.grounds.background))
        if self._is_limit(chance, limit):
            return "limit"
        if chance > _SURE + self._harder and self.share < _MOSTLY:
            return self._chance()
        if last.rate <= LEAST and last.sent >= _FIRST + _FIRST_REFUSED:
            return "chance" if chance > 1 + self._harder and self.share < _MOSTLY + _PLAIN else "limit"
        return self._lower(chance, limit) or self._at_length(chance)

    @property
    def _harder(self) -> float:
        return _HARDER * self.grounds.known_limit

    def _settle(self, before: float) -> None:
        """Count what was sent before a moment: what is not refused by now is let through."""
        while self._unsettled and self._unsettled[0] <= before:
            self._unsettled.popleft()
            self.last.sent += 1
        for sent in [sent for sent in self._refused if sent <= before]:
            self._refused.remove(sent)
            self.last.refused += 1
            self._last_refused = sent

    def _is_limit(self, chance: float, limit: float) -> bool:
        last = self.last
        plain = last.refused <= max(1, last.sent * (self.grounds.background + _PLAIN))
        below = last.sent >= 4 * _FIRST and limit >= 0.8 * last.rate
        return (chance < -_SURE_OF_LIMIT and plain) or (chance < -_SURE and below)

    def _chance(self) -> Verdict | float | None:
        """Return that chance is the reason, once another process that slows down no longer can be."""
        known = self.grounds.known_limit
        lasted = self._last_refused - self.last.began > (_LASTED_LONG_S if known else _LASTED_S)
        if lasted or self.share < _FEW or (self._again and not known):
            return "chance"
        if known:
            return None
        self._again = True
        return self.last.rate

    def _lower(self, chance: float, limit: float) -> float | None:
        """Return the rate below, where refusals go on and a limit is likely."""
        last = self.last
        if last.refused < _FIRST_REFUSED or last.rate <= LEAST:
            return None
        if self.share >= _MOSTLY and last.refused > 0.2 * last.sent:
            return last.rate / 4
        if chance < 0 and limit < 0.9 * last.rate:
            return max(min(last.rate / 2, 0.6 * limit), last.rate / 5)
        return None

    def _at_length(self, chance: float) -> Verdict | None:
        """Return the verdict where more calls would tell no more."""
        last, share = self.last, max(0.01, self.share)
        unrefused = last.refused <= 1.2 * self.grounds.background * last.sent
        if chance < 0 and unrefused and last.sent >= min(200, max(12, 5 / share)):
            return "limit"
        enough = max(30, min(200, self.stretches[0].sent / 2)) if self.grounds.routine else max(60, min(200, 4 / share))
        if last.sent < enough:
            return None
        needed = _SURE + self._harder if self.grounds.known_limit else _CLOSE
        return "limit" if chance < needed or self.share >= _MOSTLY else "chance"
