from __future__ import annotations

import pytest

from support.suite_folder import SUITE, SuiteFolder, with_lines


def messages(folder: SuiteFolder, text: str) -> list[str]:
    return [p.message for p in folder.problems(text)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("samples: three", "samples: expected a whole number, found the text 'three'"),
        ("samples: '3'", "samples: expected a whole number, found the text '3'"),
        ("samples: 2.5", "samples: expected a whole number, found 2.5"),
        ("samples: true", "samples: expected a whole number, found true"),
        ("samples: 0", "samples: expected greater than or equal to 1, found 0"),
        ("samples: [1]", "samples: expected a whole number, found a list"),
        ("tags: [1]", "tags.0: expected text, found 1"),
        ("tags: {a: b}", "tags: expected text, found a mapping"),
        ("metadata: x", "metadata: expected a mapping, found the text 'x'"),
        ("redact: ['(']", "redact.0: not a regular expression: missing ), unterminated subpattern at position 0"),
        ("redact: [{pattern: a, field: b}]", "redact.0: a redaction has either `pattern` or `field`"),
        ("matrix: {}", "the key 'params' of matrix is missing"),
        ("matrix: {params: []}", "matrix.params: expected at least one entry, found an empty list"),
        ("name: ''", "name: a name is text without line breaks, and without spaces at its ends"),
        ('name: "a\\nb"', "name: a name is text without line breaks, and without spaces at its ends"),
        ("description: Yes\nsamples: on", "samples: expected a whole number, found the text 'on'"),
        ("defaults: [a]", "defaults: expected a mapping, found a list"),
    ],
)
def test_wrong_values_are_explained_in_plain_words(folder: SuiteFolder, line: str, message: str) -> None:
    """The message names the key, what was expected, and what stands there."""
    assert messages(folder, SUITE + line + "\n") == [message]


@pytest.mark.parametrize(
    ("section", "text", "message"),
    [
        ("prompts", "prompts: [{name: x}]", "prompts.0: a prompt has either `path` or `text`"),
        ("prompts", "prompts: [{path: a, text: b}]", "prompts.0: a prompt has either `path` or `text`"),
        ("prompts", "prompts: [3]", "prompts.0: expected a mapping, found 3"),
        ("dataset", "dataset: {id: x}", "dataset: a dataset has either `path` or `cases`"),
        ("dataset", "dataset: {path: a, format: xls}", None),
        ("dataset", "dataset: [{q: a}, b]", None),
    ],
)
def test_wrong_sections_are_explained(folder: SuiteFolder, section: str, text: str, message: str | None) -> None:
    """A section that cannot be read is an error of its own."""
    found = messages(folder, with_lines(text, without=section))
    assert found
    assert message is None or message in found


def test_a_long_wrong_value_is_cut(folder: SuiteFolder) -> None:
    """A message does not repeat pages of text."""
    (message,) = messages(folder, SUITE + f"samples: {'あ' * 5000}\n")
    assert len(message) < 200


def test_lists_may_be_written_as_their_only_entry(folder: SuiteFolder) -> None:
    """`metrics: exact_match` says the same as `metrics: [exact_match]`."""
    text = """\
prompts: ../prompts/ask.md
dataset: ../datasets/qa.jsonl
targets: {provider: openai, model: m}
metrics: json_valid
tags: ja
gate: {block: regression, require_same: model}
"""
    suite = folder.suite(text)
    assert (suite.tags, suite.gate.require_same, len(suite.arms), len(suite.metrics)) == (("ja",), ("model",), 1, 1)


def test_several_dataset_files_are_read_in_order(folder: SuiteFolder) -> None:
    """A bare list of paths is several files."""
    folder.write_rows([{"question": "zweite"}], "datasets/b.jsonl")
    text = with_lines("dataset: [../datasets/qa.jsonl, ../datasets/b.jsonl]", without="dataset metrics")
    suite = folder.suite(text + "metrics: json_valid\n")
    assert [case.vars["question"] for case in suite.cases] == ["q1?", "q2?", "zweite"]
