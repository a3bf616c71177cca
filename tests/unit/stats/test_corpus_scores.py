"""Corpus scores from sums against sacrebleu's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retest.stats.corpus_scores import bleu_scores, chrf_scores, ter_scores

SENTENCES = [
    ("the cat sat on the mat", ["the cat is on the mat", "there is a cat on the mat"]),
    ("a quick brown fox jumps", ["the quick brown fox jumps over the lazy dog"]),
    ("it is what it is", ["it is what it was"]),
    ("猫 が 座っ た", ["猫 が マット に 座っ た"]),
    ("", ["nothing was said"]),
]


def streams(pairs: list[tuple[str, list[str]]]) -> tuple[list[str], Any]:
    most = max(len(references) for _, references in pairs)
    return [answer for answer, _ in pairs], [[(refs + [None] * most)[n] for _, refs in pairs] for n in range(most)]


def sums_of(scorer: Any, pairs: list[tuple[str, list[str]]]) -> np.ndarray[Any, Any]:
    rows = scorer._extract_corpus_statistics(*streams(pairs))
    sums: np.ndarray[Any, Any] = np.array(rows, dtype=np.float64).sum(axis=0, keepdims=True)
    return sums


@pytest.mark.parametrize("smoothing", ["exp", "floor", "add-k", "none"])
@pytest.mark.parametrize("pairs", [SENTENCES, SENTENCES[2:4], SENTENCES[3:], SENTENCES[4:]], ids=range(4))
def test_bleu_equals_sacrebleu(smoothing: Any, pairs: list[tuple[str, list[str]]]) -> None:
    """With every way of smoothing, with orders that have no match and texts that are empty."""
    from sacrebleu.metrics.bleu import BLEU

    scorer = BLEU(tokenize="none", force=True, smooth_method=smoothing)
    wanted = scorer.corpus_score(*streams(pairs)).score
    found = bleu_scores(sums_of(scorer, pairs), smoothing=smoothing)[0, 0]
    assert found == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(("word_order", "beta"), [(0, 2), (2, 2), (0, 1)])
@pytest.mark.parametrize("pairs", [SENTENCES, SENTENCES[2:4], SENTENCES[4:]], ids=range(3))
def test_chrf_equals_sacrebleu(word_order: int, beta: int, pairs: list[tuple[str, list[str]]]) -> None:
    """chrF, chrF++ and another weight of recall."""
    from sacrebleu.metrics.chrf import CHRF

    scorer = CHRF(word_order=word_order, beta=beta)
    wanted = scorer.corpus_score(*streams(pairs)).score
    assert chrf_scores(sums_of(scorer, pairs), beta=beta)[0, 0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("pairs", [SENTENCES, SENTENCES[2:4], SENTENCES[4:]], ids=range(3))
def test_ter_equals_sacrebleu(pairs: list[tuple[str, list[str]]]) -> None:
    """Edits per hundred reference words, all together."""
    from sacrebleu.metrics.ter import TER

    scorer = TER()
    wanted = scorer.corpus_score(*streams(pairs)).score
    assert ter_scores(sums_of(scorer, pairs))[0, 0] == pytest.approx(wanted, abs=1e-9)


def test_ter_without_reference_words() -> None:
    """An answer where nothing was expected is all wrong; none is all right."""
    assert ter_scores(np.array([[3.0, 0.0], [0.0, 0.0]]))[:, 0].tolist() == [100.0, 0.0]


def test_many_rows_are_scored_at_once() -> None:
    """Each row is scored as if it were alone."""
    from sacrebleu.metrics.bleu import BLEU

    rows = np.concatenate([sums_of(BLEU(tokenize="none", force=True), [pair]) for pair in SENTENCES])
    alone = [bleu_scores(row[None])[0, 0] for row in rows]
    assert bleu_scores(rows)[:, 0].tolist() == alone
