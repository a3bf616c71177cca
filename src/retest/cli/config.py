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
from retest.suites.discover import project_root
from retest.workflows.settings import load_settings
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
    from retest.workflows.untrusted_settings import guarded_settings, refuse_linked_files

    refuse_linked_files(project_root(cwd), guard)
    # No `.env`: it is a file of the checkout, and could name another endpoint for every key.
    settings = guarded_settings(load_settings(cwd, os.environ, flags), guard)
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
    from retest.workflows.ci_origin import read_ci_origin, untrusted_by_environment

    origin = read_ci_origin(os.environ)
    said = untrusted_by_environment(os.environ) if trust.untrusted is None else trust.untrusted
    if not (origin.fork is not None if said is None else said):
        return None
    from retest.workflows.untrusted import find_untrusted

    root = project_root(cwd)
    # `python -m retest` looks for modules in the current folder first, which is the stranger's.
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry) not in {cwd, root}]
    return find_untrusted(cwd, root, origin, trust.base, calls=trust.calls)


def read_env_file(cwd: Path) -> Mapping[str, str]:
    """Return what ``.env`` in the project's root holds; the real environment wins over it."""
    path = project_root(cwd) / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _command() -> str:
    return shlex.join(["retest", *sys.argv[1:]])
