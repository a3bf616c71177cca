"""Flags, environment and files to a Workspace: the only place that reads the environment."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retest.cli.signals import INTERRUPTS
from retest.domain.masking import mask_url
from retest.suites.discover import project_root
from retest.workflows.settings import load_settings
from retest.workflows.trust import find_guard, guarded_load
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.workflows.untrusted import Untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far the files at hand are trusted.

    Attributes:
        untrusted: what the flag says; None leaves it to RETEST_UNTRUSTED and the CI's environment.
        base: the trusted revision; None leaves it to the CI's environment.
        calls: the command may call endpoints.
    """

    untrusted: bool | None = None
    base: str | None = None
    calls: bool = True


def open_workspace(trust: Trust | None = None, **flags: object | None) -> Workspace:
    """Return the workspace of this command; flags that are None leave the setting as it is.

    Raises:
        SettingsError: a setting is unknown or of the wrong kind, or leads out of an untrusted checkout.
        UsageError: this clone lacks the base that the command names.
    """
    cwd = Path.cwd()
    guard = _guard(cwd, trust or Trust())
    if guard is None:
        env_file = read_env_file(cwd)
        settings = load_settings(cwd, os.environ, flags, env_file=env_file)
        env = {**env_file, **os.environ}
        return Workspace(cwd=cwd, settings=settings, env=env, command=_command(), interrupts=INTERRUPTS)
    settings = guarded_load(cwd, os.environ, guard, flags)
    return Workspace(
        cwd=cwd,
        settings=settings,
        env=dict(os.environ),
        command=_command(),
        interrupts=INTERRUPTS,
        untrusted=guard,
    )


def base_of(baseline: str | None) -> str | None:
    """Return the revision that a gate's ``--baseline`` names, trusted as the command is; None for any other."""
    kind, colon, revision = (baseline or "").partition(":")
    return revision if colon and kind in {"git", "base"} else None


def _guard(cwd: Path, trust: Trust) -> Untrusted | None:
    """Return the guard against the files at hand, None where they are trusted: flag > RETEST_UNTRUSTED > CI."""
    guard = find_guard(cwd, os.environ, said=trust.untrusted, base=trust.base, calls=trust.calls)
    if guard is not None:
        # `python -m retest` looks for modules in the current folder first, which is the stranger's.
        sys.path[:] = [entry for entry in sys.path if entry and Path(entry) not in {cwd, project_root(cwd)}]
    return guard


def read_env_file(cwd: Path) -> Mapping[str, str]:
    """Return what ``.env`` in the project's root holds; the real environment wins over it."""
    path = project_root(cwd) / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _command() -> str:
    # It is shown and kept, also where --store names a password.
    return shlex.join(["retest", *(mask_url(part) if "://" in part else part for part in sys.argv[1:])])
