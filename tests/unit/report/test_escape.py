"""Untrusted text can not steer a terminal."""

from __future__ import annotations

import pytest

from retest.report.escape import one_line, shortened, visible
from retest.report.export import escape_markdown


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x07b\x00", "a\\x07b\\x00"),
        ("\x9b31m", "\\x9b31m"),  # the one-byte form of ESC [
        ("\u202egnp.exe", "\\u202egnp.exe"),  # right-to-left override
        ("a\u2028b", "a\\u2028b"),
        ("\ud800", "\\ud800"),
        ("a\rb", "a\\x0db"),  # a bare carriage return overwrites the line
        ("ad\u200bmin", "ad\\u200bmin"),  # no room, another word
        ("\ufeffa\u2060", "\\ufeffa\\u2060"),
        ("a\U000e0041", "a\\U000e0041"),  # ASCII in characters that nobody sees
        ("日本語🎉\tok\n", "日本語🎉\tok\n"),
        ("👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"),
    ],
)
def test_control_characters_become_visible(hostile: str, shown: str) -> None:
    """Escapes, bells, overrides, separators and surrogates are written out; ordinary text stays."""
    assert visible(hostile) == shown


def test_a_line_stays_one_line() -> None:
    """A newline in an answer does not break a table."""
    assert one_line("a\nb\tc") == "a⏎b c"


def test_markdown_is_shown_as_it_is() -> None:
    """No table break, no mention, no link, no HTML."""
    shown = escape_markdown("|a| @team <b>x</b> [l](http://x)")
    assert "|a|" not in shown
    assert "@team" not in shown
    assert "<b>" not in shown
    assert "http://" not in shown


def test_a_text_of_millions_of_characters_is_cut_and_says_so() -> None:
    """Laying it out would take minutes; the rest is counted, and where to get it is said."""
    shown = shortened("あ" * 20_000_000)
    assert shown.startswith("あ" * 20_000 + "… (19,980,000 more characters;")
    assert shortened("あ" * 20_000) == "あ" * 20_000
