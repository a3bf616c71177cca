"""sacrebleu's tokenisers: which one a text needs, built once, safe for any text and of bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from sys import intern
from typing import Any, Literal

import regex

from retest.text.characters import encodable
from retest.text.scripts import HAN, KANA, dominant_script

# sacrebleu keeps the last 65,536 texts and their tokens for ever; the repeats of a case come one after the other.
CACHE_ROUNDS = 2000
_MOST_WORDS = 20_000  # whose tokens are remembered; some 3 MB
# MeCab's time grows faster than its input; sentences are far shorter.
_MECAB_CHARS = 5000
_MECAB_CHUNK = regex.compile(rf"(?s).{{1,{_MECAB_CHARS}}}(?<=[\n。！？])|.{{1,{_MECAB_CHARS}}}")

BleuTokenizer = Literal["auto", "13a", "intl", "ja-mecab", "zh", "char", "none"]
SCRIPT_TOKENIZERS = {
    KANA: "ja-mecab",
    HAN: "zh",
    **dict.fromkeys(("Thai", "Lao", "Khmer", "Myanmar", "Tibetan"), "char"),
}


def tokenizer_for(text: str) -> str:
    """Return the sacrebleu tokeniser for a text: by words, by character where the script has no spaces."""
    return SCRIPT_TOKENIZERS.get(dominant_script(text) or "", "13a")


class Tokenizers:
    """sacrebleu's tokenisers, each built once, safe for any text and of bounded memory."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}
        self._rounds = 0
        self._words: _CutWords | None = None

    def tokenizer(self, name: str) -> Any:
        """Return sacrebleu's own tokeniser object."""
        if name not in self._built:
            from sacrebleu.metrics.bleu import BLEU

            self._built[name] = BLEU(tokenize=name).tokenizer
        return self._built[name]

    def cut(self, name: str, text: str) -> str:
        """Return the text with a space between any two tokens."""
        safe = encodable(text).rstrip()
        return " ".join(self._known_words(safe)) if _by_words(name, safe) else self._cut(name, safe)

    def words(self, name: str, text: str) -> list[str]:
        """Return the tokens of a text; equal ones of several texts are mostly the same object, quickly compared."""
        safe = encodable(text).rstrip()
        return self._known_words(safe) if _by_words(name, safe) else self._cut(name, safe).split()

    def _cut(self, name: str, text: str) -> str:
        tokenizer = self.tokenizer(name)
        self._rounds += 1
        if self._rounds % CACHE_ROUNDS == 0:
            forget(tokenizer)
        if name == "ja-mecab" and len(text) > _MECAB_CHARS:
            return " ".join(tokenizer(chunk) for chunk in _MECAB_CHUNK.findall(text))
        return str(tokenizer(text))

    def _known_words(self, text: str) -> list[str]:
        """Return what 13a makes of a text word by word."""
        if self._words is None or len(self._words) > _MOST_WORDS:
            tokenizer = self.tokenizer("13a")
            forget(tokenizer)
            self._words = _CutWords(tokenizer)
        return list(chain.from_iterable(map(self._words.__getitem__, text.split())))


class _CutWords(dict[str, tuple[str, ...]]):
    """Word -> the tokens that a tokeniser makes of it, asked once."""

    def __init__(self, tokenizer: Callable[[str], str]) -> None:
        super().__init__()
        self._tokenizer = tokenizer

    def __missing__(self, word: str) -> tuple[str, ...]:
        # In a word of letters and digits alone there is nothing to cut; asking would take longer than all the rest.
        is_plain = word.isascii() and word.isalnum()
        tokens = self[word] = (intern(word),) if is_plain else tuple(map(intern, self._tokenizer(word).split()))
        return tokens


def _by_words(name: str, text: str) -> bool:
    """Return whether a text can be cut word by word: 13a looks at no word's neighbours.

    A hyphen at a line's end joins two words, and what 13a takes out may bring one there; nothing else does.
    """
    return name == "13a" and "-\n" not in text and "<skipped>" not in text


def forget(tokenizer: Any) -> None:
    """Empty the caches that a sacrebleu tokeniser shares with all others of its class."""
    for part in (tokenizer, getattr(tokenizer, "_post_tokenizer", None)):
        clear = getattr(vars(type(part)).get("__call__"), "cache_clear", None)
        if clear is not None:
            clear()
