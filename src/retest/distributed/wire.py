"""What goes between the driver and its workers, and the worker's end of it.

::

    worker ── take() ──►  asks: next shard, record, append, claim, admit ...   ──► driver
           ◄─ deliver() ─ replies                                              ◄──

A worker cannot call the driver, so the driver waits for what a worker has to say, and answers when it can. All that
came up while a message was on its way goes into the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.run import JudgeCounts
from retest.domain.sample import CallError, Response, ScoreOutcome
from retest.errors import Problem, RetestError
from retest.runner.plan import PlannedCall, PlannedText

_GATHER_S = 0.02  # a message costs about 1 ms on both sides, whatever is in it
RUN_BUDGET = ""  # as opposed to those of judges, which have names


@dataclass(frozen=True, slots=True)
class Ask:
    """What a worker wants of the driver; without a number it waits for no answer."""

    number: int | None
    method: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to the ask of that number, or what went wrong."""

    number: int
    value: Any = None
    problems: tuple[Problem, ...] = ()
    kind: type[RetestError] | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker says at one time; `judges` is what its judges came to so far."""

    asks: tuple[Ask, ...]
    judges: Mapping[str, JudgeCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShardCall:
    """One call of a shard; its case and its messages are beside it, once each."""

    arm_index: int
    case_index: int
    sample_index: int
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Calls for one worker, rendered, with what is paid for already; all others are claimed for it."""

    calls: tuple[ShardCall, ...]
    cases: Mapping[int, Case]
    texts: Mapping[str, Sequence[Message]]
    paid: Mapping[str, Response]

    def planned(self) -> list[PlannedCall]:
        """Return the calls as an execution takes them."""
        texts = {name: PlannedText(_Sent(messages), {}, name) for name, messages in self.texts.items()}
        return [
            PlannedCall(
                arm_index=call.arm_index,
                case_index=call.case_index,
                sample_index=call.sample_index,
                case=self.cases[call.case_index],
                key=call.key,
                text=texts[call.text],
            )
            for call in self.calls
        ]


def pack(calls: Sequence[PlannedCall], paid: Mapping[str, Response]) -> Shard:
    """Return calls as a shard.

    Args:
        calls: ready to be made, or paid for.
        paid: the responses of those that are, by key.
    """
    return Shard(
        calls=tuple(ShardCall(*call.where, call.key, call.messages_hash) for call in calls),
        cases={call.case_index: call.case for call in calls},
        # What is paid for is not sent, so that nobody there looks at its messages.
        texts={call.messages_hash: () for call in calls}
        | {call.messages_hash: call.messages for call in calls if call.key not in paid},
        paid=paid,
    )


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A sample as a worker is done with it; the driver has the answer already, so that only an error is said again."""

    where: tuple[int, int, int]
    error: CallError | None
    scores: Mapping[str, ScoreOutcome]


class _Sent:
    """Messages that the driver rendered; satisfies `Template`."""

    variables: Final[frozenset[str]] = frozenset()
    required_variables: Final[frozenset[str]] = frozenset()

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = list(messages)

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:  # noqa: ARG002 - they are filled in
        """Return the messages, whatever the variables."""
        return self._messages


class Link:
    """The worker's end: asks go out in the order in which they came up, replies come back in any."""

    def __init__(self) -> None:
        self._asks: list[Ask] = []
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._something = asyncio.Event()
        self._number = 0
        self._is_closed = False

    async def ask(self, method: str, *args: Any) -> Any:
        """Return the driver's answer.

        Raises:
            RetestError: the driver could not do it.
            asyncio.CancelledError: the worker ends.
        """
        if self._is_closed:
            raise asyncio.CancelledError
        self._number += 1
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = reply
        self._send(Ask(self._number, method, args))
        return await reply

    def tell(self, method: str, *args: Any) -> None:
        """Let the driver know; it does not answer."""
        self._send(Ask(None, method, args))

    async def take(self) -> tuple[Ask, ...]:
        """Return what came up since the last time, at least one thing."""
        await self._something.wait()
        await asyncio.sleep(_GATHER_S)
        self._something.clear()
        asks, self._asks = tuple(self._asks), []
        return asks

    def deliver(self, replies: Sequence[Reply]) -> None:
        """Hand out the driver's answers; who waited may have been cancelled."""
        for reply in replies:
            waiting = self._waiting.pop(reply.number, None)
            if waiting is None or waiting.done():
                continue
            if reply.kind is not None:
                waiting.set_exception(reply.kind(*reply.problems))
            else:
                waiting.set_result(reply.value)

    def close(self) -> None:
        """Wait for no answer any more."""
        self._is_closed = True
        for waiting in self._waiting.values():
            waiting.cancel()

    def _send(self, ask: Ask) -> None:
        self._asks.append(ask)
        self._something.set()
