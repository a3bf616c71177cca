"""The words of the pages in English and Japanese. What targets, metrics and people say stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Literal

from markupsafe import Markup, escape

from retest.report.escape import visible
from retest.report.html.sentences import to_japanese

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def read_words() -> Mapping[str, tuple[str, str]]:
    """Return key -> English, Japanese, from the table beside this file."""
    text = resources.files(__package__).joinpath("words.tsv").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return {key: (english, japanese) for key, english, japanese in rows}


class Words:
    """The words of one page.

    In one language they are plain text. Where the browser decides, they are English and marked with their key, and a
    script puts the other language in their place.
    """

    def __init__(self, language: Language | None) -> None:
        self.language: Language = language or "en"
        self.by_browser = language is None
        self._table = read_words()

    def text(self, key: str) -> str:
        """Return a word or phrase as plain text.

        Raises:
            KeyError: there is no such word.
        """
        return self._table[key][LANGUAGES.index(self.language)]

    def shown(self, key: str) -> Markup:
        """Return a word or phrase as it stands between tags."""
        word = escape(self.text(key))
        return Markup("<span{}>{}</span>").format(self.mark(key), word) if self.by_browser else word

    def mark(self, key: str, attribute: str | None = None) -> Markup:
        """Return the mark of an element whose text (or attribute) is a word; empty where one language was chosen."""
        if not self.by_browser:
            return Markup("")
        if attribute is None:
            return Markup(' data-t="{}"').format(key)
        return Markup(' data-t-{}="{}"').format(attribute, key)

    def attribute(self, name: str, key: str) -> Markup:
        """Return an attribute with a word as its value."""
        return Markup('{}="{}"{}').format(name, self.text(key), self.mark(key, name))

    def option(self, value: str, key: str) -> Markup:
        """Return an option of a select."""
        return Markup('<option value="{}"{}>{}</option>').format(value, self.mark(key), self.text(key))

    def sentence(self, text: str) -> str:
        """Return what a verdict, gate or judge says; in English where there is no Japanese for it."""
        japanese = to_japanese(text) if self.language == "ja" or self.by_browser else None
        if japanese is None:
            return text
        if not self.by_browser:
            return japanese
        return Markup('<span data-ja="{}">{}</span>').format(visible(japanese), visible(text))

    def dictionary(self) -> Mapping[str, Mapping[str, str]]:
        """Return language -> key -> word, for the script; empty where one language was chosen."""
        if not self.by_browser:
            return {}
        return {
            language: {key: words[place] for key, words in self._table.items()}
            for place, language in enumerate(LANGUAGES)
        }
