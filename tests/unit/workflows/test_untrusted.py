"""What a suite of an untrusted revision may not do, each refused where it stands, before anything ran."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from retest.domain.judge import JudgeSpec
from retest.domain.target import TargetSpec
from retest.errors import SuiteError, UsageError
from retest.targets.openai_chat import OpenAIOptions
from retest.workflows.check import check_suites
from retest.workflows.judges import open_judges
from support.stranger import CODE, MARKER, URL, Stranger, make_stranger

ELSEWHERE = "http://evil.example/v1"
OPENAI = {"name": "small", "provider": "openai", "model": "m", "base_url": URL}


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    """Return a checkout with a trusted commit."""
    (tmp_path / "secret.jsonl").write_text('{"question": "q", "expected": "the secret"}\n', "utf-8")
    (tmp_path / "secret.md").write_text("the secret\n", "utf-8")
    (tmp_path / "secret.json").write_text('{"the secret": {"type": "string"}}', "utf-8")
    found = make_stranger(tmp_path / "checkout")
    found.project.write("evals/code.py", CODE)
    return found


def test_an_honest_change_passes(stranger: Stranger) -> None:
    """Another prompt, other cases, another model, parameters, metrics and a gate: none of it is refused."""
    stranger.project.write("prompts/ask.md", "Please: {{ question }}\n{% include 'more.md' %}\n")
    stranger.project.write("prompts/more.md", "thank you\n")
    stranger.project.write_cases(5)
    stranger.suite(
        targets=[{**OPENAI, "name": "other", "model": "n", "params": {"temperature": 1}, "timeout_s": 5}],
        metrics=["exact_match", {"metric": "length", "pass_if": {"max": 100}}],
        gate={"block": "unproven"},
        samples=2,
    )
    assert stranger.refused == []


CODE_SUITES: dict[str, dict[str, Any]] = {
    "python metric": {"metrics": [{"metric": "python", "path": "code.py:score"}]},
    "isolated metric": {"metrics": [{"metric": "python", "path": "code.py:score", "isolate": True}]},
    "python target": {"targets": [{"provider": "python", "path": "code.py:answer"}]},
    "command target": {"targets": [{"provider": "command", "argv": ["python", "code.py"]}]},
    "python judge": {
        "judges": [{"name": "j", "provider": "python", "path": "code.py:answer"}],
        "metrics": [{"metric": "judge_correctness", "judge": "j"}],
    },
    "defaults": {"defaults": {"target": {"provider": "command", "argv": ["sh"]}}, "targets": [{"name": "x"}]},
    "model file": {"targets": [{"provider": "local", "path": "code.py"}]},
}


@pytest.mark.parametrize("name", CODE_SUITES)
def test_no_code_of_the_checkout_is_run(stranger: Stranger, name: str) -> None:
    """Whatever runs code is refused at its line, and not even imported."""
    stranger.suite(**CODE_SUITES[name])
    problems = stranger.refused
    assert "untrusted-code" in {problem.slug for problem in problems}
    assert all(problem.where is not None and problem.where.line for problem in problems)
    assert all(problem.fix for problem in problems)


FILES: dict[str, dict[str, Any]] = {
    "dataset": {"dataset": "../../secret.jsonl"},
    "absolute dataset": {"dataset": "/etc/passwd"},
    "hidden dataset": {"dataset": {"path": "../.git/config", "format": "jsonl"}},
    "dotenv": {"dataset": {"path": "../.env", "format": "csv"}},
    "prompt": {"prompts": ["../../secret.md"]},
    "schema": {"metrics": [{"metric": "json_schema", "schema": "../../secret.json"}]},
    "tools": {"metrics": [{"metric": "tool_calls", "tools": "../../secret.json"}]},
    "recording": {"targets": [{"provider": "replay", "path": "../../secret.jsonl"}]},
    "judge definition": {
        "judges": [{"name": "j", "provider": "openai", "model": "j", "base_url": URL}],
        "metrics": [{"metric": "judge", "judge": "j", "definition": "../../secret.md"}],
    },
}


@pytest.mark.parametrize("name", FILES)
def test_no_file_outside_the_checkout_is_read(stranger: Stranger, name: str) -> None:
    """Every kind of file that a suite names is refused outside, and where it is hidden."""
    stranger.project.write(".env", "KEY,question\n1,2\n")
    stranger.suite(**FILES[name])
    (problem,) = stranger.refused
    assert (problem.slug, problem.where is not None) == ("untrusted-path", True)
    assert "the secret" not in str(problem)


LINKS = {
    "datasets/qa.jsonl": "secret.jsonl",
    "prompts/ask.md": "secret.md",
    "evals/stolen.yaml": "secret.md",
    "evals/qa.baseline.jsonl": "secret.jsonl",
    "retest.waivers.yaml": "secret.md",
}


@pytest.mark.parametrize("link", LINKS)
def test_links_are_followed_before_a_file_is_read(stranger: Stranger, link: str) -> None:
    """A link out of the checkout is no file of the checkout, also where retest itself names it."""
    path = stranger.root / link
    path.unlink(missing_ok=True)
    path.symlink_to(stranger.root.parent / LINKS[link])
    assert [problem.slug for problem in stranger.refused] == ["untrusted-path"]


def test_a_linked_folder_of_prompts_widens_nothing(stranger: Stranger) -> None:
    """Includes stay within the checkout where the prompts folder itself leads out of it."""
    (stranger.root / "evals" / "prompts").symlink_to(stranger.root.parent)
    stranger.suite(prompts=[{"text": "{% include 'secret.md' %}", "name": "x"}])
    assert [problem.slug for problem in stranger.refused] == ["prompt-include-missing"]
    (stranger.root / "secret.md").symlink_to(stranger.root.parent / "secret.md")
    assert [problem.slug for problem in stranger.refused] == ["prompt-include-outside"]


def test_a_schema_refers_to_no_file_outside(stranger: Stranger) -> None:
    """A `$ref` leads out of the checkout neither from a file nor from the suite; inside it is followed."""
    stranger.project.write("evals/part.json", '{"type": "string"}')
    outside = (stranger.root.parent / "secret.json").as_uri()
    for reference, slugs in [("part.json", []), (outside, ["metric-schema-reference"])]:
        stranger.suite(metrics=[{"metric": "json_schema", "schema": {"$ref": reference}}])
        assert [problem.slug for problem in stranger.refused] == slugs
        stranger.project.write("evals/whole.json", json.dumps({"$ref": reference}))
        stranger.suite(metrics=[{"metric": "json_schema", "schema": "whole.json"}])
        assert [problem.slug for problem in stranger.refused] == slugs


HTTP = {"provider": "http", "url": "http://127.0.0.1:9/ask"}
ENDPOINTS: dict[str, tuple[dict[str, Any], str]] = {
    "base_url": ({**OPENAI, "base_url": ELSEWHERE}, "untrusted-endpoint"),
    "path of the same host": ({**OPENAI, "base_url": "http://127.0.0.1:9/admin"}, "untrusted-endpoint"),
    "the provider's own": ({"provider": "openai", "model": "m"}, "untrusted-endpoint"),
    "http": (HTTP, "untrusted-endpoint"),
    "azure": ({"provider": "azure_openai", "model": "m", "endpoint": ELSEWHERE}, "untrusted-endpoint"),
    "azure's own": ({"provider": "azure_openai", "model": "m"}, "untrusted-variable"),
    "body": ({**OPENAI, "extra_body": {"user": "x"}}, "untrusted-endpoint"),
    "another key": ({**OPENAI, "api_key_env": "AWS_SECRET_ACCESS_KEY"}, "untrusted-key"),
    "organisation": ({**OPENAI, "organization": "theirs"}, "untrusted-key"),
    "header": ({**OPENAI, "headers": {"Host": "evil.example"}}, "untrusted-key"),
    "variable in a header": ({**OPENAI, "headers": {"X-Key": "${AWS_SECRET_ACCESS_KEY}"}}, "untrusted-variable"),
    "variable in the address": ({**OPENAI, "base_url": "http://${EVIL}/v1"}, "untrusted-variable"),
}


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("kind", ["target", "judge"])
def test_only_what_the_base_names_is_called(stranger: Stranger, name: str, kind: str) -> None:
    """Another endpoint, key, header or variable is refused at its line, for targets and judges alike."""
    entry, slug = ENDPOINTS[name]
    if kind == "target":
        stranger.suite(targets=[entry])
    else:
        judge = {**entry, "name": "j", "model": "another"}
        stranger.suite(judges=[judge], metrics=[{"metric": "judge_correctness", "judge": "j"}])
    problems = [problem for problem in stranger.refused if problem.slug.startswith("untrusted")]
    assert [problem.slug for problem in problems] == [slug]
    assert problems[0].where is not None
    assert problems[0].where.path == "evals/qa.yaml"
    assert problems[0].fix is not None


def test_what_all_targets_share_is_compared_too(stranger: Stranger) -> None:
    """An address in `defaults` is refused where it stands."""
    stranger.suite(defaults={"target": {"base_url": ELSEWHERE}}, targets=[{"provider": "openai", "model": "m"}])
    (problem,) = stranger.refused
    assert problem.slug == "untrusted-endpoint"
    assert problem.where is not None
    lines = (stranger.root / "evals/qa.yaml").read_text("utf-8").splitlines()
    assert ELSEWHERE in lines[(problem.where.line or 0) - 1]


def test_the_slash_at_the_end_of_an_address_is_no_change(stranger: Stranger) -> None:
    """Two spellings of one address are one."""
    stranger.suite(targets=[{**OPENAI, "base_url": f"{URL}/"}])
    assert stranger.refused == []


def test_a_base_that_fills_in_a_variable_may_go_on_doing_so(tmp_path: Path) -> None:
    """What the trusted revision itself sends is sent."""
    stranger = make_stranger(tmp_path / "checkout")
    targets = [{**OPENAI, "headers": {"X-Team": "${TEAM}"}, "api_key_env": "OUR_KEY"}]
    stranger.suite(targets=targets)
    trusted = stranger.commit()
    stranger.suite(targets=targets, samples=2)
    assert stranger.check(trusted).errors == ()
    stranger.suite(targets=[{**targets[0], "headers": {"X-Other": "${TEAM}"}}])
    assert [problem.slug for problem in stranger.check(trusted).errors] == ["untrusted-variable"]


def test_overrides_are_the_commands_own(stranger: Stranger) -> None:
    """What ``--set`` writes is trusted: whoever types the command says it."""
    checked = check_suites([], stranger.workspace(), [f"target.base_url={ELSEWHERE}"])
    assert checked.errors == ()


def test_a_suite_beside_the_folder_counts_in_the_base_too(stranger: Stranger) -> None:
    """A suite that a command names by its file is looked up by that name in the base."""
    text = (stranger.root / "evals/qa.yaml").read_text("utf-8").replace(":9/", ":10/").replace("name: qa", "name: o")
    stranger.project.write("other/qa.yaml", text)
    assert [p.slug for p in check_suites(["other/qa.yaml"], stranger.workspace()).errors] == ["untrusted-endpoint"]
    trusted = stranger.commit()
    assert check_suites(["other/qa.yaml"], stranger.workspace(trusted)).errors == ()
    assert check_suites([str(stranger.root / "other/qa.yaml")], stranger.workspace(trusted)).errors == ()


def test_without_a_base_no_endpoint_is_called(stranger: Stranger) -> None:
    """Nobody vouches for one: an error for a command that calls, a warning for one that does not."""
    assert [problem.slug for problem in stranger.check(None).errors] == ["untrusted-no-base"]
    quiet = stranger.check(None, calls=False)
    assert quiet.errors == ()
    assert "untrusted-no-base" in {problem.slug for problem in quiet.warnings}


def test_a_recording_needs_no_base(stranger: Stranger) -> None:
    """Nothing is called for it."""
    rows = [{"id": f"c{i}", "output": "x"} for i in range(3)]
    stranger.project.write_rows("evals/answers.jsonl", rows)
    stranger.suite(targets=[{"provider": "replay", "path": "answers.jsonl"}])
    assert stranger.check(None).errors == ()


@pytest.mark.parametrize("option", ["", "cache_dir", "chat_template"])
def test_a_packaged_model_needs_no_base(stranger: Stranger, option: str) -> None:
    """Nothing of the stranger's is loaded and nothing leaves the machine; unless the suite says where or how."""
    stranger.suite(targets=[{"provider": "local", "model": "gemma3-270m", **({option: "x"} if option else {})}])
    assert [problem.slug for problem in stranger.check(None).errors] == (["untrusted-no-base"] if option else [])


def test_a_base_that_is_not_here_is_an_error(stranger: Stranger) -> None:
    """A name that was typed must lead somewhere."""
    with pytest.raises(UsageError, match="revision-unknown"):
        stranger.check("origin/nowhere")


LIMITS: list[tuple[dict[str, int] | None, int]] = [({"max_calls": 1000}, 10), (None, 10), ({"max_calls": 5}, 5)]


@pytest.mark.parametrize(("limits", "expected"), LIMITS)
@pytest.mark.parametrize("name", ["strict", "renamed"])
def test_a_judge_keeps_the_limits_of_the_base(
    stranger: Stranger, limits: dict[str, int] | None, expected: int, name: str
) -> None:
    """Wider limits, or none, are the base's; narrower ones hold; another name changes nothing."""
    judge = {"name": name, "provider": "openai", "model": "j", "base_url": URL, "limits": limits}
    stranger.suite(judges=[judge], metrics=[{"metric": "judge_correctness", "judge": name}])
    checked = stranger.check()
    assert checked.suites[0].judges[0].limits.max_calls == expected
    warned = [problem.slug for problem in checked.warnings if problem.slug.startswith("untrusted")]
    assert warned == ([] if expected < 10 else ["untrusted-limit"])


def test_every_refusal_is_told_at_once(stranger: Stranger) -> None:
    """One mistake does not hide the next."""
    stranger.suite(
        dataset="../../secret.jsonl",
        targets=[{**OPENAI, "base_url": ELSEWHERE}],
        metrics=[{"metric": "python", "path": "code.py:score"}],
    )
    found = {problem.slug for problem in stranger.refused}
    assert found == {"untrusted-path", "untrusted-endpoint", "untrusted-code"}


def test_a_copy_of_the_base_is_trusted_and_no_other(stranger: Stranger) -> None:
    """The base and what it grew from have been trusted before; the stranger's commit has not."""
    mine = stranger.commit()
    guard = stranger.workspace().untrusted
    assert guard is not None
    assert (guard.vouches_for(stranger.base), guard.vouches_for(mine), guard.vouches_for(None)) == (True, False, False)


STORED = [
    (TargetSpec(name="j", provider="openai", model="j", options=OpenAIOptions(base_url=URL).model_dump()), None),
    (
        TargetSpec(name="j", provider="openai", model="j", options=OpenAIOptions(base_url=ELSEWHERE).model_dump()),
        "untrusted-endpoint",
    ),
    (TargetSpec(name="j", provider="python", options={"path": "evals/code.py:answer"}), "untrusted-code"),
    (TargetSpec(name="j", provider="local", options={"path": "evals/code.py"}), "untrusted-code"),
]


@pytest.mark.parametrize(("spec", "slug"), STORED, ids=["the base's", "another", "code", "model file"])
def test_a_judge_out_of_a_baseline_file_is_held_against_the_base(
    stranger: Stranger, spec: TargetSpec, slug: str | None
) -> None:
    """A definition that no suite of the checkout has, but a stored run, calls nothing else and runs nothing either."""
    workspace = stranger.workspace()

    async def opened() -> None:
        async with AsyncExitStack() as stack:
            await open_judges([JudgeSpec(target=spec)], replace(workspace, env={"OPENAI_API_KEY": "k"}), stack)

    if slug is None:
        asyncio.run(opened())
        return
    with pytest.raises(SuiteError) as raised:
        asyncio.run(opened())
    assert [problem.slug for problem in raised.value.problems] == [slug]
    assert not list(stranger.root.rglob(MARKER))
