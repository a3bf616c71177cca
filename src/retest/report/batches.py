"""Batches in words, for progress and for lists."""

from __future__ import annotations

from retest.domain.batch import Batch
from retest.domain.json_value import JsonValue
from retest.report.escape import one_line
from retest.report.numbers import format_count, plural

_HARMLESS = "Ctrl-C is harmless: the same command goes on with it"


def batch_document(batch: Batch) -> dict[str, JsonValue]:
    """Return a batch as JSON; times in UTC, `ended_at` null while it is out."""
    ended = None if batch.ended_at is None else batch.ended_at.isoformat()
    return {
        "name": batch.name,
        "token": batch.token,
        "batch_id": batch.batch_id,
        "file_id": batch.file_id,
        "suite": batch.suite,
        "run_id": batch.run_id,
        "model": batch.model,
        "place": batch.place,
        "endpoint": batch.endpoint,
        "status": batch.status,
        "requests": batch.requests,
        "answered": batch.answered,
        "failed": batch.failed,
        "created_at": batch.created_at.isoformat(),
        "expires_at": batch.expires_at.isoformat(),
        "ended_at": ended,
        "note": batch.note,
    }


def batch_line(what: str, batch: Batch, errors: int = 0) -> str:
    """Return one line of news: it was sent or found, has got on, was taken or refused."""
    name = f"batch {one_line(batch.name)}"
    match what:
        case "sent":
            return f"{name}: {plural(batch.requests, 'call')} handed to {one_line(batch.place)}; {_HARMLESS}"
        case "found":
            return f"{name}: {plural(batch.requests, 'call')} out since {_moment(batch)}; {_HARMLESS}"
        case "taken":
            failed = f", {plural(errors, 'call')} without an answer" if errors else ""
            return f"{name}: {one_line(batch.status)}, its answers are taken{failed}"
        case "refused":
            return f"{name}: refused: {one_line(batch.note or 'the provider does not say why')}"
    return f"{name}: {state_text(batch)}"


def state_text(batch: Batch) -> str:
    """Return how far a batch has got."""
    done = f"{format_count(batch.answered)} of {format_count(batch.requests)} answered"
    failed = f", {format_count(batch.failed)} failed" if batch.failed else ""
    return f"{one_line(batch.status)}, {done}{failed}"


def waiting_line(batch: Batch, calls: int) -> str:
    """Return what a run says that waits for the answers of another's batch."""
    until = f"{batch.expires_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"waiting for {plural(calls, 'call')} in batch {one_line(batch.name)}, which another process looks after and "
        f"the provider has until {until}; with --batch this run would take over from it, should it end"
    )


def left_line(batch: Batch) -> str:
    """Return what becomes of a batch when the run that waited for it is stopped."""
    return f"batch {one_line(batch.name)} goes on at the provider ({state_text(batch)}): nothing is lost"


def cared_line(batch: Batch, answers: int, errors: int, *, taken: bool) -> str:
    """Return what came of looking after a batch."""
    name = f"batch {one_line(batch.name)}"
    if not taken:
        return f"{name}: {state_text(batch)}"
    if batch.note and not answers:
        return f"{name}: {one_line(batch.status)}: {one_line(batch.note)}"
    failed = f", {plural(errors, 'call')} without" if errors else ""
    return f"{name}: {one_line(batch.status)}, {plural(answers, 'answer')} taken{failed}"


def _moment(batch: Batch) -> str:
    return f"{batch.created_at:%Y-%m-%d %H:%M} UTC"
