"""What two texts have in common to a reader: normalisation and answer extraction, shared by the text metrics."""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Iterator
from typing import Literal

import regex
from pydantic import BaseModel, ConfigDict, Field, field_validator

from retest.metrics.base import MetricOptions

# A sign, and punctuation inside a number, say something: without them -5 would equal 5, and 1.5 would equal 15.
_PUNCTUATION = r"(?!(?<=\d)[.,:/\-](?=\d))(?!(?<![\d\p{L}])-\d)\p{P}"
_FRONT = r"\A(?:(?!-\d)[\p{P}\s])+"
_SPACES = r"\s+"
# Neither str.strip() nor NFKC removes these, and nobody sees them.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u2060"

EXTRACTION_TIMEOUT_S = 1.0


def compiled(pattern: str, flags: int = 0) -> regex.Pattern[str]:
    """Return the compiled pattern.

    Raises:
        ValueError: the pattern is no regular expression; says what is wrong and at which position.
    """
    try:
        return regex.compile(pattern, flags)
    except regex.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None
    except RecursionError:
        raise ValueError("the regular expression is nested too deeply") from None


class Extract(BaseModel):
    """How to find the answer in a longer text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(
        description="Regular expression; its first group is the answer, without groups the whole match"
    )
    which: Literal["last", "first"] = Field("last", description="Which match counts where there are several")
    missing: Literal["empty", "whole"] = Field(
        "empty",
        description="Where nothing matches: `empty` is an answer that says nothing, `whole` takes the whole text",
    )

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        compiled(pattern)
        return pattern


class TextOptions(MetricOptions):
    """Options of every metric that compares texts."""

    extract: Extract | str | None = Field(
        None,
        description="Judge only what this regular expression finds in the output (its first group, last match); "
        "or an object with `pattern`, `which` and `missing`",
    )
    nfkc: bool = Field(
        default=True, description="Full-width and half-width forms are the same (Ａ１ = A1, ｶﾞ = ガ): Unicode NFKC"
    )
    casefold: bool = Field(default=False, description="Upper and lower case are the same")
    punctuation: Literal["keep", "trim", "remove"] = Field(
        "keep", description="`trim` drops punctuation at both ends, `remove` all of it outside numbers"
    )
    whitespace: Literal["keep", "collapse", "remove"] = Field(
        "keep", description="`collapse` makes each run of white space one space, `remove` drops it"
    )
    strip: bool = Field(default=True, description="White space at both ends does not count")

    @field_validator("extract")
    @classmethod
    def _extract_compiles(cls, extract: Extract | str | None) -> Extract | str | None:
        if isinstance(extract, str):
            compiled(extract)
        return extract


def _drops(options: TextOptions) -> Iterator[tuple[regex.Pattern[str], str]]:
    """Yield the patterns to replace, and by what; compiled only where an option asks for them."""
    if options.punctuation != "keep":
        yield regex.compile(_PUNCTUATION if options.punctuation == "remove" else _FRONT), ""
    if options.whitespace != "keep":
        yield regex.compile(_SPACES), " " if options.whitespace == "collapse" else ""


def _without_tail(text: str) -> str:
    """Return the text without punctuation and white space at its end; a pattern for it would be quadratic."""
    end = len(text)
    while end and (text[end - 1].isspace() or unicodedata.category(text[end - 1]).startswith("P")):
        end -= 1
    return text[:end]


class Normaliser:
    """Applies the normalisation that the options ask for; equal results mean equal texts."""

    __slots__ = ("_drops", "_options", "_plain")

    def __init__(self, options: TextOptions) -> None:
        self._options = options
        self._drops = tuple(_drops(options))
        self._plain = not (options.casefold or self._drops)

    def __call__(self, text: str) -> str:
        """Return the normalised text."""
        options = self._options
        if not text.isascii():
            text = self._without_width(text)
        if not self._plain:
            text = self._reduced(text)
        return text.strip() if options.strip else text

    def _without_width(self, text: str) -> str:
        if self._options.nfkc:
            text = unicodedata.normalize("NFKC", text)
        return text.strip(_INVISIBLE) if self._options.strip else text

    def _reduced(self, text: str) -> str:
        options = self._options
        if options.casefold:
            text = text.casefold()
        if options.punctuation == "trim":
            text = _without_tail(text)
        for pattern, replacement in self._drops:
            text = pattern.sub(replacement, text)
        # What was dropped may have stood between a letter and its accent, and folding takes some letters apart.
        return unicodedata.normalize("NFKC", text) if options.nfkc and not text.isascii() else text


class Extractor:
    """Finds the answer in a text as `extract` says."""

    __slots__ = ("_first", "_pattern", "_whole")

    def __init__(self, rule: Extract | str) -> None:
        extract = Extract(pattern=rule) if isinstance(rule, str) else rule
        self._pattern = compiled(extract.pattern)
        self._first = extract.which == "first"
        self._whole = extract.missing == "whole"

    def __call__(self, text: str) -> str | None:
        """Return the answer; None where nothing matches and `missing` is ``empty``.

        Raises:
            TimeoutError: the pattern takes too long on this text.
        """
        matches = self._pattern.finditer(text, timeout=EXTRACTION_TIMEOUT_S)
        found = next(matches, None) if self._first else next(iter(deque(matches, maxlen=1)), None)
        if found is None:
            return text if self._whole else None
        groups = [group for group in found.groups() if group is not None]
        return groups[0] if groups else found.group()


def extractor(options: TextOptions) -> Extractor | None:
    """Return the extractor that the options ask for, if any."""
    return None if options.extract is None else Extractor(options.extract)
