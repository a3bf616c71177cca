"""sacrebleu's tokenisers: which one a text needs, built once, safe for any text and of bounded memory."""

from __future__ import annotations

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
        self._words: dict[str, str] = {}

    def tokenizer(self, name: str) -> Any:
        """Return sacrebleu's own tokeniser object."""
        if name not in self._built:
            from sacrebleu.metrics.bleu import BLEU

            self._built[name] = BLEU(tokenize=name).tokenizer
        return self._built[name]

    def cut(self, name: str, text: str) -> str:
        """Return the text with a space between any two tokens."""
        tokenizer = self.tokenizer(name)
        self._rounds += 1
        if self._rounds % CACHE_ROUNDS == 0:
            forget(tokenizer)
        safe = encodable(text).rstrip()
        # A hyphen at a line's end joins two words, and what 13a takes out may bring one there; nothing else does.
        if name == "13a" and "-\n" not in safe and "<skipped>" not in safe:
            return self._cut_words(tokenizer, safe)
        if name == "ja-mecab" and len(safe) > _MECAB_CHARS:
            return " ".join(tokenizer(chunk) for chunk in _MECAB_CHUNK.findall(safe))
        return str(tokenizer(safe))

    def _cut_words(self, tokenizer: Any, text: str) -> str:
        """Return what the tokeniser makes of a text, word by word: it looks at no word's neighbours."""
        if len(self._words) > _MOST_WORDS:
            self._words.clear()
        pieces = []
        for word in text.split():
            known = self._words.get(word)
            if known is None:
                known = self._words[word] = str(tokenizer(word))
            if known:
                pieces.append(known)
        return " ".join(pieces)


def forget(tokenizer: Any) -> None:
    """Empty the caches that a sacrebleu tokeniser shares with all others of its class."""
    for part in (tokenizer, getattr(tokenizer, "_post_tokenizer", None)):
        clear = getattr(vars(type(part)).get("__call__"), "cache_clear", None)
        if clear is not None:
            clear()
