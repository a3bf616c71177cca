"""Whose revision it is, as the environment of each CI says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retest.errors import SettingsError
from retest.workflows.ci_origin import CiOrigin, read_ci_origin, untrusted_by_environment

SHA = "4f2a19c0" * 5


def pull_request(head: str | None) -> dict[str, Any]:
    """Return GitHub's event of a pull request from a repository, None for one that was deleted."""
    repository = None if head is None else {"full_name": head}
    base = {"sha": SHA, "ref": "main", "repo": {"full_name": "team/prompts"}}
    return {"pull_request": {"head": {"repo": repository, "sha": "1" * 40}, "base": base}}


def on_github(folder: Path, event: object, **env: str) -> CiOrigin:
    """Return what is read from an event."""
    path = folder / "event.json"
    path.write_text(event if isinstance(event, str) else json.dumps(event), "utf-8")
    return read_ci_origin({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": str(path), **env})


@pytest.mark.parametrize(
    ("head", "fork"), [("team/prompts", False), ("Team/Prompts", False), ("stranger/prompts", True), (None, True)]
)
def test_a_pull_request_on_github(tmp_path: Path, head: str | None, fork: bool) -> None:  # noqa: FBT001 - a column of the table
    """Another repository, or one that is gone, is a stranger's; the base is the event's."""
    origin = on_github(tmp_path, pull_request(head))
    assert (origin.fork is not None, origin.bases) == (fork, (SHA, "origin/main"))


@pytest.mark.parametrize(
    ("event", "fork"),
    [
        ({"repository": {"full_name": "team/prompts"}}, False),
        ({"workflow_run": {"head_repository": {"full_name": "s/p"}}, "repository": {"full_name": "t/p"}}, True),
        ({"workflow_run": {"head_repository": {"full_name": "t/p"}}, "repository": {"full_name": "t/p"}}, False),
        ({"workflow_run": {"head_repository": None}, "repository": {"full_name": "t/p"}}, True),
        ({"issue": {"pull_request": {"url": "x"}}, "repository": {"default_branch": "main"}}, True),
        ({"issue": {"number": 1}}, False),
        ({"pull_request": {"head": [], "base": 7}}, True),
        ({"pull_request": None}, False),
        ([], False),
    ],
    ids=["push", "run of a fork", "run", "run of nobody", "comment on a pull request", "issue", "odd", "none", "list"],
)
def test_other_events_on_github(tmp_path: Path, event: object, fork: bool) -> None:  # noqa: FBT001 - a column of the table
    """What a stranger may have started is a stranger's."""
    assert (on_github(tmp_path, event).fork is not None) is fork


@pytest.mark.parametrize(
    ("name", "fork"), [("pull_request", True), ("pull_request_target", True), ("push", False), ("", False)]
)
def test_an_event_that_cannot_be_read(tmp_path: Path, name: str, fork: bool) -> None:  # noqa: FBT001 - a column of the table
    """Of a pull request nothing good is assumed."""
    origin = on_github(tmp_path, "{", GITHUB_EVENT_NAME=name, GITHUB_BASE_REF="main")
    assert (origin.fork is not None, origin.bases) == (fork, ("origin/main",))
    assert (read_ci_origin({"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name}).fork is not None) is fork


def test_a_merge_request_on_gitlab() -> None:
    """Of another project it is a stranger's; the target's commits and branch are the base."""
    env = {
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": SHA,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    }
    assert read_ci_origin(env) == CiOrigin(bases=(SHA, "origin/main"))
    assert read_ci_origin({**env, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8"}).fork is not None


@pytest.mark.parametrize(
    ("env", "fork"),
    [
        ({}, False),
        ({"CI": "true"}, False),
        ({"SYSTEM_PULLREQUEST_ISFORK": "True", "SYSTEM_PULLREQUEST_TARGETBRANCH": "refs/heads/main"}, True),
        ({"SYSTEM_PULLREQUEST_ISFORK": "False"}, False),
        ({"CIRCLE_PR_USERNAME": "stranger"}, True),
    ],
    ids=["nothing", "some CI", "azure fork", "azure", "circle fork"],
)
def test_elsewhere(env: dict[str, str], fork: bool) -> None:  # noqa: FBT001 - a column of the table
    """Outside of a CI, and where it says nothing, the files are one's own."""
    assert (read_ci_origin(env).fork is not None) is fork


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("TRUE", True), ("0", False), ("no", False), ("", None)])
def test_the_environment_may_say_it(text: str, expected: bool | None) -> None:  # noqa: FBT001 - a column of the table
    """RETEST_UNTRUSTED decides for every command."""
    assert untrusted_by_environment({"RETEST_UNTRUSTED": text}) is expected


def test_nothing_else_is_understood() -> None:
    """A word that is neither yes nor no decides nothing silently."""
    with pytest.raises(SettingsError, match="RETEST_UNTRUSTED"):
        untrusted_by_environment({"RETEST_UNTRUSTED": "maybe"})
