from __future__ import annotations

import pytest

from support.suite_folder import SUITE, SuiteFolder


def metrics(text: str) -> str:
    return SUITE.replace("[exact_match]", text)


def test_a_variable_that_no_row_has_is_unknown(folder: SuiteFolder) -> None:
    """A mistyped variable is found before the first call, with the name that was meant."""
    folder.write("prompts/ask.md", "{{ qestion }}")
    found = folder.problem()
    assert found.slug == "suite-unknown-variable"
    assert found.fix == "did you mean 'question'?"


def test_a_variable_missing_from_some_rows_says_which(folder: SuiteFolder) -> None:
    """The message counts the rows and names the first few, with file and line."""
    rows = [{"id": f"c{i}", "question": "q", "expected": "a"} | ({"文脈": "x"} if i == 3 else {}) for i in range(6)]
    folder.write_rows(rows)
    folder.write("prompts/ask.md", "{{ question }} {{ 文脈 }}")
    found = folder.problem()
    assert found.slug == "suite-missing-variable"
    assert "missing from 5 of 6 rows" in found.message
    assert found.details == (
        "datasets/qa.jsonl:1 (case 'c0')",
        "datasets/qa.jsonl:2 (case 'c1')",
        "datasets/qa.jsonl:3 (case 'c2')",
        "and 2 more",
    )


def test_a_variable_with_a_default_may_be_missing(folder: SuiteFolder) -> None:
    """What the template provides for is no mistake."""
    folder.write(
        "prompts/ask.md", "{{ question }} {{ context | default('') }}{% if hint is defined %}{{ hint }}{% endif %}"
    )
    assert folder.problems() == ()


def test_an_unknown_variable_is_placed_in_the_prompt(folder: SuiteFolder) -> None:
    """Line and column are those of the variable, the second of two mistyped ones too."""
    folder.write("prompts/ask.md", "Question:\n{{ question }}\n{{ qestion }} {{ 文脈x }}\n")
    assert [(p.slug, str(p.where)) for p in folder.problems()] == [
        ("suite-unknown-variable", "prompts/ask.md:3:4"),
        ("suite-unknown-variable", "prompts/ask.md:3:18"),
    ]


def test_a_variable_in_a_branch_is_found_by_rendering(folder: SuiteFolder) -> None:
    """What only some rows reach is found with those rows, once."""
    folder.write("prompts/ask.md", "{% if question == 'q2?' %}{{ qestion }}{% endif %}{{ question }}")
    found = folder.problem()
    assert str(found.where) == "prompts/ask.md:1:30"
    assert "rendered with datasets/qa.jsonl:2 (case 'c2')" in found.details


def test_an_unused_field_is_no_problem(folder: SuiteFolder) -> None:
    """A dataset may hold more than a prompt uses."""
    folder.write_rows([{"id": "a", "question": "q", "expected": "a", "note": "n"}])
    assert folder.problems() == ()


def test_a_metric_that_compares_is_refused_where_no_row_has_an_answer(folder: SuiteFolder) -> None:
    """The fix names the field that probably holds the answers."""
    folder.write_rows([{"id": "a", "question": "q", "answer": "x"}])
    found = folder.problem(SUITE.replace(", expected: expected", ""))
    assert (found.slug, str(found.where)) == ("suite-no-expected", "evals/qa.yaml:4:11")
    assert found.fix == "set dataset.expected: answer"


def test_cases_that_no_metric_can_judge_are_refused(folder: SuiteFolder) -> None:
    """Where every metric compares, each case needs an answer; the message says which lack one."""
    folder.write_rows([{"id": f"c{i}", "question": "q", "expected": "a" if i else None} for i in range(3)])
    found = folder.problem()
    assert found.slug == "suite-unjudgeable-case"
    assert "1 of 3 cases" in found.message
    assert found.details == ("datasets/qa.jsonl:1 (case 'c0')",)


def test_a_metric_that_needs_no_answer_can_judge_every_case(folder: SuiteFolder) -> None:
    """With json_valid beside it, exact_match may lack some answers."""
    folder.write_rows([{"id": f"c{i}", "question": "q", "expected": "a" if i else None} for i in range(3)])
    assert folder.problems(metrics("[exact_match, json_valid]")) == ()


def test_an_option_may_stand_in_for_the_answer(folder: SuiteFolder) -> None:
    """`contains` with `values` compares with those, not with the case."""
    folder.write_rows([{"id": "a", "question": "q"}])
    assert folder.problems(metrics("[{metric: contains, values: [a, b]}]").replace(", expected: expected", "")) == ()


def test_a_mistyped_metric_brings_no_further_messages_about_answers(folder: SuiteFolder) -> None:
    """What the other metrics can judge says nothing while one is unknown."""
    folder.write_rows([{"id": "a", "question": "q"}])
    found = folder.problem(metrics("[exactmatch]").replace(", expected: expected", ""))
    assert found.slug == "suite-unknown-metric"


@pytest.mark.parametrize(
    ("dataset", "content"),
    [
        ("../datasets/qa.jsonl", ""),
        ("../datasets/qa.csv", ""),
        ("../datasets/qa.csv", "id,question,expected\n"),
        ("{path: ../datasets/qa.jsonl, where: {lang: ja}}", '{"id": "a", "question": "q", "lang": "en"}\n'),
        ("{path: ../datasets/qa.jsonl, expected: answr}", '{"id": "a", "question": "q", "answer": "en"}\n'),
        ("{path: ../datasets/qa.jsonl, id: id}", '{"id": "a", "question": "q"}\n{"id": "a", "question": "r"}\n'),
        ("{cases: []}", ""),
        ("../datasets", ""),
        ("../datasets/nope.jsonl", ""),
    ],
)
def test_a_dataset_that_gives_no_sound_cases_is_an_error(folder: SuiteFolder, dataset: str, content: str) -> None:
    """Empty files, filters without a match, unknown fields, duplicate ids and missing files never pass."""
    for name in ("qa.jsonl", "qa.csv"):
        folder.write(f"datasets/{name}", content)
    text = "\n".join(f"dataset: {dataset}" if line.startswith("dataset") else line for line in SUITE.splitlines())
    result = folder.load(text)
    assert result.suites == ()
    assert result.errors


def test_never_fail_names_cases_or_tags_that_exist(folder: SuiteFolder) -> None:
    """A mistyped case id in the gate would silently guard nothing."""
    found = folder.problem(SUITE.replace("{block: regression}", "{never_fail: [c1, c9]}"))
    assert found.slug == "gate-unknown-case"
    assert "'c9'" in found.message


def test_a_gate_that_can_never_be_judged_is_refused(folder: SuiteFolder) -> None:
    """More cases demanded than there are."""
    found = folder.problem(SUITE.replace("{block: regression}", "{block: regression, min_cases: 3}"))
    assert found.slug == "gate-too-few-cases"


def test_a_large_dataset_is_streamed(folder: SuiteFolder) -> None:
    """Each pass reads the cases anew: 20,000 rows are counted, not kept."""
    folder.write_rows([{"id": i, "question": f"q{i}", "expected": "a"} for i in range(20_000)])
    suite = folder.suite()
    assert len(suite.cases) == 20_000
    assert next(iter(suite.cases)).case_id == "0"
