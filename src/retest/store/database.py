"""The store: one place for paid-for responses, runs, samples and scores."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from retest.deferred_packages import deferring
from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.run import Run, RunCounts, RunStatus
from retest.errors import RetestError
from retest.store.batches import StoredBatches
from retest.store.engine import Database, open_database
from retest.store.ledger import StoredLedger
from retest.store.liveness import this_observer
from retest.store.migrations import ensure_schema
from retest.store.owners import beat, forget_owners, is_alive
from retest.store.payloads import decode_optional, encode_text
from retest.store.records import (
    CleanupReport,
    RunFilter,
    SampleCall,
    SampleFilter,
    SearchFilter,
    SearchHit,
    StoredSample,
)
from retest.store.run_counts import count_run
from retest.store.run_queries import find_run_number, find_unfinished, list_runs, load_runs
from retest.store.run_writer import StoredRunWriter
from retest.store.runs import RunUpdate, change_run, change_tags, next_draw, open_run, set_metadata
from retest.store.sample_queries import (
    RunParts,
    arm_index,
    iter_samples,
    read_case,
    read_messages,
    read_parts,
    read_scores,
    sole_arm,
)
from retest.store.tables import runs
from retest.store.writer import Writer

with deferring(
    "retest.store.baselines",
    "retest.store.case_pages",
    "retest.store.comparison_queries",
    "retest.store.maintenance",
    "retest.store.rescored",
    "retest.store.reviews",
    "retest.store.search",
):  # what a run does without
    from retest.store import baselines, case_pages, comparison_queries, maintenance, rescored, reviews, search

if TYPE_CHECKING:
    from retest.store.baselines import NamedBaseline
    from retest.store.case_pages import CasePages
    from retest.store.rescored import Rescoring
    from retest.store.reviews import StoredReviews

_BEATS_PER_LEASE = 3
_LEASE_S = 60.0
_OLD = timedelta(days=30)


class Store:
    """A store in use; close it at the end, or use it in a ``with``.

    What writes while a run is under way (`ledger`, the writer of `start_run`) is asynchronous and never blocks the
    event loop. All else is called and returns; what it wrote is durable.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)
        self._observer = this_observer()
        self._leases: dict[str, float] = {}
        # No other process may be taken for an owner of the same name.
        self._unique = f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"
        self._closed = False

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    @property
    def place(self) -> str:
        """Return the path or URL, without any password."""
        return self._database.place

    # -- while a run is under way ----------------------------------------------------------------------------------

    def ledger(self, owner: str = "", lease_s: float = _LEASE_S) -> StoredLedger:
        """Return the ledger for one owner of claims; equal names in two stores that are open are two owners.

        Args:
            owner: a name to know it by: the run's id, which responses then say they were paid for by.
            lease_s: how long claims outlive the last sign of life of a process on another machine.
        """
        name = self._owner(owner)
        self._keep_alive(name, lease_s)
        watch = self._observer
        return StoredLedger(self._database, self._writer, owner=name, lease_s=lease_s, observer=watch, run=owner)

    def start_run(self, run: Run, *, owner: str = "") -> StoredRunWriter:
        """Store the header of a run (or take up an unfinished one of the same id) and return its writer.

        Args:
            run: becomes `running`, whatever its status.
            owner: whose heartbeat shows that the run is going on: the one given to `ledger`.

        Raises:
            UsageError: another live process is writing this run.
        """
        name = self._owner(owner)
        if name not in self._leases:
            self._keep_alive(name, _LEASE_S)
        self.heartbeat(owner)
        opened = self._writer.write_now(
            lambda connection: open_run(self._database, connection, run, name, self._observer),
        )
        return StoredRunWriter(self._database, self._writer, opened)

    def heartbeat(self, owner: str) -> None:
        """Note that an owner lives; the store's thread does so by itself while the store is open."""
        name = self._owner(owner)
        lease_s = self._leases.get(name, _LEASE_S)
        self._writer.write_now(lambda connection: self._beat(connection, name, lease_s))

    def _owner(self, name: str) -> str:
        return f"{name} {self._unique}".strip()

    def _keep_alive(self, owner: str, lease_s: float) -> None:
        self._leases[owner] = lease_s
        leases = dict(self._leases)

        def beat_all(connection: sa.Connection) -> None:
            for name, seconds in leases.items():
                self._beat(connection, name, seconds)

        self._writer.repeat(beat_all, min(leases.values()) / _BEATS_PER_LEASE)

    def _beat(self, connection: sa.Connection, owner: str, lease_s: float) -> None:
        beat(self._database, connection, owner, lease_s, self._observer)

    def find_unfinished(self, config_hash: str) -> Run | None:
        """Return the newest run of this configuration that did not finish and that no live process is writing."""
        with self._database.reading() as connection:
            found = find_unfinished(connection, config_hash)
            idle = [number for number, owner in found if not self._is_alive(connection, owner)]
            return next(load_runs(connection, idle[:1]), None)

    def is_being_written(self, run_id: str) -> bool:
        """Return whether a live process is writing the run."""
        query = sa.select(runs.c.owner).where(runs.c.run_id == encode_text(run_id))
        with self._database.reading() as connection:
            return self._is_alive(connection, decode_optional(connection.scalar(query)))

    def _is_alive(self, connection: sa.Connection, owner: str | None) -> bool:
        return owner is not None and is_alive(self._database, connection, owner, self._observer)

    def update_run(
        self,
        run_id: str,
        *,
        status: RunStatus | None = None,
        counts: RunCounts | None = None,
        summary: Mapping[str, JsonValue] | None = None,
        exit_code: int | None = None,
        finished_at: datetime | None = None,
    ) -> None:
        """Change a run's header; what is None stays. A run that is no longer `running` is nobody's any more."""
        update = RunUpdate(status=status, counts=counts, summary=summary, exit_code=exit_code, finished_at=finished_at)
        self._writer.write_now(lambda connection: change_run(connection, find_run_number(connection, run_id), update))

    def allocate_draw(self, suite: str) -> int:
        """Return 1, 2, ... for a suite: the number of the next fresh draw, given to nobody else."""
        return self._writer.write_now(lambda connection: next_draw(self._database, connection, suite))

    # -- looking ---------------------------------------------------------------------------------------------------

    def list_runs(self, wanted: RunFilter | None = None) -> list[Run]:
        """Return the runs that fulfil every condition, the newest first."""
        with self._database.reading() as connection:
            return list_runs(connection, wanted or RunFilter())

    def get_run(self, name: str) -> Run:
        """Return the run with that id or beginning of an id, the ``latest``, or the newest with that tag.

        Raises:
            UsageError: no run, or several, are called so.
        """
        with self._database.reading() as connection:
            return next(load_runs(connection, [find_run_number(connection, name)]))

    def count_run(self, run: str) -> RunCounts:
        """Return what all processes together did for a run (named as for `get_run`): each paid call once."""
        with self._database.reading() as connection:
            return count_run(self._database, connection, find_run_number(connection, run))

    def iter_samples(self, run: str, wanted: SampleFilter | None = None) -> Iterator[StoredSample]:
        """Yield the samples of a run (named as for `get_run`) in a stream.

        Raises:
            UsageError: there is no such run, arm or case.
        """
        return iter_samples(self._database, self._parts(run), wanted or SampleFilter())

    def get_case(self, run: str, case_id: str) -> Case:
        """Return a case as a run saw it.

        Raises:
            UsageError: there is no such run or case.
        """
        with self._database.reading() as connection:
            return read_case(connection, find_run_number(connection, run), case_id)

    def get_messages(self, messages_hash: str) -> list[Message] | None:
        """Return rendered messages by their hash, None where they are not there."""
        with self._database.reading() as connection:
            return read_messages(connection, messages_hash)

    def case_scores(self, run: str, metric: str, arm: str | None = None) -> list[tuple[int, int, float | None]]:
        """Return (case index, sample index, value) of every scored sample, in that order; None where scoring failed.

        Args:
            run: named as for `get_run`.
            metric: its name in the run.
            arm: its name; may be left out where the run has one arm.

        Raises:
            UsageError: there is no such run, metric or arm, or the run has several arms and none is named.
        """
        parts = self._parts(run)
        index = sole_arm(parts) if arm is None else arm_index(parts, arm)
        with self._database.reading() as connection:
            return read_scores(connection, parts, metric, index)

    def iter_cases(self, run: str) -> Iterator[tuple[int, Case]]:
        """Yield the cases of a run (named as for `get_run`) under their index, in a stream."""
        return comparison_queries.iter_cases(self._database, self._parts(run).number)

    def iter_calls(self, run: str, arm: str) -> Iterator[SampleCall]:
        """Yield the calls of an arm without their texts, by case and sample, in a stream.

        Raises:
            UsageError: there is no such run or arm.
        """
        parts = self._parts(run)
        return comparison_queries.iter_calls(self._database, parts.number, arm_index(parts, arm))

    def metric_failures(self, run: str, metric: str, arm: str) -> list[tuple[int, int, str]]:
        """Return (case index, sample index, kind) of every sample that a metric could not score.

        Raises:
            UsageError: there is no such run, metric or arm.
        """
        parts = self._parts(run)
        with self._database.reading() as connection:
            return comparison_queries.read_failures(connection, parts, metric, arm_index(parts, arm))

    def case_pages(self, run: str) -> CasePages:
        """Return the cases of a run (named as for `get_run`), to be read in pages.

        Raises:
            UsageError: there is no such run.
        """
        return case_pages.CasePages(self._database, run)

    def search(self, text: str, wanted: SearchFilter | None = None) -> Iterator[SearchHit]:
        """Yield the samples whose output or error message contains the text, newest run first."""
        return search.search(self._database, text, wanted or SearchFilter())

    def baseline(self, suite: str) -> NamedBaseline | None:
        """Return the run that is the suite's baseline, None where none is set."""
        return next(iter(self.baselines(suite)), None)

    def baselines(self, suite: str | None = None) -> list[NamedBaseline]:
        """Return every suite's baseline (or the one of a suite) by the suites' names."""
        with self._database.reading() as connection:
            return baselines.list_baselines(connection, suite)

    def _parts(self, run: str) -> RunParts:
        with self._database.reading() as connection:
            return read_parts(connection, find_run_number(connection, run))

    @property
    def rescoring(self) -> Rescoring:
        """Return what adds and reads scores made after the fact."""
        return rescored.Rescoring(self._database, self._writer, self._observer)

    @property
    def reviews(self) -> StoredReviews:
        """Return the reviews by people."""
        return reviews.StoredReviews(self._database, self._writer)

    @property
    def batches(self) -> StoredBatches:
        """Return the batches that were handed to providers."""
        return StoredBatches(self._database, self._writer, self._observer)

    # -- keeping in order ------------------------------------------------------------------------------------------

    def tag_run(
        self,
        run: str,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        metadata: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Add and remove tags of a run (named as for `get_run`), and set metadata.

        Raises:
            UsageError: there is no such run.
        """

        def work(connection: sa.Connection) -> None:
            number = find_run_number(connection, run)
            change_tags(self._database, connection, number, add=add, remove=remove)
            set_metadata(self._database, connection, number, metadata or {})

        self._writer.write_now(work)

    def set_baseline(self, run: str) -> None:
        """Make a run (named as for `get_run`) the baseline of its suite; the one before loses only its rank.

        Raises:
            UsageError: there is no such run.
        """
        self._writer.write_now(
            lambda connection: baselines.set_baseline(self._database, connection, find_run_number(connection, run))
        )

    def clear_baseline(self, suite: str) -> bool:
        """Take the suite's baseline away; return whether there was one. The run stays."""
        return self._writer.write_now(lambda connection: baselines.clear_baseline(connection, suite))

    def delete_run(self, run: str) -> None:
        """Delete a run (named as for `get_run`); its responses stay in the ledger until `gc`.

        Raises:
            UsageError: there is no such run, or a live process is writing it.
        """
        self._writer.write_now(
            lambda connection: maintenance.delete_run(
                self._database, connection, find_run_number(connection, run), self._observer
            )
        )

    def gc(self, *, older_than: timedelta = _OLD, dry_run: bool = False) -> CleanupReport:
        """Drop responses older than that which no run refers to, texts that nothing refers to, claims of the dead.

        While any run is unfinished, no response and no text is dropped; the report says for which runs.
        """
        report = self._writer.write_now(
            lambda connection: maintenance.clean_up(
                self._database, connection, older_than, self._observer, dry_run=dry_run
            )
        )
        if report.bytes and not dry_run:
            maintenance.shrink(self._database)
        return report

    def close(self) -> None:
        """Finish what is queued, give up this store's claims, close the connections; may be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._leases and not self._writer.is_shut_out:
                self._writer.write_now(lambda connection: forget_owners(connection, *self._leases))
        except RetestError:
            pass  # the claims end by themselves when this process is gone
        finally:
            self._writer.close()
            self._database.close()


def open_store(
    url_or_path: str, *, read_only: bool = False, busy_timeout_s: float = 30.0, clock: Callable[[], float] = time.time
) -> Store:
    """Open the store at a path (SQLite; made where there is none) or at a postgresql:// URL.

    Args:
        url_or_path: such as ``.retest/retest.db``.
        read_only: nothing can be written, and a store that is not there is an error.
        busy_timeout_s: how long to wait for a lock of another process.
        clock: seconds since 1970.

    Raises:
        StoreError: it cannot be opened, is no store, is damaged, or was written by a newer retest.
    """
    database = open_database(url_or_path, read_only=read_only, busy_timeout_s=busy_timeout_s, clock=clock)
    try:
        ensure_schema(database, read_only=read_only)
    except BaseException:
        database.close()
        raise
    return Store(database)
