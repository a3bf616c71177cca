from __future__ import annotations

import pytest

from support.suite_folder import SuiteFolder, with_lines

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz"


def target(text: str) -> str:
    return with_lines(f"target: {{provider: openai, model: m, {text}}}", without="targets")


@pytest.mark.parametrize(
    "option",
    [
        f"api_key: {KEY}",
        "api_key: hunter2",
        f"api_key_env: {KEY}",
        "api_key_env: my key",
        f"headers: {{Authorization: Bearer {KEY}}}",
        "headers: {X-Api-Key: hunter2}",
        "base_url: 'https://user:hunter2@example.com/v1'",
        "base_url: 'https://example.com/v1?api_key=hunter2'",
        f"params: {{user: {KEY}}}",
    ],
)
def test_a_credential_in_a_target_is_refused_and_not_repeated(folder: SuiteFolder, option: str) -> None:
    """A key in a suite is an error that names the way out, and no message shows it."""
    found = folder.problems(target(option))
    assert "suite-literal-secret" in {p.slug for p in found}
    shown = "\n".join(str(p) for p in found)
    assert KEY not in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "option",
    [
        "api_key_env: OPENAI_API_KEY",
        "headers: {Authorization: 'Bearer ${MY_TOKEN}'}",
        "headers: {X-Team: search}",
        "base_url: 'https://${HOST}/v1'",
        "params: {max_tokens: 50}",
    ],
)
def test_names_of_variables_and_plain_settings_are_fine(folder: SuiteFolder, option: str) -> None:
    """What holds no credential is not taken for one."""
    assert folder.problems(target(option)) == ()


@pytest.mark.parametrize(
    ("line", "without"),
    [
        ("target: {provider: openai, model: '${MODEL}'}", "targets"),
        ("target: {provider: openai, model: m, params: {user: '${ME}'}}", "targets"),
        ("metrics: [{metric: contains, values: '${X}'}]", "metrics"),
        ("tags: ['${TAG}']", ""),
        ("name: ${NAME}", ""),
    ],
)
def test_variables_elsewhere_are_refused(folder: SuiteFolder, line: str, without: str) -> None:
    """What nothing fills in would be sent or read as it stands."""
    assert "suite-variable-not-allowed" in {p.slug for p in folder.problems(with_lines(line, without=without))}


def test_variables_in_prompts_cases_and_descriptions_are_text(folder: SuiteFolder) -> None:
    """Data may well be about shell scripts."""
    text = """\
description: Explain ${HOME}
prompt: {text: "What is ${HOME} in {{ shell }}?"}
dataset: {cases: [{shell: 'bash ${X}', expected: '${HOME}'}], expected: expected}
target: {provider: openai, model: m}
metrics: [exact_match]
gate: {block: regression}
metadata: {x: '${Y}'}
redact: ['\\$\\{SECRET\\}', '${A}']
"""
    assert folder.problems(text) == ()
