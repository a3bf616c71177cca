"""BLEU, chrF and TER with sacrebleu: per sample as sentence scores, and over a whole run with `corpus`.

All are on sacrebleu's scale of 0 to 100 (TER may exceed it) and carry its signature. Text is cut by language before
sacrebleu sees it: its default leaves a Japanese sentence one single word.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.figures import CORPUS, FigureKind
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.bleu_runs import CountedReferences, count_references, sufficient_statistics
from retest.metrics.references import References, reference_text
from retest.metrics.sacrebleu_tokens import (
    CACHE_ROUNDS,
    SCRIPT_TOKENIZERS,
    BleuTokenizer,
    Tokenizers,
    forget,
    tokenizer_for,
)

Pair = tuple[str, Sequence[str]]
"""An answer and its references."""
# Characters of references whose runs are kept, at up to 600 bytes each; the repeats of a case come one after the other.
_COUNTED_CHARS = 20_000

# TER searches for phrases that moved: 300 words of small vocabulary take seconds, 2000 take minutes.
_TER_WORDS = 300
_PERFECT = 100.0

_CORPUS = FigureKind(name=CORPUS, summary="score of all answers together, as papers report it", high=_PERFECT)
_TER_CORPUS = FigureKind(name=CORPUS, summary=_CORPUS.summary, high=None, direction="lower")

OptionsT = TypeVar("OptionsT", bound=MetricOptions)
CountedT = TypeVar("CountedT")


class KeptCounts(Generic[CountedT]):
    """What was counted of the last cases' references, as many as have few characters together."""

    def __init__(self, count: Callable[[str, tuple[str, ...]], CountedT]) -> None:
        self._count = count
        self._chars = 0
        self._found: dict[tuple[str, tuple[str, ...]], CountedT] = {}

    def __len__(self) -> int:
        return len(self._found)

    def of(self, texts: tuple[str, ...], tokenizer: str = "") -> CountedT:
        """Return what is counted of texts, by a tokeniser where there is one."""
        key = tokenizer, texts
        found = self._found.get(key)
        if found is None:
            found = self._count(*key)
            self._keep(key, found)
        return found

    def _keep(self, key: tuple[str, tuple[str, ...]], counted: CountedT) -> None:
        chars = sum(len(text) + 1 for text in key[1])
        if self._chars + chars > _COUNTED_CHARS:
            self._found, self._chars = {}, 0
        if chars <= _COUNTED_CHARS:
            self._found[key] = counted
            self._chars += chars


class SacrebleuMetric(Metric[OptionsT]):
    """What the three have in common."""

    def __init__(self, options: OptionsT, context: MetricContext) -> None:
        super().__init__(options, context)
        self._references = References(reference_text)

    @cached_property
    @abstractmethod
    def _scorer(self) -> Any:
        """The sacrebleu metric for sentences."""

    @cached_property
    def _corpus_scorer(self) -> Any:
        """The sacrebleu metric for a corpus."""
        return self._scorer

    @abstractmethod
    def _prepare(self, answer: str, references: Sequence[str]) -> tuple[str, list[str]]:
        """Return the texts as sacrebleu is to see them."""

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the sentence score against all references together, as sacrebleu defines it."""
        references = self._references.of(case)
        if isinstance(references, MetricFailure):
            return references
        sums = self._sums(response.output, references)
        if isinstance(sums, MetricFailure):
            return sums
        found = self._scorer._aggregate_and_compute([sums])  # noqa: SLF001 - no public way
        return Score(value=self._value(found), details=self._details(sums))

    def corpus(self, pairs: Iterable[Pair]) -> float:
        """Return the score of all answers together, which is not the mean of the sentence scores.

        Raises:
            ValueError: there are no pairs, or one has no reference.
        """
        prepared = [self._prepare(answer, references) for answer, references in pairs]
        if not prepared or not all(references for _, references in prepared):
            raise ValueError("a corpus score needs at least one answer, each with a reference")
        most = max(len(references) for _, references in prepared)
        # sacrebleu wants one stream per reference number, None where a pair has fewer.
        streams = [[refs[n] if n < len(refs) else None for _, refs in prepared] for n in range(most)]
        return self._value(self._corpus_scorer.corpus_score([answer for answer, _ in prepared], streams))

    def _sums(self, answer: str, references: Sequence[str]) -> Sequence[float] | MetricFailure:
        """Return the sufficient statistics: `sentence_score` makes them too, but does not return them."""
        found, expected = self._prepare(answer, references)
        too_long = self._too_long(found, expected)
        if too_long is not None:
            return too_long
        streams = [[text] for text in expected]
        sums: list[Sequence[float]] = self._scorer._extract_corpus_statistics([found], streams)  # noqa: SLF001 - no public way
        return sums[0]

    def _value(self, found: Any) -> float:
        """Return the score without what rounding leaves above the highest possible one."""
        value = float(found.score)
        return value if self.high is None else min(value, self.high)

    @abstractmethod
    def _details(self, sums: Sequence[float]) -> dict[str, JsonValue]:
        """Return the sufficient statistics by name: over a run their sums give the corpus score."""

    def _too_long(self, answer: str, references: list[str]) -> MetricFailure | None:
        """Return the failure for texts that would take minutes."""
        del answer, references
        return None

    def _sacrebleu_signature(self) -> Any:
        """Return sacrebleu's signature object; the number of references is the cases' own matter."""
        self._scorer.num_refs = -1
        return self._scorer.get_signature()

    def signature_parts(self) -> tuple[str, ...]:
        """Return sacrebleu's own signature."""
        return (str(self._sacrebleu_signature()),)


class BleuOptions(MetricOptions):
    """What `bleu` can be told."""

    tokenize: BleuTokenizer = Field(
        default="auto",
        description="sacrebleu's tokenisers; auto chooses by the characters of answer and references: ja-mecab for "
        "Japanese, zh for Chinese, char for Thai, Lao, Khmer and Burmese, else 13a",
    )
    lowercase: bool = Field(default=False, description="ignore upper and lower case")
    smooth_method: Literal["exp", "floor", "add-k", "none"] = Field(
        default="exp", description="how an order without any match is counted in a sentence score"
    )
    smooth_value: float | None = Field(default=None, ge=0, description="the parameter of floor and add-k")
    max_ngram_order: int = Field(default=4, ge=1, le=9, description="longest run of words that is compared")


class Bleu(SacrebleuMetric[BleuOptions]):
    """BLEU (Papineni 2002)."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="bleu",
        summary="BLEU: runs of up to four words in common with the references (sacrebleu)",
        options=lambda: BleuOptions,
        needs_expected=True,
        high=_PERFECT,
        group="Text",
        figures=(_CORPUS,),
    )
    Options: ClassVar[type[MetricOptions]] = BleuOptions

    def __init__(self, options: BleuOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._tokenizers = Tokenizers()
        self._counted = KeptCounts(self._count)

    @cached_property
    def _scorer(self) -> Any:
        # A sentence may be shorter than four words: without effective_order it would always score 0.
        return self._bleu(effective_order=True)

    @cached_property
    def _corpus_scorer(self) -> Any:
        return self._bleu(effective_order=False)

    def _bleu(self, *, effective_order: bool) -> Any:
        from sacrebleu.metrics.bleu import BLEU

        options = self.options.model_dump(exclude={"tokenize"})
        return BLEU(**options, tokenize="none", force=True, effective_order=effective_order)

    def _prepare(self, answer: str, references: Sequence[str]) -> tuple[str, list[str]]:
        name, texts = self._tokenizer(answer, references)
        found, *expected = (self._tokenizers.cut(name, text) for text in texts)
        return found, expected

    def _tokenizer(self, answer: str, references: Sequence[str]) -> tuple[str, tuple[str, ...]]:
        """Return what cuts the texts of a sample, and those texts as they are to be cut, the answer first."""
        texts = (answer, *references)
        if self.options.lowercase:
            texts = tuple(text.lower() for text in texts)
        return self.options.tokenize if self.options.tokenize != "auto" else tokenizer_for("\n".join(texts)), texts

    def _sums(self, answer: str, references: Sequence[str]) -> Sequence[float]:
        """Return what sacrebleu counts: lengths, then matches and totals of each order; in a third of its time."""
        name, (found, *expected) = self._tokenizer(answer, references)
        return sufficient_statistics(self._tokenizers.words(name, found), self._counted.of(tuple(expected), name))

    def _count(self, tokenizer: str, texts: tuple[str, ...]) -> CountedReferences:
        return count_references(
            [self._tokenizers.words(tokenizer, text) for text in texts], self.options.max_ngram_order
        )

    def _details(self, sums: Sequence[float]) -> dict[str, JsonValue]:
        order = self.options.max_ngram_order
        return {
            "counts": list(sums[2 : 2 + order]),
            "totals": list(sums[2 + order :]),
            "answer_tokens": sums[0],
            "reference_tokens": sums[1],
        }

    def signature_parts(self) -> tuple[str, ...]:
        """Return sacrebleu's own signature, with every tokeniser that `auto` may choose."""
        signature = self._sacrebleu_signature()
        if self.options.tokenize == "auto":
            names = [
                self._tokenizers.tokenizer(name).signature()
                for name in ("13a", *dict.fromkeys(SCRIPT_TOKENIZERS.values()))
            ]
            signature.update("tok", f"auto[{','.join(names)}]")
        else:
            signature.update("tok", self._tokenizers.tokenizer(self.options.tokenize).signature())
        return (str(signature),)


class ChrfOptions(MetricOptions):
    """What `chrf` can be told."""

    char_order: int = Field(default=6, ge=1, le=20, description="longest run of characters that is compared")
    word_order: int = Field(default=0, ge=0, le=5, description="longest run of words; 2 is chrF++")
    beta: int = Field(default=2, ge=1, le=10, description="how much more recall weighs than precision")
    lowercase: bool = Field(default=False, description="ignore upper and lower case")
    whitespace: bool = Field(default=False, description="compare white space too")


class Chrf(SacrebleuMetric[ChrfOptions]):
    """chrF (Popović 2015); needs no tokeniser, so it suits every language alike."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="chrf",
        summary="chrF: runs of up to six characters in common with the references, in any language (sacrebleu)",
        options=lambda: ChrfOptions,
        needs_expected=True,
        high=_PERFECT,
        group="Text",
        figures=(_CORPUS,),
    )
    Options: ClassVar[type[MetricOptions]] = ChrfOptions

    def __init__(self, options: ChrfOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._counted = KeptCounts(self._count)

    @cached_property
    def _scorer(self) -> Any:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(**self.options.model_dump())

    def _prepare(self, answer: str, references: Sequence[str]) -> tuple[str, list[str]]:
        return answer, list(references)

    def _sums(self, answer: str, references: Sequence[str]) -> Sequence[float]:
        """Return what sacrebleu counts, the runs of the references counted once."""
        prepare = self._scorer._preprocess_segment  # noqa: SLF001 - no public way
        counted = self._counted.of(tuple(map(prepare, references)))
        sums: list[float] = self._scorer._compute_segment_statistics(prepare(answer), counted)  # noqa: SLF001 - as above
        return sums

    def _count(self, _tokenizer: str, references: tuple[str, ...]) -> Any:
        return self._scorer._extract_reference_info(references)  # noqa: SLF001 - no public way

    def _details(self, sums: Sequence[float]) -> dict[str, JsonValue]:
        return {"ngrams": list(sums)}


class TerOptions(MetricOptions):
    """What `ter` can be told."""

    tokenize: Literal["auto", "tercom", "ja-mecab", "zh", "char"] = Field(
        default="auto", description="tercom: words between spaces; auto: as for bleu, tercom instead of 13a"
    )
    normalized: bool = Field(default=False, description="separate punctuation from words first")
    no_punct: bool = Field(default=False, description="ignore punctuation")
    case_sensitive: bool = Field(default=False, description="tell upper from lower case")


class Ter(SacrebleuMetric[TerOptions]):
    """TER (Snover 2006): edits, of which a moved phrase is one, per 100 reference words."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="ter",
        summary="TER: edits that would turn the answer into a reference, per 100 words (sacrebleu)",
        options=lambda: TerOptions,
        needs_expected=True,
        high=None,
        direction="lower",
        group="Text",
        figures=(_TER_CORPUS,),
    )
    Options: ClassVar[type[MetricOptions]] = TerOptions

    def __init__(self, options: TerOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._tokenizers = Tokenizers()
        self._rounds = 0

    @cached_property
    def _scorer(self) -> Any:
        from sacrebleu.metrics.ter import TER

        return TER(**self.options.model_dump(exclude={"tokenize"}), asian_support=True)

    def _prepare(self, answer: str, references: Sequence[str]) -> tuple[str, list[str]]:
        self._rounds += 1
        if self._rounds % CACHE_ROUNDS == 0:
            forget(self._scorer.tokenizer)
        name = self.options.tokenize
        if name == "auto":
            found = tokenizer_for("\n".join((answer, *references)))
            name = "tercom" if found == "13a" else found  # type: ignore[assignment]  # tokenizer_for returns these names
        if name == "tercom":
            return answer, list(references)
        cut = [self._tokenizers.cut(name, text) for text in (answer, *references)]
        return cut[0], cut[1:]

    def _too_long(self, answer: str, references: list[str]) -> MetricFailure | None:
        longest = max(len(text.split()) for text in (answer, *references))
        if longest <= _TER_WORDS:
            return None
        return MetricFailure(
            kind="too_long", message=f"ter takes up to {_TER_WORDS} words, and this text has {longest}"
        )

    def _details(self, sums: Sequence[float]) -> dict[str, JsonValue]:
        return {"edits": sums[0], "reference_words": sums[1]}

    def signature_parts(self) -> tuple[str, ...]:
        """Return sacrebleu's own signature, with the tokenisers that run before tercom's."""
        signature = self._sacrebleu_signature()
        before = SCRIPT_TOKENIZERS.values() if self.options.tokenize == "auto" else (self.options.tokenize,)
        names = [self._tokenizers.tokenizer(name).signature() for name in dict.fromkeys(before) if name != "tercom"]
        if names:
            signature.update("tok", f"tercom[{','.join(names)}]")
        return (str(signature),)


METRICS: tuple[type[Metric[Any]], ...] = (Bleu, Chrf, Ter)
