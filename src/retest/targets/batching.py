"""What a target offers that answers many calls at once, in a batch: a file in, files out, a day later at most."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Protocol, runtime_checkable

from retest.domain.batch import OVER
from retest.domain.sample import CallError, CallOutcome
from retest.targets.base import Request, Target

MOST_REQUESTS = 50_000  # in one file, as the public API description says
MOST_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFault:
    """Why a batch was refused as a whole; `line` is of its file."""

    code: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        """Return it as one line."""
        where = "" if self.line is None else f" (line {self.line} of the file)"
        return f"{self.code}: {self.message}{where}" if self.code else f"{self.message}{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """A batch as its provider describes it."""

    batch_id: str
    status: str
    token: str | None = None
    file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    answered: int = 0
    failed: int = 0
    faults: tuple[BatchFault, ...] = ()

    @property
    def is_over(self) -> bool:
        """Return whether nothing will change any more."""
        return self.status in OVER


class BatchCallError(Exception):
    """A request about a batch failed."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


class Batcher(Protocol):
    """Speaks to a provider about batches of one target. What fails raises `BatchCallError`."""

    @property
    def place(self) -> str:
        """Where batches go, without credentials."""
        ...

    @property
    def endpoint(self) -> str:
        """What the calls in them are to, such as ``/v1/chat/completions``."""
        ...

    def line(self, request: Request, custom_id: str) -> bytes:
        """Return one call as a line of a batch's file: the same body as that of a direct call."""
        ...

    def outcome(self, line: Any, model: str | None, batch_id: str) -> tuple[str, CallOutcome] | None:
        """Return the name and outcome of the call that a line of results is about; None where it names none."""
        ...

    async def upload(self, file: IO[bytes], name: str) -> str:
        """Hand a file over; return the provider's name for it once it may be used."""
        ...

    async def create(self, file_id: str, token: str) -> BatchState:
        """Start a batch of a file, with our own name in its metadata."""
        ...

    async def find(self, token: str, file_id: str, since: datetime) -> BatchState | None:
        """Return the batch of that name, or of that file, if it was created since then."""
        ...

    async def state(self, batch_id: str) -> BatchState:
        """Return how a batch is doing."""
        ...

    async def cancel(self, batch_id: str) -> BatchState:
        """Ask for a batch to end; calls that were answered stay so."""
        ...

    def lines(self, file_id: str) -> AsyncIterator[Any]:
        """Yield the parsed lines of a file of results."""
        ...

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        ...


@runtime_checkable
class Batched(Protocol):
    """A target whose provider takes batches."""

    def batcher(self) -> Batcher | None:
        """Return what speaks about them; None where this kind of call cannot be in one."""
        ...


def open_batcher(target: Target) -> Batcher | None:
    """Return what sends a target's calls in batches, None where it cannot."""
    return target.batcher() if isinstance(target, Batched) else None
