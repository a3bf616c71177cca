"""Runs, cases and samples to store, with as few words as a test allows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from retest.domain.case import Case
from retest.domain.run import Provenance, Run, RunArm, RunMetric, SampleRecord
from retest.domain.sample import CallError, Response, Score, ScoreOutcome
from retest.errors import Location
from retest.store.base import LedgerEntry
from retest.store.database import Store

T = TypeVar("T")

START = datetime(2026, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Return seconds since 1970."""
        return self.now.timestamp()


def make_arm(name: str = "intent/small", **changes: object) -> RunArm:
    """Return an arm."""
    prompt, _, target = name.partition("/")
    arm = RunArm(
        name=name,
        prompt_name=prompt,
        prompt_path=f"prompts/{prompt}.md",
        prompt_hash=f"hash-of-{prompt}",
        prompt_source="どのチームが答えるべきですか。{{ message }}",
        target_name=target,
        provider="openai",
        model="gpt-4o-mini",
        identity={"base_url": "http://127.0.0.1/v1"},
        params={"temperature": 0.7},
        labels=("production",),
    )
    return replace(arm, **changes)  # type: ignore[arg-type] # fields by name


def make_run(run_id: str = "20260301-093015-aaaa", *, minutes: int = 0, **changes: object) -> Run:
    """Return a run that began so many minutes after `START`."""
    run = Run(
        run_id=run_id,
        suite="support/ja/intent",
        suite_path="evals/support/ja/intent.yaml",
        suite_source="name: support/ja/intent\n",
        fingerprint="fingerprint",
        config_hash="config",
        status="running",
        draw=0,
        samples_per_case=2,
        planned=4,
        started_at=START + timedelta(minutes=minutes),
        arms=(make_arm(),),
        metrics=(make_metric("exact_match"), make_metric("length")),
        dataset_fingerprint="dataset",
        files={"evals/support/ja/intent.yaml": "abc"},
        provenance=Provenance(git_commit="0123456789abcdef", git_branch="main", git_dirty=False, user="花子", pid=1),
    )
    return replace(run, **changes)  # type: ignore[arg-type] # fields by name


def make_metric(name: str, signature: str | None = None) -> RunMetric:
    """Return a metric; its signature is its name unless given."""
    return RunMetric(name=name, metric=name, signature=signature or name)


def make_case(index: int, **changes: object) -> Case:
    """Return a case."""
    case = Case(
        case_id=f"case-{index}",
        vars={"message": f"返品したい {index}"},
        content_hash=f"content-{index}",
        expected="returns",
        cluster="ticket-1",
        tags=("ja",),
        meta={"row": index},
        where=Location(path="datasets/support.jsonl", line=index + 1),
    )
    return replace(case, **changes)  # type: ignore[arg-type] # fields by name


def make_record(
    place: tuple[int, int, int],
    outcome: str | Response | CallError = "returns",
    scores: Mapping[str, ScoreOutcome | float] | None = None,
    **changes: object,
) -> SampleRecord:
    """Return the record of (arm, case, sample); without scores an answer gets 1.0 on ``exact_match``."""
    arm, case, sample = place
    if isinstance(outcome, str):
        outcome = Response(output=outcome)
    if scores is None:
        scores = {} if isinstance(outcome, CallError) else {"exact_match": 1.0}
    record = SampleRecord(
        arm_index=arm,
        case_index=case,
        sample_index=sample,
        key=f"key-{arm}-{case}-{sample}",
        messages_hash=f"messages-{case}",
        outcome=outcome,
        scores={name: Score(value=given) if isinstance(given, float) else given for name, given in scores.items()},
    )
    return replace(record, **changes)  # type: ignore[arg-type] # fields by name


def store_run(store: Store, run: Run, records: Sequence[SampleRecord], *, status: str = "complete") -> None:
    """Store a whole run as the runner does: cases, messages, responses, samples."""
    asyncio.run(_store_run(store, run, records))
    if status != "running":
        store.update_run(run.run_id, status=status)  # type: ignore[arg-type] # a status by name


async def _store_run(store: Store, run: Run, records: Sequence[SampleRecord]) -> None:
    ledger, writer = store.ledger(), store.start_run(run)
    indexes = sorted({record.case_index for record in records})
    await writer.add_cases([(index, make_case(index)) for index in indexes])
    await writer.add_messages(
        {f"messages-{index}": [{"role": "user", "content": f"問い {index}"}] for index in indexes},
    )
    answers = [record for record in records if isinstance(record.outcome, Response)]
    await ledger.record([make_entry(record.key, record.outcome) for record in answers])
    await writer.append(records)


def make_entry(key: str, response: str | Response | CallError = "returns", role: str = "target") -> LedgerEntry:
    """Return a ledger entry."""
    answer = response if isinstance(response, Response) else Response(output=str(response))
    return LedgerEntry(key=key, response=answer, role=role)


def in_loop(work: Callable[[], Awaitable[T]]) -> T:
    """Run something asynchronous to its end."""

    async def run() -> T:
        return await work()

    return asyncio.run(run())
