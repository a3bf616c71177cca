"""Whether the files at hand are trusted, and the settings that they may make: what every way into retest asks first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from retest.suites.discover import project_root
from retest.workflows.ci_origin import read_ci_origin, untrusted_by_environment
from retest.workflows.settings import Settings, load_settings

if TYPE_CHECKING:
    from retest.workflows.untrusted import Untrusted


def find_guard(
    cwd: Path, env: Mapping[str, str], *, said: bool | None = None, base: str | None = None, calls: bool = True
) -> Untrusted | None:
    """Return the guard against the files at hand, None where they are trusted.

    Args:
        cwd: where the command runs.
        env: the environment: RETEST_UNTRUSTED, and what a CI says.
        said: what the command says, before the environment.
        base: the trusted revision; None leaves it to the CI.
        calls: the command may call endpoints.

    Raises:
        SettingsError: RETEST_UNTRUSTED is neither yes nor no.
        UsageError: this clone lacks the base that the command names.
    """
    origin = read_ci_origin(env)
    wanted = untrusted_by_environment(env) if said is None else said
    if not (origin.fork is not None if wanted is None else wanted):
        return None
    from retest.workflows.untrusted import find_untrusted

    return find_untrusted(cwd, project_root(cwd), origin, base, calls=calls)


def guarded_load(
    cwd: Path, env: Mapping[str, str], guard: Untrusted, flags: Mapping[str, object | None] | None = None
) -> Settings:
    """Return the settings of an untrusted checkout; its `.env` is not read, for it could redirect every key.

    Raises:
        SettingsError: a setting is wrong, or leads out of the checkout.
        UsageError: a settings file is a link out of it.
    """
    from retest.workflows.untrusted_settings import guarded_settings, refuse_linked_files

    refuse_linked_files(project_root(cwd), guard)
    return guarded_settings(load_settings(cwd, env, flags), guard)
