"""Flags, environment and files to a Workspace: the only place that reads the environment."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from retest.suites.discover import project_root
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace


def open_workspace(**flags: object | None) -> Workspace:
    """Return the workspace of this command; flags that are None leave the setting as it is.

    Raises:
        SettingsError: a setting is unknown or of the wrong kind.
    """
    cwd = Path.cwd()
    env_file = read_env_file(cwd)
    settings = load_settings(cwd, os.environ, flags, env_file=env_file)
    return Workspace(cwd=cwd, settings=settings, env={**env_file, **os.environ}, command=_command())


def read_env_file(cwd: Path) -> Mapping[str, str]:
    """Return what ``.env`` in the project's root holds; the real environment wins over it."""
    path = project_root(cwd) / ".env"
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(path).items() if value is not None}


def _command() -> str:
    return shlex.join(["retest", *sys.argv[1:]])
