"""Which language a text is in: by its characters, and by small words where languages share a script.

No model and no download: right for the languages listed in `retest.text.function_words` from about five words on, and
honest (undetermined) below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import regex

from retest.text.function_words import CYRILLIC, FUNCTION_WORDS, TELLING_LETTERS
from retest.text.scripts import HAN, KANA, LATIN, script_weights

UNDETERMINED = "und"

_LANGUAGE_OF_SCRIPT = {
    KANA: "ja", HAN: "zh", "Hangul": "ko", "Thai": "th", "Hebrew": "he", "Greek": "el", "Devanagari": "hi",
    "Bengali": "bn", "Tamil": "ta", "Telugu": "te", "Kannada": "kn", "Malayalam": "ml", "Gujarati": "gu",
    "Gurmukhi": "pa", "Sinhala": "si", "Georgian": "ka", "Armenian": "hy", "Khmer": "km", "Lao": "lo", "Myanmar": "my",
    "Ethiopic": "am", "Tibetan": "bo", "Mongolian": "mn",
}  # fmt: skip
_ARABIC_LETTERS = {"ur": "ٹڈڑںے", "fa": "پچژگکی"}

# Chinese with a Japanese word in it is still Chinese; real Japanese has a third of kana or more.
_LEAST_KANA = 0.05
# What tells Chinese from a Japanese name or headline without kana: words of its own; and words that Japanese has inside
# of compounds only, where several of them meet.
_CHINESE_ONLY = frozenset("你您她们吗呢吧啊很这那说這們嗎麼說會對")
_CHINESE_RATHER = frozenset("是我為什的了在不有和也都就")
_CODE = regex.compile(r"(?s)```.*?(?:```|\Z)|`[^`\n]*`|https?://[!-~]+")
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)?")
_SAMPLE_WORDS = 2000


def _inverted(lists: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Return item -> the codes whose list has it."""
    inverted: dict[str, list[str]] = {}
    for code, items in lists.items():
        for item in items:
            inverted.setdefault(item, []).append(code)
    return inverted


_LANGUAGES_OF_WORD = _inverted(FUNCTION_WORDS)
_LANGUAGES_OF_LETTER = _inverted(TELLING_LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Detected:
    """The language of a text.

    Attributes:
        language: a code, or ``und`` where nothing tells.
        script: of the largest part; None where there is no letter.
        candidates: the languages that the text may be in; several only where `language` is ``und``, or for Chinese
            characters alone. Empty with ``und``: any language of the script.
        weights: script -> weight of its letters, kana and Chinese characters of a Japanese text together.
    """

    language: str
    script: str | None
    candidates: tuple[str, ...]
    weights: dict[str, float]

    def may_be(self, language: str) -> bool:
        """Return whether the text can be in a language."""
        if self.language == language or language in self.candidates:
            return True
        return self.language == UNDETERMINED and not self.candidates and script_of_language(language) == self.script

    def share_of(self, language: str) -> float:
        """Return the share (0..1) of the text's letters that are in the language's script.

        A script that several languages share counts only where the text may be in this one.
        """
        total = sum(self.weights.values())
        script = script_of_language(language)
        if not total or (script == self.script and not self.may_be(language)):
            return 0.0
        return self.weights.get(script, 0.0) / total


def script_of_language(language: str) -> str:
    """Return the script of a language; Latin for those not known otherwise."""
    for script, code in _LANGUAGE_OF_SCRIPT.items():
        if code == language:
            return script
    if language in {"ar", *_ARABIC_LETTERS}:
        return "Arabic"
    return "Cyrillic" if language in CYRILLIC else LATIN


def detect_language(text: str) -> Detected:
    """Return the language of most of a text; code blocks and links are left out where anything else is there."""
    prose = _CODE.sub(" ", text)
    weights = _weights(prose)
    if not weights:
        prose, weights = text, _weights(text)
    script = max(weights, key=lambda name: weights[name], default=None)
    languages = _candidates(prose, script)
    only = languages[0] if len(languages) == 1 or script == HAN else UNDETERMINED
    return Detected(language=only, script=script, candidates=languages, weights=weights)


def _weights(text: str) -> dict[str, float]:
    """Return script weights, with Chinese characters counted as Japanese in a Japanese text."""
    weights = script_weights(text)
    kana, han = weights.get(KANA, 0.0), weights.get(HAN, 0.0)
    if kana and kana >= _LEAST_KANA * (kana + han):
        weights[KANA] = kana + weights.pop(HAN, 0.0)
    return weights


def _candidates(text: str, script: str | None) -> tuple[str, ...]:
    """Return the languages of a text in one script; empty where nothing tells."""
    if script is None:
        return ()
    if script == HAN:
        return _of_han(text)
    if script == "Arabic":
        telling = (code for code, letters in _ARABIC_LETTERS.items() if not set(letters).isdisjoint(text))
        return (next(telling, "ar"),)
    if script in {LATIN, "Cyrillic"}:
        return _by_function_words(text, script)
    language = _LANGUAGE_OF_SCRIPT.get(script)
    return (language,) if language else ()


def _of_han(text: str) -> tuple[str, ...]:
    """Return Chinese, or Chinese and Japanese where both could have written it."""
    han = "".join(regex.findall(r"\p{Han}", text))
    if not _CHINESE_ONLY.isdisjoint(han) or len(_CHINESE_RATHER.intersection(han)) > 1:
        return ("zh",)
    try:
        han.encode("shift_jis")
    except UnicodeEncodeError:
        return ("zh",)
    return ("zh", "ja")


def _by_function_words(text: str, script: str) -> tuple[str, ...]:
    """Return the languages with the most function words and telling letters; all of several that tie."""
    words = (match.group().lower().replace("’", "'") for match in _WORD.finditer(text))
    found = Counter(islice(words, _SAMPLE_WORDS))
    points: Counter[str] = Counter()
    for word, number in found.items():
        if len(word) == 1 and word.isascii():  # the names of variables and list items too
            continue
        for code in _LANGUAGES_OF_WORD.get(word, ()):
            points[code] += number
    for letter, number in Counter("".join(found)).items():
        for code in _LANGUAGES_OF_LETTER.get(letter, ()):
            points[code] += number
    of_script = {code: points[code] for code in points if (code in CYRILLIC) == (script != LATIN)}
    best = max(of_script.values(), default=0)
    return tuple(code for code in FUNCTION_WORDS if of_script.get(code) == best) if best else ()
