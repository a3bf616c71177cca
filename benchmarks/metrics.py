"""What scoring costs, with equal numbers, beside the libraries that define the metrics."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.table import Row
from retest.domain.case import Case
from retest.domain.sample import Response, Score
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric

Pairs = Sequence[tuple[str, str]]
_PAIRS, _WORDS = 2_000, 60
_CLOSE = 1e-9


def measure(folder: Path, fewer: int) -> Iterator[Row]:  # noqa: ARG001 - as the other groups
    """Yield the rows; `fewer` divides the pairs."""
    pairs = _pairs(_PAIRS // fewer)
    exact, _ = _ours(_metric("exact_match"), pairs)
    yield Row(what=f"exact_match, {_WORDS} words", measured=f"{exact:.1f} us a sample")
    yield _compared(
        "rougeL with stemmer", _metric("rouge", variant="rougeL", stemmer=True), _rouge(), pairs, "ratio at most 0.05"
    )
    yield _compared("bleu", _metric("bleu"), _bleu(), pairs, "at most 130 us")


def _compared(what: str, metric: Metric[Any], theirs: Callable[[str, str], float], pairs: Pairs, goal: str) -> Row:
    """Time both on the same pairs and hold their numbers against each other.

    Raises:
        AssertionError: a number differs.
    """
    theirs(*pairs[0])  # loads the library
    start = time.process_time()
    expected = [theirs(reference, answer) for reference, answer in pairs]
    theirs_us = (time.process_time() - start) / len(pairs) * 1e6
    ours_us, values = _ours(metric, pairs)
    assert max(abs(ours - other) for ours, other in zip(values, expected, strict=True)) < _CLOSE
    return Row(
        what=f"{what}, {_WORDS} words, equal numbers on {len(pairs):,} pairs",
        measured=f"{ours_us:.0f} us a sample",
        against=f"{theirs_us:.0f} us",
        ratio=ours_us / theirs_us,
        goal=goal,
    )


def _ours(metric: Metric[Any], pairs: Pairs) -> tuple[float, list[float]]:
    """Return microseconds of processor time per sample, and the values."""
    cases = [Case(case_id=str(i), vars={}, content_hash="", expected=pair[0]) for i, pair in enumerate(pairs)]
    answers = [Response(output=answer) for _, answer in pairs]
    metric.score(cases[0], answers[0])
    start = time.process_time()
    outcomes = [metric.score(case, answer) for case, answer in zip(cases, answers, strict=True)]
    taken_us = (time.process_time() - start) / len(pairs) * 1e6
    return taken_us, [outcome.value for outcome in outcomes if isinstance(outcome, Score)]


def _metric(name: str, **options: Any) -> Metric[Any]:
    return build_metric(MetricSpec(name=name, metric=name, options=options))


def _rouge() -> Callable[[str, str], float]:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    return lambda reference, answer: float(scorer.score(reference, answer)["rougeL"].fmeasure)


def _bleu() -> Callable[[str, str], float]:
    from sacrebleu import sentence_bleu

    return lambda reference, answer: float(sentence_bleu(answer, [reference]).score)


def _pairs(count: int) -> Pairs:
    """Return made-up texts and copies of them with a third of the words changed."""
    rng = random.Random(20260101)  # noqa: S311 - texts, no secrets
    letters = "etaoinshrdlu"
    words = [
        "".join(rng.choices(letters, k=rng.randint(2, 9))) + rng.choice(("", "ing", "ed", "s")) for _ in range(4000)
    ]
    pairs = []
    for _ in range(count):
        reference = rng.choices(words, k=_WORDS)
        answer = [rng.choice(words) if rng.random() < 1 / 3 else word for word in reference]
        pairs.append((" ".join(reference) + ".", " ".join(answer) + "."))
    return pairs
