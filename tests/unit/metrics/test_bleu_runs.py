"""BLEU's counting and 13a's cutting, held against sacrebleu's own on texts made at random."""

from __future__ import annotations

import random

import pytest
from sacrebleu.metrics.bleu import BLEU

from retest.metrics.bleu_runs import count_references, sufficient_statistics
from retest.metrics.sacrebleu_tokens import Tokenizers
from retest.text.characters import encodable

_CHARACTERS = " .,-&;<>0123456789abcXYZ'\"/()[]{}~`!?@#$%^*+=|\\:_\n\t\r\u3000\u2028\u00e9\u6771\u3002\u060c\u0663"
_PIECES = ("<skipped>", "&quot;", "&amp;", "&lt;", "&gt;", "-\n", "-<skipped>\n", "1,000.5", "U.S.", "5-6", "...")


def _text(rng: random.Random) -> str:
    """Return characters and pieces that 13a treats in particular ways."""
    some = range(rng.randint(0, 25))
    return "".join(rng.choice(_CHARACTERS) if rng.random() < 0.85 else rng.choice(_PIECES) for _ in some)


def test_words_are_cut_as_sacrebleu_cuts_texts() -> None:
    """Word by word gives what the whole text gives, whatever stands between the words."""
    rng = random.Random(5)  # noqa: S311 - texts, no secrets
    ours, theirs = Tokenizers(), BLEU(tokenize="13a").tokenizer
    for _ in range(4000):
        text = _text(rng)
        assert ours.cut("13a", text) == theirs(encodable(text).rstrip()), repr(text)


@pytest.mark.parametrize("order", [1, 4, 6])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_counts_are_those_of_sacrebleu(order: int, number: int) -> None:
    """Lengths, matches and totals, with words that occur often, texts shorter than the order, several references."""
    rng = random.Random(order * 10 + number)  # noqa: S311 - texts, no secrets
    bleu = BLEU(tokenize="none", max_ngram_order=order, effective_order=True, force=True)
    for _ in range(300):
        vocabulary = "abcdefghijklmnop"[: rng.choice((2, 4, 16))]
        answer, *references = (" ".join(rng.choices(vocabulary, k=rng.randint(0, 20))) for _ in range(number + 1))
        expected = bleu._extract_corpus_statistics([answer], [[text] for text in references])[0]
        ours = sufficient_statistics(answer.split(), count_references([text.split() for text in references], order))
        assert ours == expected
