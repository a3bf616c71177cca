"""What a run did in all: a run that was stopped, or killed, and taken up again counts every call that it paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from retest.domain.run import JudgeCounts, Run, RunCounts

if TYPE_CHECKING:
    from retest.store.database import Store  # loads SQLAlchemy


def total_counts(store: Store, unfinished: Run | None, now: RunCounts) -> RunCounts:
    """Return the counts of a run over all processes that worked on it.

    Args:
        store: with its samples and responses.
        unfinished: the run as this process found it; None where it began it.
        now: what this process did.
    """
    if unfinished is None:
        return now
    stored = store.count_run(unfinished.run_id)
    failed = unfinished.counts.failed_calls + now.failed_calls
    return replace(
        stored,
        calls=stored.calls + failed,
        failed_calls=failed,
        judges=_judges(stored.judges, unfinished.counts.judges, now.judges),
    )


def _judges(
    stored: Mapping[str, JudgeCounts], before: Mapping[str, JudgeCounts], now: Mapping[str, JudgeCounts]
) -> dict[str, JudgeCounts]:
    found: dict[str, JudgeCounts] = {}
    for name in {**now, **before}:
        earlier, own = (counts.get(name, JudgeCounts()) for counts in (before, now))
        paid = stored.get(name, JudgeCounts())
        if name not in stored:  # recorded without a name, as embeddings are: no more is known than what was said
            found[name] = _added(earlier, own)
            continue
        failed = earlier.failed_calls + own.failed_calls
        # What earlier processes paid for, this one has found in the ledger: that is no gift of another run.
        paid_before = paid.calls - (own.calls - own.failed_calls)
        found[name] = replace(
            paid,
            calls=paid.calls + failed,
            failed_calls=failed,
            ledger_hits=max(0, own.ledger_hits - paid_before),
            failures=own.failures,
        )
    return found


def _added(earlier: JudgeCounts, own: JudgeCounts) -> JudgeCounts:
    known = earlier.cost_usd is not None and own.cost_usd is not None
    return JudgeCounts(
        calls=earlier.calls + own.calls,
        ledger_hits=max(0, own.ledger_hits - earlier.calls),
        failures=own.failures,
        cost_usd=(earlier.cost_usd or 0.0) + (own.cost_usd or 0.0) if known else None,
        input_tokens=earlier.input_tokens + own.input_tokens,
        output_tokens=earlier.output_tokens + own.output_tokens,
        failed_calls=earlier.failed_calls + own.failed_calls,
    )


def spent_before(store: Store, unfinished: Run | None) -> float:
    """Return the dollars that earlier processes spent on a run, its judges' too."""
    if unfinished is None:
        return 0.0
    stored = store.count_run(unfinished.run_id)
    return (stored.cost_usd or 0.0) + sum(judge.cost_usd or 0.0 for judge in stored.judges.values())


def left_to_spend(limit_usd: float | None, spent_usd: float) -> float | None:
    """Return what a run's limit leaves; None where there is none."""
    return None if limit_usd is None else max(0.0, limit_usd - spent_usd)
