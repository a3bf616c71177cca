"""How many calls a second an endpoint is sent: learned from what it answers, within what it and the suite allow.

Starts modest, doubles while the endpoint answers well and calls have to wait, and falls at refusals (429); then grows
again, slowly at first, and faster the longer nothing is refused. Server errors and time-outs pause growth. Refusals
that come whatever the rate is (a busy model, not a limit) are told by their share, which stays while the rate falls
below what was answered before; until that is seen they do slow a run down (docs/running.md has the figures). Pure
numbers: times are seconds by any clock, so that a simulation takes no time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

_START = 64.0  # calls a second
_LEAST, _MOST = 0.5, 1e6
_DOUBLES_IN_S = 0.25  # while nothing has been refused yet
_APPROACH = 0.5  # growth a second after the first refusal
_SLOWEST, _FASTEST = 0.01, 0.5  # growth a second after a later one, and a while after that
_FULL_PACE = 50.0  # calls a second from which growth goes by the clock; below by the calls, for each tells as much
_CUT = {"search": 0.25, "approach": 0.8, "follow": 0.95}
_PAUSE_S = 2.0  # of growth after a server error or a time-out
_RECENT_S = 1.0
_SERIES_S = 3.0  # between refusals that belong together
_MANY = 0.25  # share of refusals from which the answers are believed to be the limit
_AGAIN = 0.85  # a further cut of a series
_TELLING = 10  # outcomes of a series that say what share of calls is refused
_UNEXPLAINED = 5  # refusals at a rate well below what was answered, until they are taken to be unrelated to it
_UNRELATED_S = 20.0
_SLOW = 12.0  # calls a second below which refusals at random come too far apart to be a series
_HALF = 150  # outcomes that are compared with as many before them
_LOWER, _RELIEF = 0.8, 0.7  # a rate so much lower should bring the share of refusals down so far, if it is the reason
_BURST_S = 0.01  # calls let go together: what a tick of a clock amounts to

Phase = Literal["search", "approach", "follow"]


@dataclass(slots=True)
class _Series:
    """Refusals one soon after the other, and what the first outcomes among them say."""

    began: float
    last: float
    cuts: int = 0
    outcomes: int = 0
    refusals: int = 0
    within: float = 0.0  # calls a second that should be answered, if a rate is what limits them; 0: not known yet
    unexplained: int = 0

    def note(self, rate: float, *, refused: bool) -> None:
        """Count an outcome."""
        self.outcomes += 1
        self.refusals += refused
        if self.outcomes == _TELLING:
            self.within = rate * (1 - self.refusals / self.outcomes)
        elif refused and rate < 0.9 * self.within:
            self.unexplained += 1


class Pace:
    """The rate of calls to one endpoint and model.

    Args:
        now: seconds.
        ceiling: calls a second that are never exceeded.
    """

    def __init__(self, now: float, ceiling: float = _MOST) -> None:
        self.ceiling = ceiling
        self._rate = min(_START, ceiling)
        self._phase: Phase = "search"
        self._credit = 1.0
        self._updated = now
        self._cut_at = now
        self._grown_s = 0.0
        self._no_growth_until = now
        self._unrelated_until = now
        self._answered: deque[float] = deque()
        self._refused: deque[float] = deque()
        self._series = _Series(now - _SERIES_S, now - _SERIES_S)
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=2 * _HALF)  # the rate, and whether it was a refusal

    @property
    def rate(self) -> float:
        """Return the calls a second that are let go now."""
        return max(_LEAST, min(self._rate, self.ceiling))

    def take(self, now: float, *, waiting: bool) -> bool:
        """Let one call go, or not yet.

        Args:
            now: seconds.
            waiting: calls wait, so that the rate is what holds them up.
        """
        elapsed, self._updated = now - self._updated, now
        if waiting and now >= self._no_growth_until:
            self._grow(elapsed)
        self._credit = min(max(1.0, self.rate * _BURST_S), self._credit + elapsed * self.rate)
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True

    def next_s(self) -> float:
        """Return the seconds until a call may go."""
        return max(0.0, 1.0 - self._credit) / self.rate

    def answered(self, now: float) -> None:
        """Note an answer."""
        self._answered.append(now)
        self._outcomes.append((self.rate, False))
        _forget(self._answered, now)
        if now - self._series.last <= _SERIES_S:
            self._series.note(self.rate, refused=False)

    def failed(self, now: float) -> None:
        """Note a server error or a time-out: no reason to send less, and none to send more."""
        self._no_growth_until = now + _PAUSE_S

    def refused(self, now: float, sent: float) -> None:
        """Note a refusal of a call that was sent at that time; what was in flight at the last cut counts with it."""
        self._refused.append(now)
        self._outcomes.append((self.rate, True))
        _forget(self._refused, now)
        _forget(self._answered, now)
        if now < self._unrelated_until:
            self._doubt(now)
            return
        if now - self._series.last > _SERIES_S:
            self._series = _Series(now, now)
        self._series.last = now
        self._series.note(self.rate, refused=True)
        if self._series.unexplained >= _UNEXPLAINED or self._is_without_relief():
            self._unrelated_until = now + _UNRELATED_S
            self._phase = "search"
            self._outcomes.clear()
        elif sent > self._cut_at:
            self._cut(now)

    def _is_without_relief(self) -> bool:
        """Return whether refusals stayed as frequent while the rate fell."""
        if len(self._outcomes) < 2 * _HALF or self.rate > _SLOW:  # faster, a series tells it sooner
            return False
        outcomes = list(self._outcomes)
        (before, refused_before), (after, refused_after) = _mean(outcomes[:_HALF]), _mean(outcomes[_HALF:])
        return after < _LOWER * before and refused_after >= max(2 / _HALF, _RELIEF * refused_before)

    def _doubt(self, now: float) -> None:
        """Take back that refusals have nothing to do with the rate, where they have become the most."""
        if len(self._refused) > max(_TELLING, len(self._answered) / 3):
            self._unrelated_until = now
            self._phase = "follow"
            self._rate = max(_LEAST, len(self._answered) / _RECENT_S)

    def _cut(self, now: float) -> None:
        answers, refusals = len(self._answered), len(self._refused)
        self._rate = self.rate * (_AGAIN if self._phase == "follow" and self._series.cuts else _CUT[self._phase])
        self._series.cuts += 1
        many = refusals >= _MANY * (answers + refusals)
        if self._phase == "follow" and many and now - self._series.began > _RECENT_S / 2:
            self._rate = max(self._rate / 2, min(self._rate, answers / _RECENT_S))
        self._rate = max(_LEAST, self._rate)
        self._phase = "approach" if self._phase == "search" else "follow"
        self._cut_at = self._updated = now
        self._credit = min(self._credit, 0.0)
        self._grown_s = 0.0

    def _grow(self, elapsed: float) -> None:
        if self._phase == "search":
            factor = 2 ** (min(elapsed, _DOUBLES_IN_S) / _DOUBLES_IN_S) if self._answered else 1.0
        else:
            told_s = elapsed * min(1.0, self.rate / _FULL_PACE)
            self._grown_s += told_s
            pace = _APPROACH if self._phase == "approach" else min(_FASTEST, _SLOWEST * 2 ** min(self._grown_s, 20.0))
            factor = 1 + pace * min(told_s, 1.0)
        self._rate = min(self._rate * factor, self.ceiling, _MOST)


def _mean(outcomes: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """Return the mean rate and the share of refusals."""
    return fmean(rate for rate, _ in outcomes), fmean(refused for _, refused in outcomes)


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] < now - _RECENT_S:
        times.popleft()
