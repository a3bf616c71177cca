"""How many calls a second an endpoint is sent: learned from what it answers, within what it and the suite allow.

Starts modest and doubles while the endpoint answers well and calls have to wait. When refusals (429) become more than
usual, a short trial at a lower rate says why: where they go away there is a limit, else they come by chance, and are no
reason to send less. Below a limit the pace follows what got through between two refusals, which is what a bucket of
tokens fills at, and grows again, slowly first and faster the longer nothing is refused; where next to nothing goes, as
at first. Server errors and time-outs pause growth. Pure numbers: times are seconds by any clock, so that a simulation
takes no time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from retest.runner.pace_evidence import Sends, Stretch, Suspicion
from retest.runner.pace_trial import LEAST, Grounds, Trial, Verdict

_START = 64.0  # calls a second
_MOST = 1e6
_BURST_S = 0.01  # calls let go together: what a tick of a clock amounts to, and being late for it
_WHOLE = 1 - 1e-9  # a call, but for rounding
_PAUSE_S = 2.0  # of growth after a server error or a time-out

_DOUBLES_IN_S = (
    0.25  # while no limit is known; half as fast above _FAST, for what is sent too much takes time to be told
)
_CAREFULLY = 6.0  # times as slowly where a limit was found before
_FAST = 512.0
_RISE, _SPAN = 0.04, 2.7  # growth within a limit: so much in so many seconds, or calls where they are fewer than _FULL
_FULL = 50.0  # calls a second from which growth goes by the clock; below by the calls, for each tells as much
_STILL = 1.2  # of the span, after which growth becomes ever faster
_FASTER = 2.5
_APPROACH = 0.5  # growth a second until the limit is met, and at the most
_LOW, _LOW_OF_BEST = 2 * LEAST, 0.25  # calls a second, and share of the best, that a limit may have only for a while
_BACK_S, _BACK_SLOWER = 10.0, 1.6  # without a refusal there, after which more is tried; longer each time in vain

_ALARM, _ALARM_AGAIN = 9.0, 12.0  # of suspicion: calls for a trial; where refusals are usual, it takes more
_USUAL = 0.006
_ONE, _TWO = 2.5, 4.5  # of suspicion within a limit: what one refusal makes; where some are usual, it takes two
_SOME = 0.02
_BELOW = 0.97  # of a limit
_LEAST_OF = (0.85, 0.75, 0.6)  # of the rate: how far the first cuts of a series go at most
_CUTS = 6  # of a series, after which a trial says what is going on
_UNEXPLAINED = 4  # refusals well below the limit that was found, after which it is looked for anew
_RETRY_CALLS = 500  # from one such search to the next
_TELLING, _TELLING_S = 10, 3.0  # calls and seconds that say how many get through
_DOUBTED, _DOUBT_CALLS = 0.25, 500  # share of refusals that so many calls within a limit put in doubt as usual
_AGAIN_CALLS = 1000  # from one trial that found chance to the next; doubled each time

Phase = Literal["search", "trial", "approach", "follow"]


@dataclass(frozen=True, slots=True)
class _Mark:
    """How much had got through by then."""

    at: float
    passed: int


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
        self._held = False
        self._grow_from = now
        self._told = 0.0  # seconds of growth since the last cut
        self._doubles_in_s = _DOUBLES_IN_S
        self._answers, self._latency_s = 0, 0.0
        self._refusals, self._refusal_s, self._slow_refusal_s = 0, 0.0, 0.1
        self._sends = Sends()
        self._suspicion = Suspicion()
        self._trial: Trial | None = None
        self._trial_at, self._trial_in = 0, _AGAIN_CALLS
        self._since = now  # refusals of calls sent before are of an earlier rate
        self._window = self._next_window = self._series_began = _Mark(now, 0)
        self._series: list[Stretch] = []
        self._cut_at, self._cut_count = float("-inf"), 0
        self._limit, self._strange, self._strange_from = 0.0, 0, (0, 0)
        self._search_at = 0
        self._best, self._calm_s, self._back_s = 0.0, 0.0, _BACK_S  # calm: without a refusal, while calls waited
        self._doubt_from, self._doubt_in = (0, 0), _DOUBT_CALLS

    @property
    def rate(self) -> float:
        """Return the calls a second that are let go now."""
        return min(max(LEAST, self._rate), self.ceiling)

    def limit(self, now: float) -> float | None:
        """Return the calls a second that the endpoint was found to let through, None where that is not known."""
        span = now - self._window.at
        passed = self._passed - self._window.passed
        return passed / span if self._phase == "follow" and passed >= _TELLING and span >= _TELLING_S else None

    def take(self, now: float, *, waiting: bool) -> bool:
        """Let one call go, or not yet.

        Args:
            now: seconds.
            waiting: calls wait, so that the rate is what holds them up.
        """
        elapsed, self._updated = now - self._updated, now
        if self._trial is not None:
            self._look(self._trial, now)
        elif waiting and self._held and now >= self._grow_from:
            self._grow(elapsed)
        self._credit = min(1.0 + self.rate * _BURST_S, self._credit + elapsed * self.rate)
        self._held = self._credit < _WHOLE
        if self._held:
            return False
        self._credit -= 1.0
        self._note_sent(now)
        return True

    def next_s(self) -> float:
        """Return the seconds until a call may go."""
        return max(0.0, 1.0 - self._credit) / self.rate

    def answered(self, now: float, sent: float) -> None:
        """Note an answer to a call that was sent at that time."""
        self._answers += 1
        self._latency_s += (now - sent - self._latency_s) * max(0.05, 1 / self._answers)

    def failed(self, now: float) -> None:
        """Note a server error or a time-out: no reason to send less, and none to send more."""
        self._grow_from = now + _PAUSE_S

    def refused(self, now: float, sent: float) -> None:
        """Note a refusal of a call that was sent at that time; it says something about the rate of then."""
        self._refusals += 1
        self._calm_s = 0.0
        self._slow_refusal_s = max(0.95 * self._slow_refusal_s, now - sent)
        self._refusal_s += (now - sent - self._refusal_s) * max(0.1, 1 / self._refusals)
        if self._trial is not None:
            self._trial.note_refused(sent)
            self._look(self._trial, now)
        elif sent > self._since:
            self._suspect(now, sent)
        elif self._series and sent >= self._series[-1].began:
            self._series[-1].refused += 1

    @property
    def _passed(self) -> int:
        return self._sends.count - self._refusals

    @property
    def _searching(self) -> bool:
        return self._phase == "search"

    def _note_sent(self, now: float) -> None:
        self._sends.note(now)
        if self._trial is not None:
            self._trial.note_sent(now)
            return
        self._suspicion.note_sent(searching=self._searching)
        if self._searching and (self._suspicion.wants_trial or self._is_due()):
            self._try_share(now)
        elif self._sends.count - self._doubt_from[0] >= self._doubt_in:
            self._doubt()

    def _is_due(self) -> bool:
        return 0 < self._trial_at <= self._sends.count and not self._suspicion.score

    def _suspect(self, now: float, sent: float) -> None:
        suspicion = self._suspicion
        suspicion.note_refused(sent, self._sends.since(sent, now), searching=self._searching)
        if not self._searching:
            if suspicion.score > (_ONE if suspicion.usual < _SOME else _TWO):
                self._cut(now)
        elif suspicion.score > (_ALARM if suspicion.usual < _USUAL else _ALARM_AGAIN):
            self._try_burst(now)

    def _doubt(self) -> None:
        """Forget within a limit that many refusals are usual: a limit that fell, or is shared, may look like that."""
        sent, refused = self._sends.count - self._doubt_from[0], self._refusals - self._doubt_from[1]
        if not self._searching and min(self._suspicion.usual, refused / sent) > _DOUBTED:
            self._suspicion.settle(0.0, 0.0)
            self._suspicion.tried = 0.0
            self._doubt_in *= 2
        self._doubt_from = self._sends.count, self._refusals

    # -- trials ----------------------------------------------------------------------------------------------------

    def _try_burst(self, now: float) -> None:
        """See whether more refusals than usual go away at a rate that would be well below the limit behind them."""
        suspicion, burst = self._suspicion, self._suspicion.open
        told = max(burst.refused, self._sends.between(burst.began, now - self._refusal_s))
        sent = burst.sent / max(now - burst.began, 1e-3) if burst.sent >= 8 else self.rate  # noqa: PLR2004 - too few
        burst.rate = min(sent, self.rate)
        passed = burst.rate * (told - burst.refused + 1) / (told + 2)
        new = suspicion.usual == 0 and suspicion.sent > 100  # noqa: PLR2004 - calls that say so
        grounds = Grounds(
            stretches=(suspicion.remembered(30.0), burst),
            background=suspicion.usual,
            resume=self._rate,
            passed=burst.rate * (1 - min(1.0, burst.refused / max(1.0, burst.sent))),
        )
        self._begin(now, grounds, (0.25 if new else 0.5) * passed)

    def _try_series(self, now: float) -> None:
        """See what is going on where cut after cut changes nothing."""
        grounds = Grounds(
            stretches=(self._suspicion.remembered(30.0), *self._series),
            background=self._suspicion.usual,
            resume=max(self._rate, self._series[0].rate),
            passed=self._rate,
            known_limit=True,
        )
        self._series = []
        self._begin(now, grounds, 0.6 * self._rate)

    def _try_share(self, now: float) -> None:
        """See whether the share of refusals that seems usual is smaller at a lower rate."""
        suspicion = self._suspicion
        rate = min(self._sends.rate(self.rate), self._rate)
        suspicion.tried = suspicion.usual
        grounds = Grounds(
            stretches=(suspicion.remembered(300.0, rate),),
            background=0.0,
            resume=self._rate,
            passed=rate,
            routine=True,
        )
        self._begin(now, grounds, (0.7 if suspicion.tried < 0.1 else 0.5) * rate)  # noqa: PLR2004 - few take longer

    def _begin(self, now: float, grounds: Grounds, rate: float) -> None:
        self._trial, self._phase = Trial(grounds), "trial"
        self._suspicion.score = 0.0
        self._dip(self._trial, now, rate)

    def _dip(self, trial: Trial, now: float, rate: float) -> None:
        self._restart(now, max(LEAST, rate))
        trial.begin(now, self.rate)
        self._window = self._next_window = _Mark(now, self._passed)

    def _look(self, trial: Trial, now: float) -> None:
        found = trial.look(now, self._slow_refusal_s)
        if isinstance(found, float):
            self._dip(trial, now, found)
        elif found is not None:
            self._conclude(trial, found, now)

    def _conclude(self, trial: Trial, found: Verdict, now: float) -> None:
        self._trial = None
        if found == "limit":
            self._phase = "approach"
            self._restart(now, max(self._rate, 0.7 * min(trial.grounds.passed, 2 * self._rate)))
            self._cut_at, self._limit, self._strange = float("-inf"), 0.0, 0
            self._trial_in = _AGAIN_CALLS
            long = trial.last.sent >= 20 and trial.last.refused < trial.last.sent / 2  # noqa: PLR2004 - says a share
            self._suspicion.settle(min(200.0, self._suspicion.sent), trial.grounds.background)
            self._suspicion.tried = trial.grounds.background
            self._suspicion.learn(trial.last.sent * long, trial.last.refused * long, most=200.0)
            return
        share = min(0.5, trial.share)
        self._doubles_in_s = _DOUBLES_IN_S * (_CAREFULLY if trial.grounds.known_limit else 1)
        self._phase = "search"
        self._restart(now, trial.grounds.resume)
        self._suspicion.settle(max(200.0, sum(one.sent for one in trial.stretches if one.rate)), share)
        self._suspicion.tried = share
        self._trial_at = self._sends.count + self._trial_in if share > 0.04 else 0  # noqa: PLR2004 - worth a second look
        self._trial_in *= 2

    def _restart(self, now: float, rate: float) -> None:
        """Go on at a rate; what was sent before says nothing about it."""
        self._rate, self._since = rate, now
        self._credit = min(self._credit, 0.0)
        self._suspicion.score = 0.0
        self._told = 0.0

    # -- within a limit --------------------------------------------------------------------------------------------

    def _cut(self, now: float) -> None:
        """Send less after a refusal: as much as got through since the bucket was empty before, nearly."""
        rate = min(self._rate, 1.1 * self._sends.rate(self.rate))
        first = now - self._cut_at > max(1.0, 15 / self._rate)
        self._cut_at = now
        if first:
            self._window, self._next_window = self._next_window, _Mark(now, self._passed)
            self._series_began = self._next_window
            self._series = []
        self._note_series(rate)
        estimate = self._estimate(now)
        if first and self._is_strange(rate, estimate):
            self._search_again(now)
        elif len(self._series) >= _CUTS:
            self._try_series(now)
        else:
            self._restart(now, max(LEAST, self._lowered(rate, estimate)))
            self._phase = "follow"

    def _note_series(self, rate: float) -> None:
        seen = self._suspicion.open
        began = self._since + 1e-9 if self._series else seen.began
        sent = self._sends.count - self._cut_count if self._series else seen.sent
        self._series.append(Stretch(began, rate, max(sent, seen.refused), seen.refused))
        self._cut_count = self._sends.count

    def _estimate(self, now: float) -> float:
        """Return the calls a second that got through between two moments at which the bucket was empty.

        Since the last series, which a bucket that was full in between makes too low; and within this one, which is
        exact but for two calls.
        """
        long = (self._passed - self._window.passed) / max(now - self._window.at, 1e-3)
        passed, span = self._passed - self._series_began.passed, now - self._series_began.at
        if len(self._series) > 1 and span > 0 and passed >= 4:  # noqa: PLR2004 - two calls more or less
            return max((passed - 2) / span, min(long, (passed + 2) / span))
        return long

    def _lowered(self, rate: float, estimate: float) -> float:
        most = estimate / (1 - min(0.6, self._suspicion.usual))
        cuts = len(self._series)
        if cuts <= len(_LEAST_OF):
            return _BELOW * max(min(most, rate), _LEAST_OF[cuts - 1] * rate)
        return _BELOW * max(min(most, 0.8 * rate), _LEAST_OF[-1] * rate)

    def _is_strange(self, rate: float, estimate: float) -> bool:
        """Return whether refusals keep coming well below what once got through: they may be chance."""
        if self._passed - self._window.passed >= 20:  # noqa: PLR2004 - calls that say a rate
            self._limit = max(self._limit, min(estimate, rate))
            self._best = max(self._best, self._limit)
        if rate > 0.9 * self._limit:
            self._strange = 0
        elif rate < 0.8 * self._limit:
            if not self._strange:
                self._strange_from = self._sends.count, self._refusals
            self._strange += 1
        return self._strange >= _UNEXPLAINED and self._sends.count >= self._search_at

    def _search_again(self, now: float) -> None:
        """Take the refusals of late for chance, and look for the limit anew."""
        sent, refused = self._sends.count - self._strange_from[0], self._refusals - self._strange_from[1]
        self._suspicion.settle(float(sent), min(0.5, refused / max(1, sent)))
        self._suspicion.tried = self._suspicion.usual
        self._phase = "search"
        self._restart(now, max(self._rate, 0.9 * self._limit))
        self._limit, self._strange = 0.0, 0
        self._search_at = self._sends.count + _RETRY_CALLS

    # -- growth ----------------------------------------------------------------------------------------------------

    def _grow(self, elapsed: float) -> None:
        if self._phase == "search":
            factor = self._doubling(elapsed)
        elif self._phase == "approach":
            factor = 1 + min(elapsed, 1.0) * min(_APPROACH, 0.15 * self._rate)
        else:
            factor = self._following(min(elapsed, 1.0))
            self._come_back(min(elapsed, 1.0))
        self._rate = min(self._rate * factor, self.ceiling, _MOST)

    def _doubling(self, elapsed: float) -> float:
        if not self._answers or self._suspicion.score > _ALARM / 3:
            return 1.0
        usual = self._doubles_in_s if self._rate < _FAST else 2 * self._doubles_in_s
        doubles_in_s = max(usual, min(2.0, 0.6 * self._latency_s))
        return float(2 ** (min(elapsed, doubles_in_s) / doubles_in_s))

    def _following(self, elapsed: float) -> float:
        told, still = elapsed * min(1.0, self._rate / _FULL), _STILL * _SPAN
        pace = _RISE / _SPAN
        if self._told >= still:
            pace = min(_APPROACH, pace * 2 ** min(_FASTER * (self._told - still) / _SPAN, 20.0))
            self._told += elapsed * min(1.0, (self._rate / _FULL) ** 0.5)
        else:
            self._told += told
        return 1 + told * pace

    def _come_back(self, elapsed: float) -> None:
        """Approach the limit anew where little goes and nothing is refused any more: it may have been low for a while.

        Where it is still low that costs a refusal or two, so that it is tried ever more rarely.
        """
        self._calm_s += elapsed
        low = max(_LOW, _LOW_OF_BEST * self._best)
        if self._rate > 2 * low:
            self._back_s = _BACK_S
        elif self._rate <= low and self._calm_s >= self._back_s:
            self._phase, self._cut_at, self._calm_s = "approach", float("-inf"), 0.0
            self._back_s *= _BACK_SLOWER
