"""Sentences that verdicts, gates and judges say, in Japanese: from a table of patterns, else left in English."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources

_GAP = "{}"
_MOST_CHARS = 600  # a longer one quotes somebody
_ABOUT = re.compile(r"(?P<about>[^:]{1,120}): (?P<rest>.+)", re.DOTALL)


@cache
def read_sentences() -> Sequence[tuple[re.Pattern[str], str]]:
    """Return a pattern for each English sentence, with the Japanese one that says the same."""
    text = resources.files(__package__).joinpath("sentences.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [(_pattern(english), japanese) for english, japanese in rows]


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(re.escape(part) for part in english.split(_GAP)), re.DOTALL)


@lru_cache(maxsize=2_000)
def to_japanese(text: str) -> str | None:
    """Return what a sentence says in Japanese, None where the table does not have it.

    Sentences within it are looked up too; names and numbers stay as they are.
    """
    if len(text) > _MOST_CHARS:
        return None
    return _parts(text, all_known=True) or _whole(text) or _parts(text, all_known=False) or _about(text)


def _whole(text: str) -> str | None:
    for pattern, japanese in read_sentences():
        match = pattern.fullmatch(text)
        if match is not None:
            found = [to_japanese(part) or part for part in match.groups()]
            return japanese.format(*found)
    return None


def _parts(text: str, *, all_known: bool) -> str | None:
    """Return parts that are joined by semicolons, where all of them are known, or at least one."""
    parts = text.split("; ")
    found = [_whole(part) or _about(part) for part in parts] if len(parts) > 1 else []
    if not any(found) or (all_known and not all(found)):
        return None
    return "。".join(new or old for new, old in zip(found, parts, strict=True))


def _about(text: str) -> str | None:
    """Return a sentence that begins with what it is about: a metric, a case."""
    match = _ABOUT.fullmatch(text)
    rest = None if match is None else to_japanese(match["rest"])
    return None if match is None or rest is None else f"{match['about']}：{rest}"
