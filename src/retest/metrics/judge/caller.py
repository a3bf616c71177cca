"""How a judge reaches its model: one Protocol, behind which lie the ledger, pacing, retry and budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.sample import MetricFailure, Response

T = TypeVar("T")
JUDGE_ERROR = "judge_error"


class BadVerdictError(ValueError):
    """What the judge said is no verdict: prose, a missing field, a grade out of range. The message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question to a judge.

    Attributes:
        schema: JSON Schema of the answer; None where the endpoint has an answer format of its own (moderation).
        judged: what is judged: the ledger key of the sample, or both keys of a pair in the order shown.
        vote: 0.. numbers the repeats; each is an answer of its own.
    """

    messages: Sequence[Message]
    case: Case
    judged: str
    vote: int = 0
    schema: Mapping[str, JsonValue] | None = None
    name: str = "verdict"
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


class Caller(Protocol):
    """Asks one judge."""

    @property
    def name(self) -> str:
        """The judge's name in the suite."""
        ...

    async def ask(self, question: Question, read: Callable[[Response], T]) -> T | MetricFailure:
        """Return what `read` makes of the judge's answer, or why there is none.

        A failed call is retried as a target's is. An answer that `read` refuses with `BadVerdictError` is asked for
        again, each attempt under a ledger key of its own; after the last the failure has the kind ``judge_error``.
        An answer is durable before `read` sees it.

        Raises:
            JudgingStoppedError: the run stops, by a person or by a budget, before there was an answer.
            StoreError: an answer could not be made durable.
        """
        ...


class JudgingStoppedError(Exception):
    """The run ended before this judgment was made: the sample stays unscored, and the same command resumes it."""
