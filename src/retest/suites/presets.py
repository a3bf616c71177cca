"""Metrics for kinds of task; a suite's own entries add to them, or replace them by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retest.domain.json_value import JsonValue

PRESETS: Mapping[str, Sequence[Mapping[str, JsonValue]]] = {
    "question-answering": ({"metric": "exact_match"}, {"metric": "contains_any"}, {"metric": "similarity"}),
    "summarization": (
        {"metric": "rouge", "name": "rouge_1", "variant": "rouge1"},
        {"metric": "rouge", "name": "rouge_l", "variant": "rougeL"},
        {"metric": "length"},
    ),
    "classification": ({"metric": "exact_match"}, {"metric": "refusal"}),
    "extraction": ({"metric": "json_valid"}, {"metric": "json_fields"}),
    "translation": ({"metric": "chrf"}, {"metric": "bleu"}, {"metric": "ter"}),
    "retrieval": (
        {"metric": "recall_at_k", "name": "recall_at_10", "k": 10},
        {"metric": "reciprocal_rank"},
        {"metric": "ndcg"},
    ),
}
