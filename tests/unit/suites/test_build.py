from __future__ import annotations

import pytest

from support.suite_folder import SUITE, SuiteFolder, with_lines

FRONT_MATTER = "---\nmodel: prompt-model\nparams: {temperature: 0.1, top_p: 0.1, seed: 1}\n---\n{{ question }}\n"


def targets(*lines: str) -> str:
    return with_lines("targets:", *(f"  - {line}" for line in lines), without="targets")


def test_arms_are_prompts_by_targets_by_parameter_sets(folder: SuiteFolder) -> None:
    """Each combination is an arm, named prompt/target:set."""
    folder.write("prompts/other.md", "{{ question }}!")
    text = """\
prompts: [../prompts/ask.md, {path: ../prompts/other.md, name: 別案}]
dataset: ../datasets/qa.jsonl
targets: [{provider: openai, model: a}, {provider: openai, model: b, name: big}]
matrix: {params: [{name: cold, temperature: 0}, {name: warm, temperature: 1}]}
metrics: [json_valid]
gate: {block: regression}
"""
    names = [arm.name for arm in folder.suite(text).arms]
    assert names == [
        "ask/a:cold", "ask/a:warm", "ask/big:cold", "ask/big:warm",
        "別案/a:cold", "別案/a:warm", "別案/big:cold", "別案/big:warm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "matrix", "overrides", "model", "temperature"),
    [
        ("{name: t, provider: openai}", "", (), "prompt-model", 0.1),
        ("{name: t, provider: openai, model: m}", "", (), "m", 0.1),
        ("{name: t, provider: openai, params: {temperature: 0.2}}", "", (), "prompt-model", 0.2),
        ("{name: t, provider: openai, model: m}", "{name: s, model: s, temperature: 0.3}", (), "s", 0.3),
        (
            "{name: t, provider: openai, model: m}",
            "{name: s, model: s, temperature: 0.3}",
            ("target.model=o", "target.temperature=0.4"),
            "o",
            0.4,
        ),
        (
            "{name: t, provider: openai}",
            "{name: s, temperature: 0.3}",
            ("target.params={temperature: 0.4}",),
            "prompt-model",
            0.4,
        ),
    ],
)
def test_model_and_params_come_from_the_last_that_sets_them(
    folder: SuiteFolder, target: str, matrix: str, overrides: tuple[str, ...], model: str, temperature: float
) -> None:
    """Front matter < target < matrix set < --set; what no later layer sets stays."""
    folder.write("prompts/ask.md", FRONT_MATTER)
    text = targets(target) + (f"matrix: {{params: [{matrix}]}}\n" if matrix else "")
    (arm,) = folder.suite(text, *overrides).arms
    assert arm.model == model
    assert arm.params == {"temperature": temperature, "top_p": 0.1, "seed": 1}


def test_a_param_that_the_target_overrides_is_pointed_out(folder: SuiteFolder) -> None:
    """Two different values for one parameter are a warning at the target; equal ones are none."""
    folder.write("prompts/ask.md", FRONT_MATTER)
    found = folder.problem(targets("{provider: openai, params: {temperature: 0.9, seed: 1}}"))
    assert (found.slug, found.severity) == ("param-shadowed", "warning")
    assert str(found.where) == "evals/qa.yaml:6:33"


def test_an_override_shadows_without_a_warning(folder: SuiteFolder) -> None:
    """Who writes --set means it."""
    folder.write("prompts/ask.md", FRONT_MATTER)
    assert folder.problems(SUITE, "target.temperature=0") == ()


def test_defaults_are_joined_with_each_target(folder: SuiteFolder) -> None:
    """A target's own keys win; params are merged key by key."""
    text = targets("{model: a, params: {seed: 2}}", "{model: b, timeout_s: 5}") + (
        "defaults: {target: {provider: openai, timeout_s: 9, params: {temperature: 0, seed: 1}}}\n"
    )
    first, second = folder.suite(text).arms
    assert first.params == {"temperature": 0, "seed": 2}
    assert second.params == {"temperature": 0, "seed": 1}
    assert (first.target.options["timeout_s"], second.target.options["timeout_s"]) == (9, 5)


def test_a_default_option_is_left_out_where_the_provider_lacks_it(folder: SuiteFolder) -> None:
    """Defaults for one provider do not break a target of another."""
    folder.write("evals/r.jsonl", "")
    text = targets("{provider: openai, model: a}", "{provider: replay, path: r.jsonl}")
    suite = folder.suite(text + "defaults: {target: {timeout_s: 9}}\n")
    assert "timeout_s" not in suite.arms[1].target.options


def test_a_default_option_that_no_provider_has_is_an_error(folder: SuiteFolder) -> None:
    """A mistyped default is found at the default."""
    found = folder.problem(SUITE + "defaults: {target: {timout_s: 9}}\n")
    assert (found.slug, str(found.where)) == ("suite-unknown-key", "evals/qa.yaml:6:21")
    assert found.fix == "did you mean 'timeout_s'?"


@pytest.mark.parametrize(
    "change",
    [
        ("model: test-model", "model: other"),
        ("model: test-model", "model: test-model, params: {temperature: 0}"),
        ("model: test-model", "model: test-model, base_url: http://x"),
        ("[exact_match]", "[exact_match, rouge]"),
        ("[exact_match]", "[{metric: contains, values: a}]"),
        ("expected: expected", "expected: id"),
        ("expected: expected}", "expected: expected, limit: 1}"),
    ],
)
def test_what_changes_a_sample_or_score_changes_the_fingerprint(folder: SuiteFolder, change: tuple[str, str]) -> None:
    """Model, params, endpoint, metrics, options and cases are in the fingerprint."""
    assert folder.suite(SUITE).fingerprint != folder.suite(SUITE.replace(*change)).fingerprint


@pytest.mark.parametrize(
    "change",
    [
        ("gate: {block: regression}", "gate: {block: unproven, alpha: 0.01}"),
        ("gate: {block: regression}", "gate: {block: regression}\nsamples: 7\ntags: [x]\ndescription: y\nname: z"),
        ("name: small", "name: renamed"),
        ("model: test-model", "model: test-model, timeout_s: 5, api_key_env: MY_KEY"),
        ("model: test-model", "model: test-model, headers: {X-Team: '${TEAM}'}"),
        ("[exact_match]", "[{metric: exact_match, pass_if: 1}]"),
    ],
)
def test_what_changes_no_sample_keeps_the_fingerprint(folder: SuiteFolder, change: tuple[str, str]) -> None:
    """Number of samples, gate, names and credentials are not in the fingerprint."""
    assert folder.suite(SUITE).fingerprint == folder.suite(SUITE.replace(*change)).fingerprint


def test_the_content_of_named_files_is_in_the_fingerprint(folder: SuiteFolder) -> None:
    """A schema, a metric's code and a recording count by what they hold."""
    text = SUITE.replace("[exact_match]", "[{metric: json_schema, schema: ../s.json}]")
    folder.write("s.json", "{}")
    before = folder.suite(text).fingerprint
    folder.write("s.json", '{"type": "object"}')
    assert folder.suite(text).fingerprint != before


def test_the_text_of_the_prompt_is_in_the_fingerprint(folder: SuiteFolder) -> None:
    """An edited prompt makes another suite."""
    before = folder.suite().fingerprint
    folder.write("prompts/ask.md", "{{ question }}?\n")
    assert folder.suite().fingerprint != before


def test_redactions_metadata_and_rules_reach_the_suite(folder: SuiteFolder) -> None:
    """The remaining keys arrive as they stand."""
    suite = folder.suite(
        SUITE + "samples: 5\ncase_passes: 3 of 5\nmetadata: {team: [a, 1]}\nredact: ['\\d+', {field: user.name}]\n"
    )
    assert suite.case_passes.at_least == 3
    assert suite.metadata == {"team": ["a", 1]}
    assert [(r.pattern, r.field) for r in suite.redact] == [(r"\d+", None), (None, "user.name")]


def test_an_inline_prompt_and_inline_cases_need_no_files(folder: SuiteFolder) -> None:
    """A suite may hold everything itself."""
    suite = folder.suite(
        """\
prompt: {text: "質問: {{ q }}", name: ask}
dataset: [{id: a, q: 空は何色?, expected: 青}]
target: {provider: openai, model: m}
metrics: exact_match
gate: {block: regression}
"""
    )
    (case,) = suite.cases
    assert suite.arms[0].name == "ask/m"
    assert suite.arms[0].prompt.template.render(case.vars)[0]["content"] == "質問: 空は何色?"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (SUITE.replace("[../prompts/ask.md]", "[../prompts/ask.md, ../prompts/ask.md]"), "prompts are called 'ask'"),
        (targets("{provider: openai, model: a}", "{provider: openai, model: a}"), "targets are called 'a'"),
        (SUITE.replace("[exact_match]", "[rouge, rouge]"), "metrics are called 'rouge'"),
        (
            SUITE + "matrix: {params: [{name: a, seed: 1}, {name: a, seed: 2}]}\n",
            "arms are called 'ask/small:a'",
        ),
    ],
)
def test_names_are_unique(folder: SuiteFolder, text: str, what: str) -> None:
    """Two prompts, targets, metrics or arms of one name would mix."""
    messages = [p.message for p in folder.problems(text) if p.slug == "suite-duplicate-name"]
    assert f"two {what}" in messages


def test_singular_and_plural_together_are_refused(folder: SuiteFolder) -> None:
    """`prompt` beside `prompts` leaves open which is meant."""
    assert folder.problem(SUITE + "prompt: ../prompts/ask.md\n").slug == "suite-both-keys"


def test_a_parameter_set_that_sets_nothing_is_refused(folder: SuiteFolder) -> None:
    """Such a set would be the same arm under another name."""
    assert folder.problem(SUITE + "matrix: {params: [{name: a}]}\n").slug == "suite-empty-set"


def test_a_missing_model_is_found_where_the_provider_needs_one(folder: SuiteFolder) -> None:
    """Neither target nor prompt names a model: nothing could be asked."""
    found = folder.problem(targets("{name: t, provider: openai}"))
    assert (found.slug, str(found.where)) == ("suite-no-model", "evals/qa.yaml:6:5")


def test_a_provider_without_a_model_needs_none(folder: SuiteFolder) -> None:
    """A recording answers without a model, and is named after its provider."""
    folder.write("evals/r.jsonl", "")
    (arm,) = folder.suite(targets("{provider: replay, path: r.jsonl}")).arms
    assert (arm.name, arm.model) == ("ask/replay", None)


@pytest.mark.parametrize(
    ("lines", "slug", "severity"),
    [
        ("samples: 2\ncase_passes: 3", "suite-too-few-samples", "error"),
        ("samples: 2\ncase_passes: 3 of 5", "suite-too-few-samples", "error"),
        ("samples: 4\ncase_passes: 3 of 5", "suite-too-few-samples", "warning"),
    ],
)
def test_rules_that_count_more_samples_than_there_are(
    folder: SuiteFolder, lines: str, slug: str, severity: str
) -> None:
    """A case that could never pass is an error; a count that does not fit is a warning."""
    found = folder.problem(SUITE + lines + "\n")
    assert (found.slug, found.severity) == (slug, severity)
