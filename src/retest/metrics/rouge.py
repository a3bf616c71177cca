"""ROUGE 1, 2, L and Lsum (Lin 2004): in English the numbers of the rouge-score package, in any language real words.

The arithmetic follows rouge-score 0.1.2 to the last bit, the way to the longest common subsequence does not: it is
bit-parallel instead of a table, and some fifty times faster. rouge-score's own tokeniser drops every character but a-z
and 0-9, so that two Japanese answers have nothing in common; here other languages are cut by `retest.text.words`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any, ClassVar, Literal, NamedTuple
from unicodedata import normalize

import regex
from pydantic import Field, model_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.references import References, reference_text
from retest.metrics.without_nltk import porter_stem
from retest.text.japanese import mecab_version
from retest.text.languages import AutoLanguage
from retest.text.scripts import LATIN, is_japanese, script_counts
from retest.text.sentences import sentences
from retest.text.thai import thai_segmenter
from retest.text.words import segments

Tokens = list[str]

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")

# English with a few foreign names stays on rouge-score's own rule (recorded English answers: at most 0.4% of letters);
# French has about 4%, any Japanese far more.
_MAX_FOREIGN = 0.02
# Summary-level matching keeps one bit per pair of words of two lines; this is 250 MB.
_MAX_PAIRS = 2_000_000_000


class RougeOptions(MetricOptions):
    """What `rouge` can be told."""

    variant: Literal["rouge1", "rouge2", "rougeL", "rougeLsum"] = Field(
        default="rougeL",
        description="rouge1: common words; rouge2: common pairs of words; rougeL: longest common subsequence of words; "
        "rougeLsum: the same line by line, for summaries",
    )
    measure: Literal["f1", "precision", "recall"] = Field(
        default="f1", description="which of the three numbers is the value; the best reference is chosen by f1"
    )
    language: AutoLanguage = Field(
        default="auto",
        description="how to cut words: en as rouge-score does (a-z and 0-9 only), ja with MeCab, zh by character, "
        "others at Unicode word boundaries; auto decides by the characters of answer and references",
    )
    stemmer: bool = Field(default=False, description="reduce English words to their Porter stems, as rouge-score can")
    split_sentences: bool = Field(
        default=False, description="rougeLsum: cut sentences instead of taking each line as one sentence"
    )

    @model_validator(mode="after")
    def _stemmer_is_english(self) -> RougeOptions:
        if self.stemmer and self.language not in {"auto", "en"}:
            raise ValueError(f"stemmer: true is for English, and language is {self.language}")
        return self


class Overlap(NamedTuple):
    """How much of two texts is common, each 0..1."""

    precision: float
    recall: float
    f1: float


NOTHING = Overlap(0.0, 0.0, 0.0)


def overlap(hits: int, answer: int, reference: int) -> Overlap:
    """Return precision, recall and f1 of `hits` common units of `answer` and `reference` units."""
    precision = hits / max(answer, 1)
    recall = hits / max(reference, 1)
    total = precision + recall
    # The order of operations is rouge-score's: another would differ in the last bit.
    return Overlap(precision, recall, 2 * precision * recall / total if total > 0 else 0.0)


def ngram_overlap(reference: Tokens, answer: Tokens, n: int) -> Overlap:
    """Return ROUGE-N of two lists of words."""
    expected = Counter(_ngrams(reference, n))
    found = Counter(_ngrams(answer, n))
    hits = sum(min(number, found[gram]) for gram, number in expected.items() if gram in found)
    return overlap(hits, max(len(answer) - n + 1, 0), max(len(reference) - n + 1, 0))


def _ngrams(tokens: Tokens, n: int) -> Sequence[Any]:
    return tokens if n == 1 else list(zip(*(tokens[start:] for start in range(n)), strict=False))


def lcs_overlap(reference: Tokens, answer: Tokens) -> Overlap:
    """Return ROUGE-L of two lists of words."""
    if not reference or not answer:
        return NOTHING
    from rapidfuzz.distance import LCSseq

    return overlap(LCSseq.similarity(reference, answer), len(answer), len(reference))


def summary_overlap(reference: list[Tokens], answer: list[Tokens]) -> Overlap:
    """Return ROUGE-Lsum of two texts given line by line (section 3.2 of the paper, without double counting).

    Raises:
        ValueError: the texts are too long for it.
    """
    expected = Counter(token for line in reference for token in line)
    found = Counter(token for line in answer for token in line)
    if not expected or not found:
        return NOTHING
    if len(reference) == len(answer) == 1:
        return lcs_overlap(reference[0], answer[0])
    sizes = expected.total(), found.total()
    if sizes[0] * sizes[1] > _MAX_PAIRS:
        raise ValueError(f"{sizes[0]} and {sizes[1]} words are too many for rougeLsum")
    hits = 0
    for line in reference:
        for token in _union_lcs(line, answer):
            if expected[token] > 0 and found[token] > 0:
                expected[token] -= 1
                found[token] -= 1
                hits += 1
    return overlap(hits, sizes[1], sizes[0])


def _union_lcs(line: Tokens, others: list[Tokens]) -> Tokens:
    """Return the words of a line that are in its longest common subsequence with any of the others, in order."""
    masks: dict[str, int] = {}
    for position, token in enumerate(line):
        masks[token] = masks.get(token, 0) | (1 << position)
    union: set[int] = set()
    for other in others:
        if not masks.keys().isdisjoint(other):
            union |= _lcs_positions(line, other, masks)
    return [line[position] for position in sorted(union)]


def _lcs_positions(line: Tokens, other: Tokens, masks: dict[str, int]) -> set[int]:
    """Return the positions in `line` of the one longest common subsequence that rouge-score picks among equals.

    Column j of the usual table is an integer whose bit i is 0 where the table grows from row i to row i + 1
    (Hyyrö 2004). Going back, rouge-score steps along `other` where that is the only way to keep the length, which is
    where the bit is 0, and along `line` otherwise.
    """
    full = (1 << len(line)) - 1
    column = full
    columns = []
    for token in other:
        matches = column & masks.get(token, 0)
        column = ((column + matches) | (column - matches)) & full
        columns.append(column)
    found: set[int] = set()
    row, step = len(line) - 1, len(other) - 1
    while row >= 0 and step >= 0:
        if line[row] == other[step]:
            found.add(row)
            row -= 1
            step -= 1
        elif columns[step] >> row & 1:
            row -= 1
        else:
            step -= 1
    return found


@cache
def _porter() -> Callable[[str], str]:
    return lru_cache(maxsize=100_000)(porter_stem())


def english_tokens(text: str, *, stemmer: bool = False) -> Tokens:
    """Return the tokens of rouge-score's default tokeniser."""
    tokens: Tokens = _ASCII_WORD.findall(text.lower())
    if not stemmer:
        return tokens
    stem = _porter()
    return [stem(token) if len(token) > 3 else token for token in tokens]  # noqa: PLR2004 - rouge-score's rule


def word_tokens(text: str, language: str) -> Tokens:
    """Return lower-case words of any language, after NFKC: full-width and half-width forms are the same."""
    # NFKC takes the Thai vowel am apart, which no dictionary knows.
    normal = normalize("NFKC", text).replace("\u0e4d\u0e32", "\u0e33").lower()
    return [token for segment in segments(normal, language) for token in _WORD.findall(segment)]


def is_english_enough(text: str) -> bool:
    """Return whether rouge-score's own rule loses (almost) nothing of a text: its letters are a-z but for a few."""
    if text.isascii():
        return True
    counts = script_counts(text)
    foreign = sum(1 for char in text if char > "\x7f" and char.isalpha())
    return counts.keys() <= {LATIN, "Greek"} and foreign <= _MAX_FOREIGN * counts.total()


class Rouge(Metric[RougeOptions]):
    """ROUGE against the best of the references."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="rouge",
        summary="Words in common with the expected text: ROUGE-1, 2, L or Lsum, in any language",
        options=lambda: RougeOptions,
        needs_expected=True,
        group="Text",
    )
    Options: ClassVar[type[MetricOptions]] = RougeOptions

    def __init__(self, options: RougeOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        # The repeats of a case come one after the other and share its references.
        self._prepared = lru_cache(maxsize=256)(self._prepare)
        self._references = References(reference_text)

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the value against the reference with the highest f1."""
        references = self._references.of(case)
        if isinstance(references, MetricFailure):
            return references
        language = self._language(references, response.output)
        answer = self._prepare(response.output, language)
        try:
            found = [self._compare(self._prepared(text, language), answer) for text in references]
        except ValueError as error:
            return MetricFailure(kind="too_long", message=str(error))
        best = max(range(len(found)), key=lambda index: found[index].f1)
        return self._score(found[best], best, language)

    def _score(self, best: Overlap, reference: int, language: str) -> Score:
        details: dict[str, JsonValue] = {
            "precision": best.precision,
            "recall": best.recall,
            "reference": reference,
            "language": language,
        }
        return Score(value=float(getattr(best, self.options.measure)), details=details)

    def _language(self, references: list[str], answer: str) -> str:
        """Return how to cut words: one way for all the texts of a sample, else equal words would differ."""
        if self.options.language != "auto":
            return self.options.language
        texts = (*references, answer)
        return "ja" if any(map(is_japanese, texts)) else "en" if all(map(is_english_enough, texts)) else "auto"

    def _prepare(self, text: str, language: str) -> list[Tokens]:
        """Return the tokens, in one list per line for rougeLsum and in one list otherwise."""
        if self.options.variant != "rougeLsum":
            return [self._tokens(text, language)]
        lines = sentences(text) if self.options.split_sentences else text.split("\n")
        return [self._tokens(line, language) for line in lines if line]

    def _tokens(self, text: str, language: str) -> Tokens:
        if language == "en":
            return english_tokens(text, stemmer=self.options.stemmer)
        return word_tokens(text, language)

    def _compare(self, reference: list[Tokens], answer: list[Tokens]) -> Overlap:
        match self.options.variant:
            case "rouge1":
                return ngram_overlap(reference[0], answer[0], 1)
            case "rouge2":
                return ngram_overlap(reference[0], answer[0], 2)
            case "rougeL":
                return lcs_overlap(reference[0], answer[0])
            case "rougeLsum":
                return summary_overlap(reference, answer)

    def signature_parts(self) -> tuple[str, ...]:
        """Return the versions of what cuts words in languages other than English."""
        if self.options.language == "en":
            return (f"nltk:{version('nltk')}",) if self.options.stemmer else ()
        parts = []
        if self.options.language in {"auto", "ja"}:
            parts.append(mecab_version())
        if self.options.language in {"auto", "th"}:
            parts.append(f"thai:{thai_segmenter()[0]}")
        return tuple(parts)


METRICS: tuple[type[Metric[Any]], ...] = (Rouge,)
