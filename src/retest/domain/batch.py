"""Batches: calls that were handed to a provider in one file, to be answered within a day for half the price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from retest.domain.json_value import JsonValue

NEW = "new"  # noted in the store, and perhaps at the provider: nobody knows yet
FORGOTTEN = "forgotten"  # given up by a person
NEVER_SENT = "never sent"
OVER = frozenset({"completed", "failed", "expired", "cancelled"})  # as the provider calls them


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch as the store knows it.

    Attributes:
        number: in its store.
        token: our own name for it, in its metadata at the provider.
        run_id: the run that pays.
        place: the endpoint it was sent to, without credentials.
        endpoint: of the calls in it, such as ``/v1/chat/completions``.
        identity: of the target that sent it.
        file_id, batch_id: the provider's names, None until they are known.
        status: the provider's word, or one of this module's.
        answered, failed: requests that the provider was through with when it was last asked.
        expires_at: when the provider gives up what it has not done.
        ended_at: when its answers were taken, None while they are out.
        note: why there are none.
    """

    number: int
    token: str
    run_id: str
    suite: str
    place: str
    endpoint: str
    model: str | None
    requests: int
    created_at: datetime
    expires_at: datetime
    identity: Mapping[str, JsonValue] = field(default_factory=dict)
    file_id: str | None = None
    batch_id: str | None = None
    status: str = NEW
    answered: int = 0
    failed: int = 0
    ended_at: datetime | None = None
    note: str | None = None

    @property
    def name(self) -> str:
        """Return what to call it: the provider's name, else ours."""
        return self.batch_id or self.token
