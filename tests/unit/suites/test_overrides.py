from __future__ import annotations

import pytest

from retest.errors import SuiteError
from retest.suites.overrides import apply_overrides, parse_override
from retest.suites.yaml_nodes import MapNode, plain
from retest.suites.yaml_reader import read_yaml
from support.suite_folder import SuiteFolder, with_lines

TREE = """\
prompt: ../a.md
dataset: data.jsonl
samples: 1
targets:
  - {name: small, provider: openai, model: m, params: {temperature: 1}}
  - {provider: openai, model: gpt-4.1}
metrics: [exact_match, {metric: rouge, name: rouge_l, pass_if: 0.5}]
"""


def options(_provider: str) -> frozenset[str]:
    return frozenset({"base_url", "timeout_s"})


def changed(*texts: str) -> dict[str, object]:
    tree = read_yaml(TREE, "f.yaml")
    assert isinstance(tree, MapNode)
    result = apply_overrides(tree, [parse_override(text) for text in texts], options)
    assert result.problems == ()
    data = plain(result.tree)
    assert isinstance(data, dict)
    return data


def refused(text: str) -> tuple[str, str | None]:
    tree = read_yaml(TREE, "f.yaml")
    assert isinstance(tree, MapNode)
    (problem,) = apply_overrides(tree, [parse_override(text)], options).problems
    assert str(problem.where) == f"--set {text.partition('=')[0]}"
    return problem.message, problem.fix


def at(data: object, *path: str | int) -> object:
    for part in path:
        data = data[part]  # type: ignore[index]  # the tests name paths that exist
    return data


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("samples=3", ("samples",), 3),
        ("samples = 3", ("samples",), 3),
        ("description=Yes", ("description",), "Yes"),
        ("description='3'", ("description",), "3"),
        ("description=a=b", ("description",), "a=b"),
        ("name=日本", ("name",), "日本"),
        ("tags=[a, b]", ("tags",), ["a", "b"]),
        ("gate.alpha=0.1", ("gate", "alpha"), 0.1),
        ("gate.metrics.rouge_l.min=0.2", ("gate", "metrics", "rouge_l", "min"), 0.2),
        ("gate.metrics={rouge_l: {min: 0.2}}", ("gate", "metrics"), {"rouge_l": {"min": 0.2}}),
        ("dataset.subset=5", ("dataset", "subset"), 5),
        ("targets.small.model=x", ("targets", 0, "model"), "x"),
        ("targets.0.model=x", ("targets", 0, "model"), "x"),
        ("targets.gpt-4.1.model=x", ("targets", 1, "model"), "x"),
        ("targets.gpt-4.1.temperature=0", ("targets", 1, "params", "temperature"), 0),
        ("target.params.temperature=0", ("targets", 0, "params", "temperature"), 0),
        ("target.temperature=0", ("targets", 1, "params", "temperature"), 0),
        ("target.timeout_s=5", ("targets", 1, "timeout_s"), 5),
        ("prompt.name=x", ("prompts", 0, "name"), "x"),
        ("prompt=../b.md", ("prompts", 0, "path"), "../b.md"),
        ("dataset.limit=2", ("dataset", "limit"), 2),
        ("dataset=other.jsonl", ("dataset", "path"), "other.jsonl"),
        ("metrics.rouge_l.variant=rouge1", ("metrics", 1, "variant"), "rouge1"),
        ("metrics.rouge_l.pass_if.max=0.9", ("metrics", 1, "pass_if"), {"min": 0.5, "max": 0.9}),
        ("metrics.rouge_l.pass_if=0.7", ("metrics", 1, "pass_if"), 0.7),
        ("metrics.exact_match.pass_if=1", ("metrics", 0, "pass_if"), 1),
    ],
)
def test_a_path_reaches_keys_positions_and_names(text: str, path: tuple[str | int, ...], value: object) -> None:
    """Each form of path changes the value that it means."""
    assert at(changed(text), *path) == value


def test_what_an_override_does_not_name_stays(folder: SuiteFolder) -> None:
    """The rest of the entry and of the suite is untouched."""
    data = changed("targets.small.model=x")
    assert at(data, "targets", 0, "params") == {"temperature": 1}
    assert at(data, "targets", 1, "model") == "gpt-4.1"


def test_the_singular_means_every_entry() -> None:
    """`target.` reaches all targets."""
    data = changed("target.temperature=0")
    assert [at(data, "targets", i, "params", "temperature") for i in (0, 1)] == [0, 0]


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("targets.smal.model=x", "nothing in 'targets' is called 'smal'", "did you mean 'small'?"),
        ("metrics.rouge.variant=x", "nothing in 'metrics' is called 'rouge'", "did you mean 'rouge_l'?"),
        ("targets.7.model=x", "nothing in 'targets' is called '7'", None),
        ("samples.x=1", "'samples' is a single value, and has no 'x'", None),
    ],
)
def test_a_path_that_fits_nothing_is_a_problem(text: str, message: str, fix: str | None) -> None:
    """A mistyped name in a path is answered with the one that is there."""
    assert refused(text) == (message, fix)


@pytest.mark.parametrize("text", ["samples", "=3", "a..b=1", ""])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    """`--set` wants path=value."""
    with pytest.raises(SuiteError, match="--set wants path=value"):
        parse_override(text)


def test_an_override_is_checked_like_the_file(folder: SuiteFolder) -> None:
    """An unknown key and a wrong value are found at the override, with did-you-mean."""
    found = folder.problems(with_lines(), "sampels=3", "gate.block=regresion", "target.temprature=0")
    assert {(str(p.where), p.fix) for p in found} == {
        ("--set sampels", "did you mean 'samples'?"),
        ("--set gate.block", "did you mean 'regression'?"),
        ("--set target.temprature", "model parameters go under `params`: params: {temperature: ...}"),
    }


def test_an_override_without_a_suite_key_for_it_is_refused(folder: SuiteFolder) -> None:
    """`target.` on a suite without targets fits nothing."""
    slugs = {p.slug for p in folder.problems(with_lines(without="targets"), "target.temperature=0")}
    assert "suite-override" in slugs


def test_a_value_in_a_message_is_not_shown_for_its_place(folder: SuiteFolder) -> None:
    """What was given for a private option does not appear as a place."""
    found = folder.problems(with_lines(), "target.api_key=sk-abcdefghijklmnopqrstuvwx")
    assert found
    assert "sk-abc" not in "\n".join(str(p) for p in found)
