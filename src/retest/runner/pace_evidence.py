"""Do refusals depend on the rate of calls, or do they come by chance, at one share whatever the rate is?

A limit refuses ``1 - limit / rate`` of what is sent above it and nothing below it; a busy endpoint refuses one share at
every rate. Calls at two rates and more tell the two apart, by the ratio of their likelihoods.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log

_RARE = 0.02  # share of refusals up to which nobody has to know why
_MORE, _LITTLE_MORE = 0.35, 0.15  # of what is not refused as usual: what suspicion waits for
_SLACK, _BEYOND = 0.03, 1.3  # how far beyond the share that was tried the usual one may drift
_MEMORY = 1000.0  # calls that say what is usual
_SURELY = 2  # refusals that may have been bad luck, before anything is called usual
_FEWEST, _LOWEST_SHARE, _HIGHEST_SHARE = 40.0, 0.003, 0.995
_UNTRIED = (200, 5, 0.015)  # calls, refusals and share from which a share is worth a trial
_STEP, _STEPS = 0.89, 70  # of the limits that are tried: down to 1/3500 of the highest rate
_OTHERWISE = 4.0  # what it costs a limit (log) that the calls before it was reached fit it badly
_KEPT, _RATED = 128, 64  # times of calls kept, and how many of them say the rate
_FEW = 8


@dataclass(slots=True)
class Stretch:
    """Calls that were sent at one rate, and how many of them were refused.

    Attributes:
        began: when the first was sent; below 0 where all that can be refused is.
        rate: calls a second; 0 for calls before any limit was reached, whatever their rate.
    """

    began: float
    rate: float
    sent: float = 0.0
    refused: float = 0.0


def pooled_share(stretches: Iterable[Stretch]) -> float:
    """Return the share of refusals in all stretches that have a rate."""
    counted = [one for one in stretches if one.rate]
    return sum(one.refused for one in counted) / max(1.0, sum(one.sent for one in counted))


def evidence(stretches: Sequence[Stretch], background: float) -> tuple[float, float]:
    """Return how much likelier (log) one share at every rate is than a limit, and the likeliest limit.

    Args:
        stretches: at least one; the first may be of before the limit was reached.
        background: share that is refused below a limit, too.
    """
    sent = sum(one.sent for one in stretches)
    share = sum(one.refused for one in stretches) / max(1.0, sent)
    same = sum(_likelihood(share, one) for one in stretches)
    limited, limit = _best_limit(stretches, background)
    first, rest = stretches[0], stretches[1:]
    if first.rate and first.sent and any(one.sent for one in rest):
        apart, other = _best_limit(rest, background)
        apart += _likelihood(first.refused / first.sent, first) - _OTHERWISE
        if apart > limited:
            limited, limit = apart, other
    return same - limited, limit


def _best_limit(stretches: Sequence[Stretch], background: float) -> tuple[float, float]:
    return max(
        (
            sum(_likelihood(background + (1 - background) * _above(limit, one.rate), one) for one in stretches),
            limit,
        )
        for limit in _candidates(stretches)
    )


def _candidates(stretches: Sequence[Stretch]) -> Iterator[float]:
    top = max(one.rate for one in stretches)
    yield from (top * _STEP**step for step in range(_STEPS))
    yield from (one.rate * max(0.001, 1 - one.refused / one.sent) for one in stretches if one.sent)


def _above(limit: float, rate: float) -> float:
    return max(0.0, 1 - limit / rate) if rate else 0.0


def _likelihood(share: float, stretch: Stretch) -> float:
    kept = min(_HIGHEST_SHARE, max(_LOWEST_SHARE, share))
    return stretch.refused * log(kept) + (stretch.sent - stretch.refused) * log(1 - kept)


class Suspicion:
    """Whether more calls are refused than usual, and what is usual.

    The score is a cumulative sum of log likelihood ratios that never falls below 0 (Page 1954). What happens while it
    is above 0 counts as usual only once it is back at 0.
    """

    def __init__(self) -> None:
        self.score = 0.0
        self.tried = 0.0  # share that a trial found to be chance
        self.open = Stretch(0.0, 0.0)  # since the score left 0
        self._sent = self._refused = 0.0

    @property
    def usual(self) -> float:
        """Return the share of calls that is refused anyway, at least."""
        return max(0.0, self._refused - _SURELY) / max(self._sent, _FEWEST)

    @property
    def sent(self) -> float:
        """Return how many calls say what is usual."""
        return self._sent

    @property
    def wants_trial(self) -> bool:
        """Return whether what seems usual was never held against a limit."""
        calls, refusals, share = _UNTRIED
        enough = self.score == 0.0 and self._sent >= calls and self._refused >= refusals
        return enough and self.usual > max(share, 2 * self.tried)

    def note_sent(self, *, searching: bool) -> None:
        """Count a call that goes; only where no limit is known does it say what is usual."""
        usual, more = self._shares(searching=searching)
        if self.score > 0:
            self.score = max(0.0, self.score + log((1 - more) / (1 - usual)))
            self.open.sent += 1
            if self.score == 0.0 and searching:
                self.learn(self.open.sent, self.open.refused)
        elif searching:
            self.learn(1.0, 0.0)

    def note_refused(self, began: float, since: int, *, searching: bool) -> None:
        """Count a refusal of a call that was sent at `began`; `since` calls were, from it on."""
        usual, more = self._shares(searching=searching)
        if self.score == 0.0:
            if searching:
                since = min(since, int(self._sent))
                self._sent -= since
            self.open = Stretch(began, 0.0, since)
        self.score += log(more / usual)
        self.open.refused += 1

    def learn(self, sent: float, refused: float, *, most: float = _MEMORY) -> None:
        """Take calls into what is usual."""
        self._sent += sent
        self._refused += refused
        if self._sent > most:
            self._refused *= most / self._sent
            self._sent = most

    def settle(self, sent: float, share: float) -> None:
        """Take a share as usual, as if so many calls had shown it."""
        self._sent, self._refused = sent, _SURELY + sent * share

    def remembered(self, most: float, rate: float = 0.0) -> Stretch:
        """Return the calls that say what is usual, at most so many."""
        sent = min(most, self._sent)
        return Stretch(-1.0, rate, sent, sent * self.usual)

    def _shares(self, *, searching: bool) -> tuple[float, float]:
        """Return what is usual, and what would be remarkable."""
        usual = max(_RARE, min(self.usual, _BEYOND * self.tried + _SLACK))
        return usual, usual + (_MORE if searching or usual <= _RARE else _LITTLE_MORE) * (1 - usual)


class Sends:
    """When calls went."""

    def __init__(self) -> None:
        self.count = 0
        self._times: deque[float] = deque(maxlen=_KEPT)

    def note(self, now: float) -> None:
        """Count a call."""
        self.count += 1
        self._times.append(now)

    def rate(self, otherwise: float) -> float:
        """Return the calls a second of late; what is passed in where they are too few to say."""
        number = min(len(self._times), _RATED)
        if number < _FEW or self._times[-1] <= self._times[-number]:
            return otherwise
        return (number - 1) / (self._times[-1] - self._times[-number])

    def since(self, moment: float, now: float) -> int:
        """Return how many calls were sent from a moment on, itself included."""
        if self._times and self._times[0] < moment:
            return len(self._times) - bisect_right(self._times, moment - 1e-9)
        return int(self.rate(0.0) * (now - moment)) + 1

    def between(self, first: float, last: float) -> int:
        """Return how many of the latest calls were sent in between."""
        return bisect_right(self._times, last) - bisect_right(self._times, first - 1e-9)
