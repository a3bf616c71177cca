"""What is configured, installed and reachable. Keys are said to be set or missing, never shown."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from retest.domain.masking import mask_url
from retest.domain.suite import Arm
from retest.errors import RetestError
from retest.report.numbers import plural
from retest.revisions.provenance import read_git_state
from retest.targets.credentials import public_url
from retest.workflows.check import CheckResult, check_suites
from retest.workflows.settings import SETTINGS
from retest.workflows.workspace import Workspace, library_version

State = Literal["ok", "warning", "error", "info"]

_EXTRAS = {
    "local": ("xllamacpp", "a language model in process"),
    "postgres": ("psycopg", "a team's store"),
    "parquet": ("pyarrow", "export to Parquet"),
    "thai": ("pythainlp", "Thai word boundaries"),
    "ray": ("ray", "runs on a cluster"),
}
_CONNECT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis."""

    group: str
    name: str
    value: str
    state: State = "ok"
    note: str = ""


def diagnose(workspace: Workspace, *, reach: bool = True) -> list[Finding]:
    """Return everything a person needs to see when something does not work."""
    findings = [*_machine(workspace), *_settings(workspace), *_extras(), _store(workspace)]
    try:
        checked = check_suites([], workspace)
    except RetestError as error:
        return [
            *findings,
            Finding(group="suites", name="suites", value=str(error.problems[0].message), state="warning"),
        ]
    return [*findings, _suites(checked), *_targets(checked, workspace.env, reach=reach)]


def _machine(workspace: Workspace) -> Iterator[Finding]:
    yield Finding(group="installed", name="retest", value=library_version("retest"))
    yield Finding(group="installed", name="python", value=f"{platform.python_version()} on {platform.system()}")
    git = read_git_state(workspace.cwd)
    if git.dirty is None:
        where = "no repository here"
    else:
        where = f"{git.branch or 'detached'} {git.commit[:8] if git.commit else '(no commit yet)'}"
    dirty = ", with uncommitted changes" if git.dirty else ""
    found = shutil.which("git") is not None
    yield Finding(
        group="installed",
        name="git",
        value=where + dirty if found else "not installed",
        state="ok" if found else "warning",
    )


def _extras() -> Iterator[Finding]:
    for extra, (module, purpose) in _EXTRAS.items():
        there = importlib.util.find_spec(module) is not None
        note = "" if there else f"pip install 'retest[{extra}]'"
        yield Finding(
            group="extras",
            name=extra,
            value=f"{'installed' if there else 'not installed'}: {purpose}",
            state="info",
            note=note,
        )


def _settings(workspace: Workspace) -> Iterator[Finding]:
    settings = workspace.settings
    yield Finding(group="settings", name="root", value=str(settings.root))
    for setting in SETTINGS:
        value = settings[setting.name]
        shown = mask_url(str(value)) if value not in {None, ()} else "-"
        yield Finding(group="settings", name=setting.name, value=shown, note=settings.sources[setting.name])


def _store(workspace: Workspace) -> Finding:
    try:
        with workspace.open_store(read_only=True) as store:
            latest = len(store.list_runs())
            return Finding(group="store", name="store", value=f"{store.place}: {plural(latest, 'run')}")
    except RetestError as error:
        problem = error.problems[0]
        missing = problem.slug == "store-not-found"
        return Finding(
            group="store",
            name="store",
            value=problem.message,
            state="info" if missing else "error",
            note=problem.fix or "",
        )


def _suites(checked: CheckResult) -> Finding:
    errors, warnings = plural(len(checked.errors), "error"), plural(len(checked.warnings), "warning")
    value = f"{len(checked.suites)} sound, {errors}, {warnings}"
    note = "`retest check` lists them" if checked.errors or checked.warnings else ""
    return Finding(group="suites", name="suites", value=value, state="error" if checked.errors else "ok", note=note)


def _targets(checked: CheckResult, env: Mapping[str, str], *, reach: bool) -> Iterator[Finding]:
    seen: set[str] = set()
    for suite in checked.suites:
        for arm in suite.arms:
            label = f"{arm.target.name} ({arm.target.provider})"
            if label not in seen:
                seen.add(label)
                yield from _target(label, arm, env, _connects if reach else None)


def _target(label: str, arm: Arm, env: Mapping[str, str], connects: Callable[[str], bool] | None) -> Iterator[Finding]:
    key = arm.target.options.get("api_key_env")
    if isinstance(key, str) and arm.target.provider in {"openai", "azure_openai"}:
        there = bool(env.get(key))
        yield Finding(
            group="targets",
            name=label,
            value=f"{key} is {'set' if there else 'not set'}",
            state="ok" if there else "warning",
        )
    urls = [arm.target.options.get(name) for name in ("base_url", "endpoint", "url")]
    for url in urls:
        if isinstance(url, str) and "${" not in url and connects is not None:
            there = connects(url)
            yield Finding(
                group="targets",
                name=label,
                value=f"{public_url(url)} {'answers' if there else 'does not answer'}",
                state="ok" if there else "warning",
            )


def _connects(url: str) -> bool:
    """Return whether something listens there; nothing is sent."""
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S):
            return True
    except OSError:
        return False
