from __future__ import annotations

import json
import struct
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import MetricContext
from retest.metrics.registry import metric_classes
from retest.metrics.retrieval import METRICS

TREC = Path(__file__).parents[3].parent / "shared" / "data" / "retrieval_trec"
NAMES = [cls.info.name for cls in METRICS]


def outcome(name: str, expected: JsonValue, output: str, **options: Any) -> ScoreOutcome:
    cls = metric_classes()[name]
    if name == "precision_at_k":
        options.setdefault("k", 5)
    metric = cls(cls.Options(**options), MetricContext(name=name))
    found = metric.score(Case(case_id="1", vars={}, content_hash="", expected=expected), Response(output=output))
    assert isinstance(found, Score | MetricFailure)
    return found


def value(name: str, expected: JsonValue, output: str, **options: Any) -> float:
    found = outcome(name, expected, output, **options)
    assert isinstance(found, Score), found
    return found.value


# -- the reference program's own figures -------------------------------------------------------------------------------


def single(number: str) -> float:
    """Return a number in single precision, in which the reference program sorts."""
    found: float = struct.unpack("f", struct.pack("f", float(number)))[0]
    return found


@cache
def trec() -> tuple[dict[str, dict[str, int]], dict[str, list[str]]]:
    """Return relevance and ranking by topic; equal scores are sorted by id, backwards."""
    if not TREC.exists():
        pytest.skip("needs ../shared/data")
    grades: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for line in (TREC / "qrels.test").read_text("utf-8").split("\n"):
        if line:
            topic, _, doc, grade = line.split()
            grades[topic][doc] = int(grade)
    found: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for line in (TREC / "results.test").read_text("utf-8").split("\n"):
        if line:
            topic, _, doc, _, score, _ = line.split()
            found[topic].append((single(score), doc))
    return dict(grades), {topic: [doc for _, doc in sorted(pairs, reverse=True)] for topic, pairs in found.items()}


@cache
def golden(name: str = "out.test.aq") -> dict[tuple[str, str], str]:
    """Return (measure, topic) -> value with four decimals."""
    rows = [line.split() for line in (TREC / name).read_text("utf-8").split("\n") if line]
    return {(row[0], row[1]): row[2] for row in rows if len(row) == 3}


MEASURES = [
    ("map", "average_precision", {}),
    ("recip_rank", "reciprocal_rank", {}),
    ("ndcg", "ndcg", {}),
    *[(f"P_{k}", "precision_at_k", {"k": k}) for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)],
    *[(f"recall_{k}", "recall_at_k", {"k": k}) for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)],
    *[(f"ndcg_cut_{k}", "ndcg", {"k": k}) for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)],
    *[(f"map_cut_{k}", "average_precision", {"k": k}) for k in (5, 10, 15, 20, 30, 100, 200, 500, 1000)],
    *[(f"success_{k}", "hit_rate", {"k": k}) for k in (1, 5, 10)],
]


@pytest.mark.data
@pytest.mark.parametrize(("measure", "name", "options"), MEASURES, ids=[row[0] for row in MEASURES])
def test_every_topic_and_the_mean_equal_the_reference_program(measure: str, name: str, options: dict[str, int]) -> None:
    """Each topic's value and their mean equal trec_eval's to four decimals."""
    grades, rankings = trec()
    wanted = golden()
    values = {topic: value(name, dict(grades[topic]), json.dumps(rankings[topic]), **options) for topic in rankings}
    for topic, found in values.items():
        assert f"{found:.4f}" == wanted[measure, topic]
    assert f"{sum(values.values()) / len(values):.4f}" == wanted[measure, "all"]


# -- by hand -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("precision_at_k", {"k": 2}, 1 / 2),  # a relevant, x not
        ("precision_at_k", {"k": 10}, 2 / 10),  # ranks without a document count
        ("recall_at_k", {"k": 1}, 1 / 3),
        ("recall_at_k", {}, 2 / 3),
        ("hit_rate", {"k": 1}, 1.0),
        ("reciprocal_rank", {}, 1.0),
        ("average_precision", {}, (1 / 1 + 2 / 3) / 3),
    ],
)
def test_values_by_hand(name: str, options: dict[str, int], wanted: float) -> None:
    """The first and third of three returned are two of three relevant documents."""
    assert value(name, ["a", "b", "c"], '["a", "x", "b"]', **options) == pytest.approx(wanted)


def test_a_higher_grade_can_be_asked_for() -> None:
    """With `relevant_from` 2 a document of grade 1 is not relevant."""
    grades: JsonValue = {"a": 1, "b": 2, "c": 3}
    assert value("recall_at_k", grades, '["a", "b"]', relevant_from=2) == 1 / 2
    assert value("reciprocal_rank", grades, '["a", "b"]', relevant_from=2) == 1 / 2


def test_exponential_gain_weighs_high_grades_more() -> None:
    """With 2^grade - 1 a grade of 3 in second place costs more than with linear gain."""
    grades: JsonValue = {"a": 1, "b": 3}
    assert value("ndcg", grades, '["a", "b"]', gain="exponential") == pytest.approx(
        (1 + 7 / 1.5849625) / (7 + 1 / 1.5849625)
    )
    assert value("ndcg", grades, '["a", "b"]') == pytest.approx((1 + 3 / 1.5849625) / (3 + 1 / 1.5849625))


@pytest.mark.parametrize(
    "output",
    [
        '["文書1", "x"]',
        '[{"id": "文書1", "score": 0.9}, {"id": "x"}]',
        '検索結果:\n```json\n["文書1", "x"]\n```\n以上です。',
        "文書1\nx\n",
        '"文書1"',
        "  文書1  ",
    ],
)
def test_ids_are_read_in_every_usual_form(output: str) -> None:
    """A JSON list of ids or objects, in a code fence or bare, and one id a line say the same."""
    assert value("reciprocal_rank", ["文書1"], output) == 1.0


def test_ids_below_a_path_are_read() -> None:
    """`ids` and `id_field` say where in the output the ids are."""
    output = '{"answer": {"sources": [{"doc": 7}, {"doc": 8}]}}'
    assert value("reciprocal_rank", [8], output, ids="answer.sources", id_field="doc") == 0.5


def test_an_id_returned_twice_counts_once() -> None:
    """The first place of a repeated id counts, and the details say that there were repeats."""
    found = outcome("precision_at_k", ["a", "b"], '["a", "a", "b"]', k=2)
    assert isinstance(found, Score)
    assert found.value == 1.0
    assert found.details is not None
    assert found.details["repeated_ids"] == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("output", ["[]", "", '{"results": 3}', "[null]", "[[1]]"])
def test_an_output_without_relevant_ids_scores_0(name: str, output: str) -> None:
    """Nothing returned, or no list of ids, is an answer that found nothing, with a reason."""
    found = outcome(name, ["a"], output)
    assert isinstance(found, Score)
    assert found.value == 0.0
    assert found.reason


def test_output_without_the_path_says_so() -> None:
    """The missing field is named."""
    found = outcome("ndcg", ["a"], '{"hits": []}', ids="results")
    assert isinstance(found, Score)
    assert found.reason is not None
    assert "'results'" in found.reason


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("expected", [[], {"a": 0}, {}])
def test_a_case_without_a_relevant_document_is_not_judged(name: str, expected: JsonValue) -> None:
    """Where nothing is relevant the metric does not apply: neither 0 nor a failure."""
    found = outcome(name, expected, '["a"]')
    assert isinstance(found, MetricFailure)
    assert found.kind == "not_applicable"


@pytest.mark.parametrize("expected", [True, 1.5, [["a"]], {"a": "high"}, {"a": True}, {"a": 1e9}, [None]])
def test_relevance_of_another_form_is_refused(expected: JsonValue) -> None:
    """What is neither ids nor grades is the dataset's fault, and says so."""
    found = outcome("ndcg", expected, '["a"]')
    assert isinstance(found, MetricFailure)
    assert found.kind == "bad_expected"


def test_a_case_without_expected_is_not_judged() -> None:
    """The failure is of the kind that counts as not applicable."""
    found = outcome("ndcg", None, '["a"]')
    assert isinstance(found, MetricFailure)
    assert found.kind == "no_expected"


@pytest.mark.parametrize("options", [{"k": 0}, {"ids": "a..b"}, {"relevant_from": 0}, {"gain": "cubic"}])
def test_options_outside_their_limits_are_refused(options: dict[str, Any]) -> None:
    """A rank of 0, an empty path step, a relevance of 0 and an unknown gain are no options."""
    with pytest.raises(ValidationError):
        metric_classes()["ndcg"].Options(**options)


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 3), min_size=1),
    st.integers(1, 10),
)
def test_every_value_lies_between_0_and_1(returned: list[str], grades: dict[str, int], k: int) -> None:
    """Whatever is returned and relevant, each measure stays on its scale."""
    for name in NAMES:
        found = outcome(name, dict(grades), json.dumps(returned), k=k)
        assert isinstance(found, MetricFailure) or 0 <= found.value <= 1
