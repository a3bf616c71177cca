"""What happens during a run, told to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from retest.domain.batch import Batch
from retest.domain.run import SampleRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReady:
    """The plan before any spending. Estimates are None where a price or a length is unknown.

    What judges would take is apart, at most: which judgments are in the ledger is not known before the answers are.
    """

    run_id: str
    suite: str
    cases: int
    samples: int
    arms: tuple[str, ...]
    planned: int
    in_ledger: int
    estimated_tokens: int | None = None
    estimated_cost_usd: float | None = None
    resumed: bool = False
    draw: int = 0
    judge_calls: int = 0
    judge_tokens: int = 0
    judge_cost_usd: float | None = 0.0
    by_batch: bool = False
    in_batches: int = 0  # calls that are out already, and will be paid for whatever happens

    @property
    def calls_to_make(self) -> int:
        """Return how many calls are not paid for yet."""
        return self.planned - self.in_ledger - self.in_batches


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesDone:
    """A batch of samples is stored: durable, scored."""

    records: tuple[SampleRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRetried:
    """A call failed and will be tried again after `wait_s`."""

    kind: str
    wait_s: float
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """No new calls are taken; those in flight have `grace_s` to arrive."""

    reason: str
    message: str
    in_flight: int
    grace_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForOthers:
    """Another process is fetching these keys; this one waits rather than pay twice."""

    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNews:
    """A batch was handed over, has got on, or is over; `errors` of its calls have no answer."""

    what: Literal["sent", "found", "state", "taken", "refused"]
    batch: Batch
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingForBatch:
    """Another process looks after a batch that holds calls of this run; this one waits for its answers."""

    batch: Batch
    calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLimit:
    """An endpoint lets fewer calls through than wait; told once, and again when it is a limit of another size.

    `judge` is whose calls they are; empty for those of a target.
    """

    calls_per_s: float
    model: str | None = None
    judge: str = ""

    @property
    def message(self) -> str:
        """Return it in words."""
        whose = f"judge {self.judge}: " if self.judge else ""
        model = f" of {self.model}" if self.model else ""
        return f"{whose}limited by the endpoint to about {float(f'{self.calls_per_s:.2g}'):g} calls/s{model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth knowing that changes nothing of what is found."""

    message: str


Event: TypeAlias = (
    PlanReady
    | SamplesDone
    | CallRetried
    | Stopping
    | WaitingForOthers
    | BatchNews
    | WaitingForBatch
    | EndpointLimit
    | Notice
)
Listener: TypeAlias = Callable[[Event], None]


def ignore_events(event: Event) -> None:
    """Listen to nothing."""
