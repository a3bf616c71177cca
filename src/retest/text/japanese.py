"""Japanese words with MeCab and its IPA dictionary (both come with the installed packages)."""

from __future__ import annotations

import threading
import unicodedata
from typing import Any

import regex

from retest.text.characters import encodable

# MeCab's time and memory grow faster than its input, and a token of more than 64 KB makes it give up: so long texts are
# cut, at the end of a sentence or line where there is one.
_CHUNK_CHARS = 500
_CHUNK = regex.compile(rf"(?s).{{1,{_CHUNK_CHARS}}}(?<=[\n。！？!?])|.{{1,{_CHUNK_CHARS}}}")
_SPACE = regex.compile(r"\s")
_local = threading.local()  # a MeCab tagger may not be shared between threads


def _tagger() -> Any:
    tagger = getattr(_local, "tagger", None)
    if tagger is None:
        import ipadic
        import MeCab

        tagger = _local.tagger = MeCab.Tagger(f"{ipadic.MECAB_ARGS} -Owakati")
    return tagger


def mecab_version() -> str:
    """Return what pins the segmentation, such as ``mecab-0.996-IPA``."""
    return f"mecab-{_tagger().version()}-IPA"


def japanese_cuts(text: str) -> set[int]:
    """Return the offsets at which MeCab starts or ends a word.

    Texts of any size and content are safe; a word is never cut inside a character with a combining mark.
    """
    safe = _SPACE.sub(" ", encodable(text))
    cuts = {0, len(text)}
    for chunk in _CHUNK.finditer(text):
        cuts.add(chunk.end())
        _add_cuts(cuts, safe[chunk.start() : chunk.end()], chunk.start())
    return {cut for cut in cuts if cut >= len(text) or not _is_mark(text[cut])}


def _is_mark(char: str) -> bool:
    return char >= "\u0300" and unicodedata.category(char).startswith("M")


def _add_cuts(cuts: set[int], chunk: str, offset: int) -> None:
    """Add the word boundaries of one chunk, found again in it because MeCab's output drops its spaces."""
    parsed = _tagger().parse(chunk)
    if parsed is None:  # MeCab gave up: the chunk stays whole
        return
    position = 0
    for token in parsed.split():
        start = chunk.find(token, position)
        if start < 0:
            return
        position = start + len(token)
        cuts.update((offset + start, offset + position))
