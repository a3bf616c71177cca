from __future__ import annotations

import pytest

from support.suite_folder import SuiteFolder, with_lines


def target(text: str) -> str:
    return with_lines(f"target: {text}", without="targets")


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("{model: m}", "the target has no provider", "add `provider: openai`"),
        ("{provider: opnai, model: m}", "unknown provider 'opnai'", "did you mean 'openai'?"),
        (
            "{provider: openai, model: m, bas_url: x}",
            "unknown key 'bas_url' in target 'm' (openai)",
            "did you mean 'base_url'?",
        ),
        (
            "{provider: openai, model: m, temperature: 0}",
            "unknown key 'temperature' in target 'm' (openai)",
            "model parameters go under `params`: params: {temperature: ...}",
        ),
        (
            "{provider: openai, model: m, timeout_s: soon}",
            "timeout_s of target 'm' (openai): expected a number, found the text 'soon'",
            None,
        ),
        (
            "{provider: openai, model: m, retry: {attemps: 2}}",
            "unknown key 'attemps' in retry of target 'm' (openai)",
            "did you mean 'attempts'?",
        ),
        (
            "{provider: replay}",
            "the key 'path' of target 'replay' (replay) is missing",
            "add `path: ...`",
        ),
        ("{provider: openai, model: 4}", "target.model: expected text, found 4", None),
        ("openai", "target: expected a mapping, found the text 'openai'", None),
    ],
)
def test_mistakes_in_a_target_are_explained(folder: SuiteFolder, text: str, message: str, fix: str | None) -> None:
    """Each mistake says what is wrong and how to fix it."""
    found = folder.problem(target(text))
    assert (found.message, found.fix) == (message, fix)


@pytest.mark.parametrize(
    ("params", "slug"),
    [
        ("{temprature: 0}", "prompt-param-name"),
        ("{maxTokens: 5}", "prompt-param-name"),
        ("{temperature: hot}", "prompt-param-value"),
        ("{n: 3}", "prompt-param-value"),
    ],
)
def test_mistyped_params_are_refused(folder: SuiteFolder, params: str, slug: str) -> None:
    """A parameter close to a known one, or with an impossible value, is a mistake."""
    assert folder.problem(target(f"{{provider: openai, model: m, params: {params}}}")).slug == slug


def test_unknown_params_are_passed_through(folder: SuiteFolder) -> None:
    """An endpoint's own parameter is not ours to judge."""
    suite = folder.suite(target("{provider: openai, model: m, params: {mirostat_mode_x: 2, top_k: 5}}"))
    assert suite.arms[0].params == {"mirostat_mode_x": 2, "top_k": 5}


def test_options_are_validated_and_defaulted(folder: SuiteFolder) -> None:
    """The target gets every option of its provider."""
    options = folder.suite(target("{provider: openai, model: m, headers: {A: b}}")).arms[0].target.options
    assert options == {"base_url": None, "headers": {"A": "b"}, "api_key_env": None, "timeout_s": 60, "retry": None}


def test_a_missing_recording_suggests_its_sibling(folder: SuiteFolder) -> None:
    """The recording of a replay target is looked for before the run."""
    folder.write("evals/answers.jsonl", "")
    found = folder.problem(target("{provider: replay, path: anwsers.jsonl}"))
    assert (found.slug, found.fix) == ("suite-file-missing", "did you mean 'answers.jsonl'?")


def test_the_targets_folder_is_that_of_the_suite(folder: SuiteFolder) -> None:
    """Relative paths in options start where the suite stands."""
    assert folder.suite(target("{provider: openai, model: m}")).arms[0].target.base_dir == folder.root / "evals"
