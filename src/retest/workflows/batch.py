"""`--batch`: what a run may ask for by batch, and what it does with calls that are out in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from retest.domain.batch import Batch
from retest.domain.suite import Arm
from retest.errors import IncompleteError, Problem, UsageError
from retest.runner.events import WaitingForBatch
from retest.runner.pacing import RetryPolicy
from retest.runner.stopping import Budget
from retest.targets.base import Target
from retest.targets.batching import Batcher, open_batcher

if TYPE_CHECKING:
    from retest.runner.events import Listener
    from retest.runner.execute import ExecutionOptions
    from retest.runner.stopping import StopSignal
    from retest.store.database import Store  # loads SQLAlchemy
    from retest.store.ledger import StoredLedger
    from retest.workflows.batch_orders import Desk
    from retest.workflows.batch_stage import BatchStage
    from retest.workflows.run import PreparedRun, RunOptions
    from retest.workflows.workspace import Workspace

_LEAST_POLL_S = 0.01


def check_batch_wish(options: RunOptions) -> None:
    """Refuse what cannot go together with batches.

    Raises:
        UsageError: it does not.
    """
    if not options.batch:
        return
    if options.until_decided is not None:
        why = "looks at answers as they come, wave after wave; a batch takes up to a day for each"
        raise UsageError(
            Problem(
                slug="batch-until-decided",
                message=f"--until-decided {why}",
                fix="leave one of the two out: --batch halves the price, --until-decided the number of calls",
            )
        )
    if options.offline:
        raise UsageError(
            Problem(slug="batch-offline", message="--offline forbids calls, and --batch makes them", fix="choose one")
        )


def open_batchers(arms: Sequence[Arm], targets: Sequence[Target], stack: AsyncExitStack) -> dict[int, Batcher]:
    """Return what sends each target's calls in batches, by the target's id; closed with the stack.

    Raises:
        UsageError: a target takes none.
    """
    batchers: dict[int, Batcher] = {}
    unable: dict[str, Arm] = {}
    for arm, target in zip(arms, targets, strict=True):
        if id(target) in batchers:
            continue
        batcher = open_batcher(target)
        if batcher is None:
            unable.setdefault(arm.target.name, arm)
        else:
            stack.push_async_callback(batcher.aclose)
            batchers[id(target)] = batcher
    if unable:
        raise UsageError(*(_unable(arm) for arm in unable.values()))
    return batchers


def _unable(arm: Arm) -> Problem:
    kind = f"provider {arm.target.provider}"
    api = arm.target.options.get("api")
    return Problem(
        slug="batch-unsupported",
        message=f"target {arm.target.name} takes no batches ({kind}{f', api {api}' if api else ''})",
        where=arm.target.where,
        details=("--batch is for targets of the providers openai and azure_openai, by api chat or responses",),
        fix="run without --batch, or set another target: --set target.provider=openai",
    )


async def check_calls_in_batches(out: Counter[int], store: Store, listener: Listener) -> None:
    """See to the batches that hold back calls of a run without `--batch`.

    Where a live process looks after one, the run will wait for its answers, and says so.

    Args:
        out: calls, by the number of their batch.
        store: with the batches.
        listener: is told.

    Raises:
        IncompleteError: nobody looks after one: waiting might take for ever, and calling would pay twice.
    """
    batches = [await store.batches.load(number) for number in sorted(out)]
    left = [batch for batch in batches if not await store.batches.is_looked_after(batch.number)]
    if left:
        raise IncompleteError(_outstanding(left, sum(out[batch.number] for batch in left)))
    for batch in batches:
        listener(WaitingForBatch(batch=batch, calls=out[batch.number]))


def _outstanding(batches: Sequence[Batch], calls: int) -> Problem:
    names = ", ".join(batch.name for batch in batches[:3])
    until = max(batch.expires_at for batch in batches)
    return Problem(
        slug="batch-outstanding",
        message=f"{calls:,} calls of this run are out in a batch ({names}): made here, they would be paid for twice",
        details=(f"the provider has until {until:%Y-%m-%d %H:%M} UTC for them",),
        fix="take the answers with the same command and --batch, or with `retest batch fetch`; or end the batch: "
        f"retest batch cancel {batches[0].name}",
    )


def batch_stage(
    prepared: PreparedRun, surroundings: tuple[Store, Workspace, Listener, StopSignal], execution: ExecutionOptions
) -> BatchStage | None:
    """Return what fetches a prepared run's answers by batch; None where calls are direct.

    Args:
        prepared: up to its first call.
        surroundings: the store, the workspace, who is told and who stops.
        execution: that follows, with its budget, and with what is to be filled.
    """
    if execution.fetched is None:
        return None
    from retest.store.ledger import StoredLedger
    from retest.workflows.batch_stage import BatchStage

    # What a run has of its store and its options, for the type checker.
    assert isinstance(prepared.ledger, StoredLedger)  # noqa: S101 - as said
    assert isinstance(execution.budget, Budget)  # noqa: S101 - as said
    desk = open_desk(prepared.ready.suite, prepared.ready.run_id, prepared.ledger, surroundings)
    attempts = int(surroundings[1].settings["batch_attempts"])
    targets = (prepared.targets, prepared.batchers)
    return BatchStage(prepared.plan, targets, desk, execution.budget, attempts, execution.fetched)


def open_desk(
    suite: str, run_id: str, ledger: StoredLedger, surroundings: tuple[Store, Workspace, Listener, StopSignal]
) -> Desk:
    """Return what handing over and looking after the batches of a run takes."""
    from retest.workflows.batch_orders import Desk

    store, workspace, listener, stop = surroundings
    settings = workspace.settings
    return Desk(
        suite=suite,
        run_id=run_id,
        ledger=ledger,
        batches=store.batches,
        stop=stop,
        tell=listener,
        now=workspace.clock,
        retry=RetryPolicy(attempts=int(settings["attempts"]), patience_s=float(settings["patience_s"])),
        settle_s=workspace.batch_settle_s,
        poll_s=max(_LEAST_POLL_S, float(settings["batch_poll_s"])),
        grace_s=float(settings["grace_s"]),
    )
