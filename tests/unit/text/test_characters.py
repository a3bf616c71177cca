from __future__ import annotations

import pytest

from retest.text.characters import encodable, grapheme_count, graphemes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("abc", 3),
        ("a\r\nb", 3),
        ("日本語", 3),
        ("が", 1),
        ("か\u3099", 1),
        ("e\u0301", 1),
        ("👨‍👩‍👧‍👦🇯🇵", 2),
        ("ﾊﾟ", 1),
        ("\ud800あ", 2),
        ("あ\r\n\u2028い", 4),
    ],
)
def test_characters_are_counted_as_a_reader_sees_them(text: str, expected: int) -> None:
    """An emoji, a letter with its accent and a line break are one character each."""
    assert grapheme_count(text) == expected


def test_graphemes_join_to_the_text() -> None:
    """Joined, the grapheme clusters are the text."""
    text = "👨‍👩‍👧‍👦か\u3099\ud800\0\r\n"
    assert "".join(graphemes(text)) == text


def test_encodable_text_keeps_length_and_loses_what_libraries_choke_on() -> None:
    """Surrogates and NUL are replaced one for one; line breaks and tabs stay."""
    assert encodable("あ\ud800\0\n\tい\x7f") == "あ\ufffd \n\tい "
