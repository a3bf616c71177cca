"""Field by field."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from retest.metrics.assignment import best_pairs
from retest.metrics.structured import JsonFields
from support.scoring import built, failed, json_lines, scored, value

DATA = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.mark.parametrize(
    ("options", "expected", "found", "score"),
    [
        ({}, {"a": 1, "b": "x"}, {"a": 1.0, "b": " ｘ"}, 1),
        ({}, {"a": 1, "b": 2}, {"a": 1}, 0.5),
        ({}, {"a": 1}, {"a": 1, "b": 2}, 0.5),  # made up: counts as a field with F1 0
        ({"extra": "ignore"}, {"a": 1}, {"a": 1, "b": 2}, 1),
        ({}, {"a": 1}, {"a": "1"}, 0),
        ({"lenient_types": True}, {"a": 1, "b": True, "c": "1.50"}, {"a": "1.0", "b": "TRUE", "c": 1.5}, 1),
        ({}, {"a": True}, {"a": 1}, 0),  # true is no number
        ({}, {"a": None}, {}, 1),
        ({"null_is_absent": False}, {"a": None}, {}, 0),
        ({}, {}, {}, 1),
        ({}, {}, {"a": 1}, 0),
        ({}, {"t": ["a", "b"]}, {"t": ["b", "a"]}, 1),
        ({"ordered_lists": True}, {"t": ["a", "b"]}, {"t": ["b", "a"]}, 0),
        ({}, {"t": ["a", "b"]}, {"t": ["b", "a", "c"]}, 0.8),
        ({}, {"t": ["a", "a"]}, {"t": ["a"]}, 2 / 3),  # repeated values count
        ({}, {"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 1}}}, 1),
        ({}, {"a": {"b": 1}}, {"a": 1}, 0),
        ({}, {"a": 1}, 5, 0),
        ({}, [1, 2], [2, 1], 1),  # a list in `expected` is the value itself
        ({}, '{"a": 1}', {"a": 1}, 1),  # as CSV files hold it
        ({"casefold": True}, {"a": "Tokyo"}, {"a": "TOKYO"}, 1),
        ({"fields": ["a"]}, {"a": 1, "b": 2}, {"a": 1, "b": 3}, 1),
        ({"fields": ["s"]}, {"s": {"x": 1}, "b": 2}, {"s": {"x": 1}}, 1),
        ({"ignore": ["b"]}, {"a": 1, "b": 2}, {"a": 1, "b": 3}, 1),
        ({"average": "values"}, {"a": 1, "t": [1, 2, 3]}, {"a": 2, "t": [1, 2, 3]}, 0.75),
        ({"measure": "recall"}, {"a": 1, "b": 2}, {"a": 1, "c": 3}, 0.5),
        ({"measure": "precision"}, {"a": 1, "b": 2}, {"a": 1}, 1),
        ({"measure": "precision"}, {"a": 1}, {}, 0),
    ],
)
def test_json_fields(options: dict[str, Any], expected: Any, found: Any, score: float) -> None:
    """The average over the fields of what is right."""
    output = json.dumps(found, ensure_ascii=False)
    assert value(built(JsonFields, **options), output, expected) == pytest.approx(score)


def test_items_are_paired_so_that_most_values_agree() -> None:
    """The example of docs/metrics.md: the order of items does not matter, one count is wrong."""
    expected = {"intent": "refund", "items": [{"name": "本", "count": 2}, {"name": "pen", "count": 1}]}
    answer = '{"intent": "refund", "items": [{"name": "pen", "count": 1}, {"name": "本", "count": 3}]}'
    score = scored(built(JsonFields), answer, expected)
    assert score.value == pytest.approx((1 + 1 + 0.5) / 3)
    assert score.reason == "items[].count: expected 2, got 3"


def test_the_order_of_items_never_changes_the_score() -> None:
    """Not even where a greedy pairing would depend on it."""
    expected = {"e": [{"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 3}]}
    items = [{"a": 1, "b": 1, "c": 9}, {"a": 1, "b": 2, "c": 1}, {"a": 2, "b": 1, "c": 1}]
    values = {
        value(built(JsonFields), json.dumps({"e": list(order)}), expected) for order in itertools.permutations(items)
    }
    assert len(values) == 1


def test_the_details_hold_every_field() -> None:
    """Precision, recall, F1 and the counts, by field."""
    details = scored(built(JsonFields), '{"t": ["b", "c"]}', {"t": ["a", "b"], "x": 1}).details
    assert details is not None
    fields: Any = details["fields"]
    assert fields["t[]"] == {"precision": 0.5, "recall": 0.5, "f1": 0.5, "matched": 1, "missing": 1, "extra": 1}
    assert fields["x"]["precision"] is None


def test_an_answer_that_is_no_json_scores_zero() -> None:
    """With the reason that json_valid would give."""
    score = scored(built(JsonFields), '{"a"：1}', {"a": 1})
    assert (score.value, "full-width" in (score.reason or "")) == (0, True)


def test_long_lists_are_compared_in_reasonable_time() -> None:
    """Hundreds of unequal items do not take minutes."""
    expected = {"e": [{"i": i, "n": str(i)} for i in range(400)]}
    found = {"e": [{"i": i, "n": str(i + 1)} for i in range(400)]}
    assert value(built(JsonFields), json.dumps(found), expected) >= 0.5


def test_nothing_to_judge_is_not_applicable() -> None:
    """A field that neither side has is no success."""
    assert failed(built(JsonFields, fields=["b"]), '{"a": 1}', {"a": 1}).kind == "not_applicable"
    assert failed(built(JsonFields, measure="recall"), '{"a": 1}', {}).kind == "not_applicable"


@pytest.mark.parametrize(("expected", "kind"), [(None, "no_expected"), (5, "bad_expected"), ("refund", "bad_expected")])
def test_a_reference_of_another_kind_is_a_failure(expected: Any, kind: str) -> None:
    """The message says what came."""
    assert failed(built(JsonFields), "{}", expected).kind == kind


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")
@pytest.mark.parametrize("name", ["ner_wikipedia_ja", "restaurant8k", "snips"])
def test_the_reference_itself_is_perfect(name: str) -> None:
    """On real extraction data, shuffled, in Japanese and English, every reference scores 1 against itself."""
    metric, rng = built(JsonFields), random.Random(1)  # noqa: S311 - a seeded shuffle
    rows = [row for row in json_lines(DATA / "extraction" / f"{name}.jsonl") if "expected" in row]
    assert len(rows) > 100
    for row in rows:
        answer = json.loads(json.dumps(row["expected"]))
        rng.shuffle(answer.get("entities", []))
        assert value(metric, json.dumps(answer, ensure_ascii=False), row["expected"]) == 1, row["id"]


def test_pairs_are_the_best_there_are() -> None:
    """Against every possible pairing of small random tables."""
    rng = random.Random(2)  # noqa: S311 - seeded examples
    for _ in range(500):
        rows, columns = rng.randint(1, 5), rng.randint(1, 5)
        weights = [[rng.randint(0, 4) for _ in range(columns)] for _ in range(rows)]
        wide = weights if rows <= columns else [list(column) for column in zip(*weights, strict=True)]
        best = max(
            sum(wide[row][column] for row, column in enumerate(order))
            for order in itertools.permutations(range(len(wide[0])), len(wide))
        )
        assert sum(weights[row][column] for row, column in best_pairs(weights)) == best
