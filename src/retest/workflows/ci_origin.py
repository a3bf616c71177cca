"""Where the revision at hand comes from, as a CI's environment says: a fork's pull request is not trusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retest.errors import Location, Problem, SettingsError

_MOST_EVENT_BYTES = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CiOrigin:
    """What a CI knows of the revision.

    Attributes:
        fork: why it counts as a stranger's; None where it is the project's own.
        bases: names of the revision that it would be merged into, the surest first; the clone may lack some.
    """

    fork: str | None = None
    bases: tuple[str, ...] = ()


def read_ci_origin(env: Mapping[str, str]) -> CiOrigin:
    """Return what the environment tells; outside a CI, nothing.

    In doubt it is a fork: where GitHub's event cannot be read, where the fork was deleted, and where a comment on a
    pull request started the job.
    """
    if env.get("GITHUB_EVENT_PATH") or env.get("GITHUB_ACTIONS"):
        return _github(env)
    if env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"):
        return _gitlab(env)
    if env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true":  # Azure Pipelines
        branch = env.get("SYSTEM_PULLREQUEST_TARGETBRANCH", "").removeprefix("refs/heads/")
        return CiOrigin(fork="Azure Pipelines says so", bases=_branch(branch))
    if env.get("CIRCLE_PR_USERNAME"):  # CircleCI sets it for forks alone
        return CiOrigin(fork=f"CircleCI names the fork of {env['CIRCLE_PR_USERNAME']}")
    return CiOrigin()


def _github(env: Mapping[str, str]) -> CiOrigin:
    event = _read_event(env.get("GITHUB_EVENT_PATH"))
    branch = _branch(env.get("GITHUB_BASE_REF"))
    if event is None:
        unknown = env.get("GITHUB_EVENT_NAME", "").startswith("pull_request")
        return CiOrigin(fork="GitHub's event cannot be read" if unknown else None, bases=branch)
    here = _dig(event, "repository", "full_name") or env.get("GITHUB_REPOSITORY")
    default = _branch(_dig(event, "repository", "default_branch"))
    if isinstance(event.get("pull_request"), dict):
        pull = event["pull_request"]
        base = _dig(pull, "base", "repo", "full_name") or here
        sha = _dig(pull, "base", "sha")
        bases = ((sha,) if sha else ()) + _branch(_dig(pull, "base", "ref"))
        return CiOrigin(fork=_stranger(_dig(pull, "head", "repo", "full_name"), base), bases=bases or branch)
    if isinstance(event.get("workflow_run"), dict):
        head = _dig(event["workflow_run"], "head_repository", "full_name")
        return CiOrigin(fork=_stranger(head, here), bases=default)
    if isinstance(_dig_any(event, "issue", "pull_request"), dict):
        return CiOrigin(fork="a comment on a pull request started the job", bases=default)
    return CiOrigin(bases=branch)


def _stranger(head: str | None, base: str | None) -> str | None:
    if head is None:
        return "the pull request's repository is gone"
    return None if base is not None and head.lower() == base.lower() else f"the pull request comes from {head}"


def _gitlab(env: Mapping[str, str]) -> CiOrigin:
    source, here = env["CI_MERGE_REQUEST_SOURCE_PROJECT_ID"], env.get("CI_PROJECT_ID")
    commits = (env.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"), env.get("CI_MERGE_REQUEST_DIFF_BASE_SHA"))
    bases = tuple(commit for commit in commits if commit) + _branch(env.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"))
    return CiOrigin(fork=None if source == here else f"the merge request comes from project {source}", bases=bases)


def _branch(name: str | None) -> tuple[str, ...]:
    return (f"origin/{name}",) if name else ()


def _read_event(path: str | None) -> dict[str, Any] | None:
    try:
        file = Path(path or "")
        if not path or file.stat().st_size > _MOST_EVENT_BYTES:
            return None
        event = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _dig_any(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _dig(value: object, *keys: str) -> str | None:
    found = _dig_any(value, *keys)
    return found if isinstance(found, str) and found else None


def untrusted_by_environment(env: Mapping[str, str]) -> bool | None:
    """Return what RETEST_UNTRUSTED says, None where it is not set.

    Raises:
        SettingsError: it is neither yes nor no.
    """
    text = env.get("RETEST_UNTRUSTED", "").strip().lower()
    if text in {"", "1", "true", "yes", "0", "false", "no"}:
        return None if not text else text in {"1", "true", "yes"}
    raise SettingsError(
        Problem(
            slug="setting-value",
            message=f"RETEST_UNTRUSTED is {text!r}",
            where=Location(path="environment RETEST_UNTRUSTED"),
            details=("expected: 1 or 0",),
        )
    )
