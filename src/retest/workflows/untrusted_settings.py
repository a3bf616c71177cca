"""Settings of an untrusted revision: what its files may say, held against the settings of the trusted base."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from retest.errors import Location, Problem, SettingsError
from retest.revisions.git import run_git
from retest.revisions.snapshot import open_snapshot
from retest.workflows.settings import Settings, load_settings
from retest.workflows.untrusted import Untrusted, readable

_FILES = ("retest.toml", "pyproject.toml")
_LIMITS = ("max_cost_usd", "concurrency", "attempts", "batch_attempts", "patience_s")


def base_settings(cwd: Path) -> Settings | None:
    """Return the settings that the files of a trusted revision make, None where they are wrong."""
    try:
        return load_settings(cwd, {})
    except SettingsError:
        return None


def guarded_settings(settings: Settings, untrusted: Untrusted) -> Settings:
    """Return the settings with limits no wider than the base's; flags and the environment are trusted.

    Raises:
        SettingsError: a file of the checkout names a store, suites or prices elsewhere; or the store itself came with
            the revision.
    """
    base = _of_base(untrusted)
    problems = [
        *_elsewhere(settings, untrusted, base),
        *_other_machines(settings, base),
        *_brought_store(settings, untrusted),
    ]
    if problems:
        raise SettingsError(*problems)
    kept = {name: _narrower(settings, base, name) for name in _LIMITS if not _is_trusted(settings, name)}
    sources = {name: "the base revision" for name, value in kept.items() if value != settings[name]}
    return replace(settings, values={**settings.values, **kept}, sources={**settings.sources, **sources})


def _of_base(untrusted: Untrusted) -> Settings | None:
    if untrusted.repository is None or untrusted.base is None:
        return None
    with open_snapshot(untrusted.repository, untrusted.base.commit, suffixes=_FILES) as snapshot:
        return base_settings(snapshot.cwd)


def _is_trusted(settings: Settings, name: str) -> bool:
    return settings.sources[name] != "default" and not settings.sources[name].startswith(_FILES)


def refuse_linked_files(root: Path, untrusted: Untrusted) -> None:
    """Refuse settings files that are links out of the checkout, before they are read.

    Raises:
        UsageError: one is.
    """
    for name in _FILES:
        if (root / name).is_file():
            readable(untrusted, root / name, name, "settings file")


def _elsewhere(settings: Settings, untrusted: Untrusted, base: Settings | None) -> Iterator[Problem]:
    """Yield what a file of the checkout wants to be read or written outside of it, unless the base's wants so too."""
    for name in ("store", "suites", "prices"):
        if _is_trusted(settings, name):
            continue
        for value in _texts(settings[name]):
            elsewhere = "://" in value or Path(value).is_absolute()
            by_base = base is not None and value in _texts(base[name])
            if not by_base if elsewhere else not _is_inside(settings.root / value, untrusted):
                yield _problem(
                    f"the setting '{name}' leads out of the checkout",
                    settings.sources[name],
                    f"set it by a flag or RETEST_{name.upper()}, which are trusted",
                )


def _other_machines(settings: Settings, base: Settings | None) -> Iterator[Problem]:
    """Yield what hands calls, and the keys that they need, to a cluster that the base does not name."""
    for name in ("executor", "ray_address"):
        if _is_trusted(settings, name) or settings.sources[name] == "default":
            continue
        if base is None or settings[name] != base[name]:
            yield _problem(
                f"the setting '{name}' hands the calls, with their keys, to other machines",
                settings.sources[name],
                f"set it by a flag or RETEST_{name.upper()}, which are trusted",
            )


def _texts(value: object) -> Sequence[str]:
    return (value,) if isinstance(value, str) else value  # type: ignore[return-value]  # a setting of texts


def _is_inside(path: Path, untrusted: Untrusted) -> bool:
    try:
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):
        return False
    return any(real.is_relative_to(root) for root in untrusted.roots)


def _brought_store(settings: Settings, untrusted: Untrusted) -> Iterator[Problem]:
    """Yield the store where git tracks it: a stranger could have written the answers in it."""
    if "://" in settings.store_url or untrusted.repository is None:
        return
    store = Path(settings.store_url)
    folder = store.parent if store.parent.is_dir() else settings.root
    done = run_git(folder, "ls-files", "-z", "--full-name", check=False)
    tracked = {untrusted.repository.root / os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    own = [path for path in tracked if path.parent == store.parent and path.name.startswith(store.name)]
    if own:
        yield Problem(
            slug="untrusted-store",
            message="the store came with the untrusted revision, so the answers in it prove nothing",
            where=Location(path=own[0].relative_to(untrusted.repository.root).as_posix()),
            fix="name another store: --store, RETEST_STORE; and keep .retest out of git",
        )


def _narrower(settings: Settings, base: Settings | None, name: str) -> object:
    """Return the smaller of the checkout's limit and the base's; None is no limit."""
    values: list[object] = [settings[name], *([] if base is None else [base[name]])]
    limits = [value for value in values if isinstance(value, int | float)]
    return min(limits, default=None)


def _problem(message: str, path: str, fix: str) -> Problem:
    return Problem(
        slug="untrusted-setting",
        message=f"{message}, and its revision is not trusted",
        where=Location(path=path),
        fix=fix,
    )
