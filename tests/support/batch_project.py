"""A project whose runs go by batch: files in, and runs of it in this process or in another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retest.domain.suite import Suite
from retest.runner.events import BatchNews, Event
from retest.runner.stopping import StopSignal
from retest.store.database import Store, open_store
from retest.workflows.check import check_suites
from retest.workflows.run import RunOptions, RunOutcome, run_suite
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace
from support.batch_server import BatchServer
from support.project import Project

KEY = "sk-batch-7d1f0c5e"
PRICE = {"input": 100.0, "output": 100.0}  # USD per million tokens: the server says 10 and 1 for each call


@dataclass(slots=True)
class Told:
    """What listeners heard, by kind; `stop` is pressed when a batch is in a state."""

    events: list[Event] = field(default_factory=list)
    stop: StopSignal | None = None
    state: str = "in_progress"

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        if self.stop is not None and isinstance(event, BatchNews) and event.batch.status == self.state:
            self.stop.stop("interrupt", "interrupted")

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]


class BatchProject:
    """The standard suite against a batch server, with intervals that a test has time for."""

    def __init__(self, root: Path, server: BatchServer, *, cases: int = 10, **changes: Any) -> None:
        self.files = Project(root)
        self.files.write(
            "retest.toml", "attempts = 2\ngrace_s = 1.0\npatience_s = 0.0\nbatch_poll_s = 0.02\nbatch_attempts = 3\n"
        )
        self.files.write_cases(cases)
        self.server = server
        self.settle_s = 0.02
        self.files.write_suite(server.base_url, **{"targets": [self.target()], **changes})

    def target(self, **changes: Any) -> dict[str, Any]:
        """Return the suite's target with keys replaced."""
        target = {"name": "small", "provider": "openai", "model": "test-model", "base_url": self.server.base_url}
        return {**target, "price": PRICE, "params": {"temperature": 0.7}, **changes}

    @property
    def store_path(self) -> Path:
        """Return where the store is."""
        return self.files.root / ".retest" / "retest.db"

    def workspace(self, **settings: Any) -> Workspace:
        """Return a command's surroundings."""
        env = {"OPENAI_API_KEY": KEY}
        found = load_settings(self.files.root, env, settings)
        return Workspace(
            cwd=self.files.root, settings=found, env=env, command="retest run", batch_settle_s=self.settle_s
        )

    def suite(self, overrides: Sequence[str] = ()) -> Suite:
        """Return the suite as it is on disk."""
        checked = check_suites([], self.workspace(), overrides)
        (suite,) = checked.suites
        return suite

    async def go(
        self,
        told: Told | None = None,
        stop: StopSignal | None = None,
        *,
        settings: dict[str, Any] | None = None,
        **options: Any,
    ) -> RunOutcome:
        """Run the suite on this event loop; by batch unless told otherwise."""
        wish = RunOptions(**{"batch": True, **options})
        workspace = self.workspace(**(settings or {}))
        return await run_suite(self.suite(), wish, workspace, listener=told or Told(), stop=stop)

    def run(self, told: Told | None = None, **options: Any) -> RunOutcome:
        """Run the suite to its end."""
        return asyncio.run(self.go(told, **options))

    def interrupt(self) -> RunOutcome:
        """Run by batch until the batch is out, then press Ctrl-C."""

        async def main() -> RunOutcome:
            stop = StopSignal()
            return await self.go(Told(stop=stop), stop)

        return asyncio.run(main())

    def store(self) -> Store:
        """Open the store."""
        return open_store(str(self.store_path))
