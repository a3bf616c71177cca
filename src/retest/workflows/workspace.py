"""Where a command works: settings, environment, clock, and how the store is opened."""

from __future__ import annotations

import getpass
import os
import platform
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from retest.runner.interrupts import Interrupts
from retest.workflows.settings import Settings

if TYPE_CHECKING:  # what a check and a look do without
    from retest.domain.run import Provenance
    from retest.revisions.provenance import GitState
    from retest.store.database import Store
    from retest.targets.prices import PriceTable
    from retest.workflows.untrusted import Untrusted

_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE | re.IGNORECASE)
_RECORDED_LIBRARIES = ("openai", "pydantic", "numpy", "scipy", "sacrebleu", "rouge-score", "textstat", "jsonschema")


def utc_now() -> datetime:
    """Return the time with its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One command's surroundings. `env` already holds what ``.env`` adds.

    `origin` is what `cwd` is a copy of, where that is a revision and no working tree. `untrusted` guards against the
    revision where it is a stranger's. `batch_settle_s` is how long a provider may take to list a batch.
    """

    cwd: Path
    settings: Settings
    origin: GitState | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], datetime] = utc_now
    command: str = ""
    interrupts: Interrupts = field(default_factory=Interrupts)
    untrusted: Untrusted | None = None
    batch_settle_s: float = 60.0

    def open_store(self, *, read_only: bool = False, create: bool = True) -> Store:
        """Open the store.

        Args:
            read_only: nothing is written.
            create: make it where there is none; false for what changes stored runs, of which a new store has none.

        Raises:
            StoreError: it cannot be opened, or is not there and not to be made.
        """
        from retest.store.database import open_store

        url = self.settings.store_url
        missing = not create and "://" not in url and not Path(url).exists()
        return open_store(url, read_only=read_only or missing)  # which refuses a store that is not there

    def prices(self) -> PriceTable:
        """Return the packaged prices, extended by the settings' files."""
        from retest.targets.prices import load_prices

        table = load_prices()
        for path in self.settings.price_files:
            table = table.extended(load_prices(path))
        return table

    def provenance(self) -> Provenance:
        """Return what a run records of its origin."""
        from retest.domain.run import Provenance
        from retest.revisions.provenance import read_git_state

        git = self.origin or read_git_state(self.cwd)
        return Provenance(
            git_commit=git.commit,
            git_branch=git.branch,
            git_dirty=git.dirty,
            user=_user(),
            host=socket.gethostname(),
            pid=os.getpid(),
            retest_version=library_version("retest"),
            python_version=platform.python_version(),
            library_versions={name: library_version(name) for name in _RECORDED_LIBRARIES},
            command=self.command,
        )

    def new_run_id(self) -> str:
        """Return an id that sorts by time: ``r20261123-071500-4f2a19``."""
        return f"r{self.clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def library_version(name: str) -> str:
    """Return an installed distribution's version, empty where it is not installed."""
    try:
        described = metadata.distribution(name).read_text("METADATA") or ""
    except metadata.PackageNotFoundError:
        return ""
    found = _VERSION.search(described)  # reading all of it, as `metadata.version` does, takes ten times as long
    return found[1] if found else metadata.version(name)


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return None
