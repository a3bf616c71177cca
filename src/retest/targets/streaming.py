"""Targets that can show an answer while it is written (`retest try`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from retest.domain.sample import CallError
from retest.targets.base import Request


class StreamError(Exception):
    """A streamed answer broke off; `error` says why."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.message)
        self.error = error


@runtime_checkable
class StreamingTarget(Protocol):
    """What a target may offer beside `call`."""

    def stream(self, request: Request) -> AsyncIterator[str]:
        """Yield the answer's text piece by piece.

        Raises:
            StreamError: the call failed, at the start or midway.
        """
        ...
