from __future__ import annotations

import pytest

from retest.domain.suite import CasePasses, PassIf
from support.suite_folder import SuiteFolder, with_lines


def metrics(text: str, *lines: str) -> str:
    return with_lines(f"metrics: {text}", *lines, without="metrics")


def test_a_metric_with_all_keys_arrives(folder: SuiteFolder) -> None:
    """Common keys and the metric's own options stand flat beside each other."""
    text = metrics(
        "[{metric: rouge, name: r, variant: rouge1, pass_if: {min: 0.2, max: 0.9}, aggregate: pass@2, "
        "case_passes: all, direction: lower}]",
        "samples: 3",
    )
    (spec,) = folder.suite(text).metrics
    assert (spec.name, spec.metric, spec.options) == ("r", "rouge", {"variant": "rouge1"})
    assert (spec.pass_if, spec.aggregate) == (PassIf(min=0.2, max=0.9), "pass@2")
    assert (spec.case_passes, spec.direction) == (CasePasses(rule="all"), "lower")


def test_a_bare_number_is_a_minimum(folder: SuiteFolder) -> None:
    """`pass_if: 0.5` says the same as {min: 0.5}."""
    assert folder.suite(metrics("{metric: rouge, pass_if: 0.5}")).metrics[0].pass_if == PassIf(min=0.5)


def test_a_bare_number_is_refused_where_lower_is_better(folder: SuiteFolder) -> None:
    """`pass_if: 2000` for latency would pass only slow answers."""
    found = folder.problem(metrics("{metric: latency, pass_if: 2000}"))
    assert (found.slug, found.fix) == ("suite-threshold", "write pass_if: {max: 2000}")


def test_an_override_of_something_else_does_not_hide_it(folder: SuiteFolder) -> None:
    """The check holds with --set as without."""
    assert folder.problem(metrics("{metric: latency, pass_if: 2000}"), "samples=2").slug == "suite-threshold"


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("[exactmatch]", "unknown metric 'exactmatch'", "did you mean 'exact_match'?"),
        ("[rougeL]", "unknown metric 'rougeL'", "did you mean 'rouge'?"),
        ("[{metric: rouge, varient: rouge1}]", "unknown key 'varient' in metric 'rouge'", "did you mean 'variant'?"),
        ("[{metric: rouge, pasif: 1}]", "unknown key 'pasif' in metric 'rouge'", "did you mean 'pass_if'?"),
        (
            "[{metric: rouge, variant: rougel}]",
            "variant of metric 'rouge': expected 'rouge1', 'rouge2' or 'rougeL', found the text 'rougel'",
            "did you mean 'rougeL'?",
        ),
        ("[{name: x}]", "the key 'metric' of metrics.0 is missing", "add `metric: ...`"),
        ("[{metric: json_schema}]", "the key 'schema' of metric 'json_schema' is missing", "add `schema: ...`"),
        ("[3]", "metrics.0: expected a mapping, found 3", None),
        ("[null]", "metrics.0: expected a mapping, found nothing", None),
        ("[[rouge]]", "metrics.0: expected a mapping, found a list", None),
    ],
)
def test_mistakes_in_an_entry_are_explained(folder: SuiteFolder, text: str, message: str, fix: str | None) -> None:
    """Each mistake says what is wrong and how to fix it, at the entry."""
    found = folder.problem(metrics(text))
    assert (found.message, found.fix) == (message, fix)
    assert found.where is not None
    assert found.where.line == 5


@pytest.mark.parametrize(
    "value",
    ["median", "pass@0", "pass@x", "3"],
)
def test_an_unknown_aggregate_is_refused(folder: SuiteFolder, value: str) -> None:
    """The message lists the known ones."""
    found = folder.problem(metrics(f"[{{metric: exact_match, aggregate: {value}}}]"))
    assert "expected one of mean, min, max" in found.message


@pytest.mark.parametrize("value", ["most", "0", "6 of 5", "1.5", "true", "'3'", "[all]"])
def test_an_unknown_case_rule_is_refused(folder: SuiteFolder, value: str) -> None:
    """all, any, majority, a number, or k of n."""
    found = folder.problem(metrics(f"[{{metric: exact_match, case_passes: {value}}}]"))
    assert "all, any, majority" in found.message


def test_a_rule_without_anything_that_passes_is_refused(folder: SuiteFolder) -> None:
    """Counting passes of a metric that has none would always fail."""
    found = folder.problem(metrics("[{metric: rouge, aggregate: any}]"))
    assert found.slug == "suite-rule-without-pass"


def test_pass_at_k_needs_k_samples(folder: SuiteFolder) -> None:
    """pass@3 cannot be computed from one sample."""
    found = folder.problem(metrics("[{metric: exact_match, aggregate: pass@3}]"))
    assert (found.slug, found.fix) == ("suite-too-few-samples", "set samples: 3")


def test_defaults_reach_each_entry_of_their_metric(folder: SuiteFolder) -> None:
    """An entry's own keys win."""
    text = metrics(
        "[rouge, {metric: rouge, name: one, variant: rouge1, pass_if: 0.9}]",
        "defaults: {metrics: {rouge: {stemmer: true, pass_if: 0.5}}}",
    )
    first, second = folder.suite(text).metrics
    assert (first.options, first.pass_if) == ({"stemmer": True}, PassIf(min=0.5))
    assert (second.options, second.pass_if) == ({"stemmer": True, "variant": "rouge1"}, PassIf(min=0.9))


@pytest.mark.parametrize(
    ("defaults", "where", "fix"),
    [
        ("{rouge: {stemer: true}}", "evals/qa.yaml:6:30", "did you mean 'stemmer'?"),
        ("{rouge: {pass_if: high}}", "evals/qa.yaml:6:39", None),
        ("{rogue: {stemmer: true}}", "evals/qa.yaml:6:22", "did you mean 'rouge'?"),
        ("{rouge: {name: x}}", "evals/qa.yaml:6:30", "remove it"),
    ],
)
def test_mistakes_in_defaults_are_found_there(folder: SuiteFolder, defaults: str, where: str, fix: str | None) -> None:
    """The place is that of the default, not of the entry it would reach."""
    found = folder.problem(metrics("[rouge]", f"defaults: {{metrics: {defaults}}}"))
    assert (str(found.where), found.fix) == (where, fix)


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("[{metric: json_schema, schema: ../scema.json}]", "did you mean 'schema.json'?"),
        ("[{metric: python, path: ../polit.py:score}]", "did you mean 'polite.py'?"),
    ],
)
def test_a_missing_file_of_a_metric_suggests_its_sibling(folder: SuiteFolder, text: str, fix: str) -> None:
    """Schemas and code are looked for before the first call."""
    folder.write("schema.json", "{}")
    folder.write("polite.py", "")
    found = folder.problem(metrics(text))
    assert (found.slug, found.fix) == ("suite-file-missing", fix)


def test_a_schema_may_stand_in_the_suite(folder: SuiteFolder) -> None:
    """An option that takes a file or a mapping takes the mapping."""
    (spec,) = folder.suite(metrics("[{metric: json_schema, schema: {type: object}}]")).metrics
    assert spec.options == {"schema": {"type": "object"}}
