"""The action and the pre-commit hook: well formed, and their scripts do what they say, run with a stand-in."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from retest.cli.app import build_app
from retest.report.base import REPORTERS
from retest.report.write_reports import parse_report_options

ROOT = Path(__file__).parents[2]
STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "$@" > "$CALLED"
exit "${STAND_IN_CODE:-0}"
"""


def action() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    return document


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = action()["runs"]["steps"]
    return found


def step(name: str) -> dict[str, Any]:
    return next(step for step in steps() if step.get("name") == name)


def test_it_is_a_composite_action() -> None:
    """Every step uses another action of a fixed version, or is a script with its shell."""
    assert action()["runs"]["using"] == "composite"
    for found in steps():
        assert re.fullmatch(r"[\w./-]+@v\d+", found["uses"]) if "uses" in found else found["shell"] == "bash"


def test_no_input_becomes_part_of_a_script() -> None:
    """Expressions reach scripts through variables alone, so that no branch name or input is run."""
    assert [found["name"] for found in steps() if "${{" in found.get("run", "")] == []


def test_the_token_is_only_the_comments() -> None:
    """No step but the comment's sees the token."""
    text = [found for found in steps() if "inputs.token" in str(found)]
    assert [found["name"] for found in text] == ["Comment"]


def test_its_inputs_and_outputs_exist() -> None:
    """Every input that a step reads is declared and described, and every declared one is read."""
    document = action()
    read = set(re.findall(r"inputs\.([\w-]+)", str(document["runs"])))
    assert read == set(document["inputs"])
    assert all(value["description"] for value in [*document["inputs"].values(), *document["outputs"].values()])


def judge(tmp_path: Path, **variables: str) -> tuple[list[str], dict[str, str]]:
    """Run the gate's step with a stand-in for `retest`; return the arguments it got, and the step's outputs."""
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "retest").write_text(STAND_IN, "utf-8")
    (tools / "retest").chmod(0o755)
    output, called = tmp_path / "output", tmp_path / "called"
    known = {"SUITES": "", "BASELINE": "", "ARGUMENTS": "", "OFFLINE": "auto", "BASE": ""}
    known |= {"NO_SECRETS": "false", "FORK": "false"}
    environment = {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_OUTPUT": str(output),
        "REPORTS": str(tmp_path / "the reports"),
        "CALLED": str(called),
        **known,
        **variables,
    }
    # As GitHub runs bash.
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step("Judge")["run"]]
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    outputs = dict(line.split("=", 1) for line in output.read_text("utf-8").splitlines())
    return called.read_text("utf-8").splitlines(), outputs


def test_the_gate_is_asked_for_all_reports(tmp_path: Path) -> None:
    """Reports that exist, in a folder that may have blanks in its name."""
    arguments, outputs = judge(tmp_path)
    assert arguments[0] == "gate"
    wanted = parse_report_options([after for before, after in pairwise(arguments) if before == "--report"])
    assert wanted.keys() == {"github", "junit", "markdown", "html", "json", "sarif"}
    assert {path.parent for path in wanted.values() if path is not None} == {Path(outputs["reports"])}


def test_suites_baseline_and_further_arguments(tmp_path: Path) -> None:
    """Words are separated, and nothing in them is run by the shell."""
    arguments, _ = judge(tmp_path, SUITES="support/ja $(touch x)", BASELINE="git:origin/main", ARGUMENTS="--max-cost 2")
    assert arguments[:7] == ["gate", "support/ja", "$(touch", "x)", "--max-cost", "2", "--baseline"]
    assert arguments[7] == "git:origin/main"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("offline", "no_secrets", "expected"),
    [("auto", "true", True), ("auto", "false", False), ("true", "false", True), ("false", "true", False)],
)
def test_without_secrets_no_call_is_made(tmp_path: Path, offline: str, no_secrets: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """A pull request from a fork is judged from the ledger and recordings alone."""
    arguments, outputs = judge(tmp_path, OFFLINE=offline, NO_SECRETS=no_secrets)
    assert ("--offline" in arguments) is expected
    assert outputs["no-secrets"] == no_secrets


@pytest.mark.parametrize("fork", ["true", "false"])
def test_a_strangers_files_are_not_trusted(tmp_path: Path, fork: str) -> None:
    """Of a fork whatever its secrets are, with the base as what vouches for endpoints."""
    arguments, _ = judge(tmp_path, FORK=fork, BASE="4f2a19c0", OFFLINE="false")
    wanted = ["--baseline", "base:4f2a19c0", *(["--untrusted", "--base", "4f2a19c0"] if fork == "true" else [])]
    assert arguments[1 : 1 + len(wanted)] == wanted
    assert ("--untrusted" in arguments) is (fork == "true")


@pytest.mark.parametrize("code", ["0", "1", "5"])
def test_the_verdict_comes_last(tmp_path: Path, code: str) -> None:
    """The gate's exit code is kept for the last step, so that reports are written whatever it is."""
    _, outputs = judge(tmp_path, STAND_IN_CODE=code)
    assert outputs["exit-code"] == code
    assert steps()[-1]["name"] == "Verdict"
    done = subprocess.run(["bash", "-c", step("Verdict")["run"]], env={"CODE": outputs["exit-code"]}, check=False)
    assert done.returncode == int(code)


def test_the_hook_runs_a_command_that_exists() -> None:
    """`retest check`, once for all files."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program, command = hook["entry"].split()
    assert program == "retest"
    assert command in build_app().commands
    assert hook["pass_filenames"] is False


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("evals/support.yaml", True),
        ("packages/a/prompts/日本語.md", True),
        ("pyproject.toml", True),
        ("src/app.py", False),
        ("docs/evals.md", False),
    ],
)
def test_the_hook_runs_where_it_matters(path: str, expected: bool) -> None:  # noqa: FBT001 - a column of the table
    """On suites, prompts, datasets and settings."""
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert (re.search(hook["files"], path) is not None) is expected


def examples() -> list[Any]:
    """Return the YAML blocks of the page about CI."""
    text = (ROOT / "docs" / "ci.md").read_text("utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def test_the_documented_workflow_fits_the_action() -> None:
    """It uses inputs that exist, and the page's table has all of them."""
    workflow = next(example for example in examples() if isinstance(example, dict) and "jobs" in example)
    used = next(found for found in workflow["jobs"]["prompts"]["steps"] if "retest-dev/retest" in found["uses"])
    assert used["with"].keys() <= action()["inputs"].keys()
    table = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.MULTILINE)
    assert action()["inputs"].keys() <= set(table)


def test_the_documented_hook_exists() -> None:
    """The example for pre-commit names the hook that there is."""
    (example,) = [found for found in examples() if isinstance(found, dict) and "repos" in found]
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert example["repos"][0]["hooks"] == [{"id": hook["id"]}]


def test_the_documented_reports_exist() -> None:
    """The page describes each report, and every --report that it shows is one."""
    text = (ROOT / "docs" / "ci.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \| [^|]+ \|$", text, re.MULTILINE)) == set(REPORTERS)
    for option in re.findall(r"--report ([a-z]+=\S+)", text):
        parse_report_options([option])
