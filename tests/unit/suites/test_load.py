from __future__ import annotations

import json
import subprocess
import sys

import pytest

from retest.errors import SuiteError
from retest.suites.load import MAX_SUITE_BYTES, load_suites
from support.suite_folder import CATALOG, SUITE, SuiteFolder, with_lines

EXAMPLE = """\
# yaml-language-server: $schema=../retest.schema.json
name: support-intent
description: Which team should answer this message?
prompts: [../prompts/intent.md]
dataset:
  path: ../datasets/support.jsonl
  id: id
  expected: expected
  vars: vars
  cluster: ticket
  where: {lang: ja}
targets:
  - name: small
    provider: openai
    model: gpt-4o-mini
    base_url: http://127.0.0.1:8000/v1
    api_key_env: OPENAI_API_KEY
    params: {temperature: 0.7, max_tokens: 50}
samples: 5
metrics:
  - exact_match
  - {metric: rouge, name: rouge_l, variant: rougeL, pass_if: {min: 0.4}}
  - {metric: json_schema, schema: ../schemas/intent.json}
  - {metric: python, name: polite, path: ../metrics/polite.py:score}
gate:
  block: regression
  metrics: {exact_match: {margin: 0.03, min: 0.8}}
tags: [support, ja]
"""


def write_example(folder: SuiteFolder) -> None:
    folder.write("prompts/intent.md", "system:\n担当を答えてください。\nuser:\n{{ message }}\n")
    folder.write("schemas/intent.json", "{}")
    folder.write("metrics/polite.py", "def score(case, sample): return 1")
    folder.write_rows(
        [
            {"id": "a", "vars": {"message": "請求書"}, "expected": "経理", "ticket": "t1", "lang": "ja"},
            {"id": "b", "vars": {"message": "invoice"}, "expected": "billing", "ticket": "t2", "lang": "en"},
            {"id": "c", "vars": {"message": "返品"}, "expected": "物流", "ticket": "t2", "lang": "ja"},
        ],
        "datasets/support.jsonl",
    )


def test_the_example_of_the_format_loads_as_written(folder: SuiteFolder) -> None:
    """Every key of the documented example ends up in the suite."""
    write_example(folder)
    suite = folder.suite(EXAMPLE, path="evals/support.yaml")
    assert suite.name == "support-intent"
    assert suite.description == "Which team should answer this message?"
    assert [(arm.name, arm.model, dict(arm.params)) for arm in suite.arms] == [
        ("intent/small", "gpt-4o-mini", {"temperature": 0.7, "max_tokens": 50})
    ]
    assert suite.arms[0].target.options["base_url"] == "http://127.0.0.1:8000/v1"
    assert [(case.case_id, case.cluster) for case in suite.cases] == [("a", "t1"), ("c", "t2")]
    assert [(m.name, m.metric) for m in suite.metrics] == [
        ("exact_match", "exact_match"),
        ("rouge_l", "rouge"),
        ("json_schema", "json_schema"),
        ("polite", "python"),
    ]
    assert suite.metrics[1].pass_if is not None
    assert suite.metrics[1].pass_if.min == 0.4
    assert suite.metrics[2].options == {"schema": "../schemas/intent.json"}
    assert suite.gate.metrics["exact_match"].margin == 0.03
    assert (suite.samples, suite.tags, suite.source) == (5, ("support", "ja"), EXAMPLE)


def test_a_sound_suite_has_no_problem(folder: SuiteFolder) -> None:
    """Nothing is noted where nothing is wrong."""
    assert folder.problems() == ()


def test_all_problems_of_a_file_come_at_once_from_top_to_bottom(folder: SuiteFolder) -> None:
    """A file with mistakes of every kind is reported whole, in the order in which a person reads it."""
    folder.write("datasets/support.jsonl", "")
    found = folder.problems(
        """\
sampels: 3
samples: three
prompts: [../prompts/aks.md]
dataset: {path: ../datasets/qaa.jsonl, expectd: expected}
targets:
  - {provider: opnai, model: x}
  - {provider: openai, model: y, base_ulr: http://x, params: {temprature: 1}}
metrics:
  - exactmatch
  - {metric: rouge, varient: rougeL}
gate:
  block: regresion
  metrics: {exact_macth: {min: 0.5}}
"""
    )
    assert [(p.where.line, p.fix) for p in found if p.where is not None] == [
        (1, "did you mean 'samples'?"),
        (2, None),
        (3, "did you mean 'ask.md'?"),
        (4, "did you mean 'qa.jsonl'?"),
        (4, "did you mean 'expected'?"),
        (6, "did you mean 'openai'?"),
        (7, "did you mean 'base_url'?"),
        (7, "did you mean 'temperature'? A parameter that is really called 'temprature' goes under extra_body"),
        (9, "did you mean 'exact_match'?"),
        (10, "did you mean 'variant'?"),
        (12, "did you mean 'regression'?"),
        (13, "did you mean 'exactmatch'?"),
    ]


def test_a_suite_with_an_error_is_not_returned_and_a_sound_one_is(folder: SuiteFolder) -> None:
    """One broken file does not hide the others, and is not run."""
    folder.write("evals/good.yaml", SUITE)
    folder.write("evals/bad.yaml", SUITE.replace("exact_match", "exactmatch"))
    result = load_suites([], CATALOG, cwd=folder.root)
    assert [suite.name for suite in result.suites] == ["good"]
    assert [p.slug for p in result.problems] == ["suite-unknown-metric"]
    with pytest.raises(SuiteError):
        result.checked()


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("", "yaml-empty"),
        ("- a\n- b\n", "suite-not-a-suite"),
        ("just text\n", "suite-not-a-suite"),
        ("a: [\n", "yaml-syntax"),
        ("name: x\n", "suite-missing-section"),
    ],
)
def test_a_named_file_that_is_no_suite_is_an_error(folder: SuiteFolder, text: str, slug: str) -> None:
    """Whatever a file holds that the user named, it is a suite or an error."""
    result = folder.load(text)
    assert result.suites == ()
    assert {p.slug for p in result.errors} == {slug}


@pytest.mark.parametrize("section", ["prompts", "dataset", "targets", "metrics"])
@pytest.mark.parametrize("empty", ["", ":", ": []"])
def test_a_missing_or_empty_section_is_an_error(folder: SuiteFolder, section: str, empty: str) -> None:
    """A suite without prompts, dataset, targets or metrics tests nothing, and must not pass."""
    line = f"{section}{empty}" if empty else ""
    result = folder.load(with_lines(line, without=section))
    assert result.suites == ()
    assert result.errors


def test_several_sections_missing_are_reported_together(folder: SuiteFolder) -> None:
    """An almost empty suite says all that it lacks."""
    messages = [p.message for p in folder.problems("samples: 2\n")]
    assert messages == [f"the suite has no '{name}'" for name in ("prompts", "dataset", "targets", "metrics")]


def test_a_yaml_file_of_another_kind_in_the_folder_is_passed_over_with_a_warning(folder: SuiteFolder) -> None:
    """A dataset beside the suites stops nobody."""
    folder.write("evals/qa.yaml", SUITE)
    folder.write("evals/rows.yaml", "- {question: a}\n")
    result = load_suites([], CATALOG, cwd=folder.root)
    assert [suite.name for suite in result.suites] == ["qa"]
    assert [(p.slug, p.severity) for p in result.problems] == [("suite-not-a-suite", "warning")]


def test_only_files_of_another_kind_are_an_error(folder: SuiteFolder) -> None:
    """Passing over every file that was found is never a success."""
    folder.write("evals/rows.yaml", "- {question: a}\n")
    assert [p.slug for p in load_suites([], CATALOG, cwd=folder.root).errors] == ["suite-none-found"]


def test_a_suite_whose_keys_are_all_mistyped_is_still_taken_for_one(folder: SuiteFolder) -> None:
    """Mistyped keys do not make a suite vanish from a folder."""
    folder.write("evals/qa.yaml", "promts: [a.md]\ndatset: b\nmetrcs: [x]\n")
    assert "suite-unknown-key" in {p.slug for p in load_suites([], CATALOG, cwd=folder.root).errors}


def test_two_suites_of_one_name_are_an_error(folder: SuiteFolder) -> None:
    """Runs of two suites with one name would mix."""
    folder.write("evals/a.yaml", with_lines("name: same"))
    folder.write("evals/b.yaml", with_lines("name: same"))
    assert [p.slug for p in load_suites([], CATALOG, cwd=folder.root).errors] == ["suite-duplicate-name"]


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("evals/qa.yaml", "", "qa"),
        ("evals/support/ja/intent.yaml", "", "support/ja/intent"),
        ("evals/support/ja/intent.yaml", "name: 問い合わせ", "support/ja/問い合わせ"),
        ("other/qa.yml", "", "qa"),
        ("evals/old/evals/new/qa.yaml", "", "new/qa"),
    ],
)
def test_a_suite_is_named_by_its_folder_below_evals(folder: SuiteFolder, path: str, name: str, expected: str) -> None:
    """The hierarchical name is the folder below the nearest `evals`, and the name or stem."""
    up = "../" * path.count("/")
    text = with_lines(name).replace("../", up)
    assert folder.suite(text, path=path).name == expected


def test_names_of_suites_are_selected_by_prefix(folder: SuiteFolder) -> None:
    """`support/ja` means the suites at and below that name, by whole parts."""
    for path in ("support/ja/a", "support/ja/b", "support/japan", "other"):
        folder.write(f"evals/{path}.yaml", SUITE.replace("../", "../" * (path.count("/") + 1)))
    result = load_suites(["support/ja"], CATALOG, cwd=folder.root)
    assert [suite.name for suite in result.suites] == ["support/ja/a", "support/ja/b"]
    assert result.problems == ()


def test_a_broken_suite_is_not_reported_for_the_prefix_of_others(folder: SuiteFolder) -> None:
    """Choosing some suites does not speak of the rest."""
    folder.write("evals/a.yaml", SUITE)
    folder.write("evals/b.yaml", "a: [")
    assert load_suites(["a"], CATALOG, cwd=folder.root).problems == ()


def test_a_prefix_that_matches_nothing_is_an_error_with_a_suggestion(folder: SuiteFolder) -> None:
    """A mistyped name of a suite is never an empty success."""
    folder.write("evals/support/qa.yaml", SUITE.replace("../", "../../"))
    result = load_suites(["suport"], CATALOG, cwd=folder.root)
    assert [(p.slug, p.fix) for p in result.errors] == [("suite-no-match", "did you mean 'support'?")]


def test_an_unreadable_override_lets_no_suite_through(folder: SuiteFolder) -> None:
    """`--set samples` without a value was meant for every suite, so none is run without it."""
    result = folder.load(SUITE, "samples")
    assert result.suites == ()
    assert [p.slug for p in result.errors] == ["suite-override"]


@pytest.mark.parametrize("path", ["あ" * 300 + ".md", "/", "", "..", "a\0b.md"])
def test_a_path_that_no_file_can_have_is_an_error(folder: SuiteFolder, path: str) -> None:
    """Names too long, folders and the root of the disk give a problem, not a crash."""
    result = folder.load(with_lines(f"prompts: [{json.dumps(path)}]", without="prompts"))
    assert result.suites == ()
    assert {p.severity for p in result.problems} == {"error"}


def test_a_suite_of_enormous_size_is_not_read(folder: SuiteFolder) -> None:
    """A file that cannot be a suite does not fill the memory."""
    with folder.write("evals/qa.yaml", "a: ").open("r+b") as file:
        file.truncate(MAX_SUITE_BYTES + 1)
    result = load_suites(["evals/qa.yaml"], CATALOG, cwd=folder.root)
    assert [p.slug for p in result.errors] == ["suite-unreadable"]


def test_paths_in_messages_are_as_the_user_would_type_them(folder: SuiteFolder) -> None:
    """From a subfolder, places are relative to it."""
    folder.write("evals/qa.yaml", SUITE.replace("exact_match", "nope"))
    result = load_suites(["qa.yaml"], CATALOG, cwd=folder.root / "evals")
    assert str(result.problems[0].where) == "qa.yaml:4:11"


def test_a_suite_with_byte_order_mark_and_crlf_loads(folder: SuiteFolder) -> None:
    """Files saved by Windows editors are the same suites."""
    folder.write("evals/qa.yaml", b"\xef\xbb\xbf" + SUITE.replace("\n", "\r\n").encode())
    (suite,) = load_suites(["evals/qa.yaml"], CATALOG, cwd=folder.root).checked()
    assert suite.name == "qa"


def test_loading_suites_imports_no_heavy_library() -> None:
    """`retest check` pays for no library that only a run needs."""
    heavy = ("openai", "aiohttp", "nltk", "textstat", "sacrebleu", "numpy", "scipy", "sqlalchemy", "rich", "jsonschema")
    code = f"import retest.suites.load, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
