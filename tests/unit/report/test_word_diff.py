"""Word-level differences in any language."""

from __future__ import annotations

import pytest

from retest.report.word_diff import diff_words


def spelled(before: str, after: str, **options: int) -> tuple[str, str]:
    """Return both sides with what went in [] and what came in {}."""
    marks = {"same": "{}", "skipped": "{}", "removed": "[{}]", "added": "<{}>"}
    diff = diff_words(before, after, **options)
    first, second = ("".join(marks[p.kind].format(p.text) for p in side) for side in (diff.before, diff.after))
    return first, second


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("the red house", "the blue house", ("the [red] house", "the <blue> house")),
        ("返品を希望します", "交換を希望します", ("[返品]を希望します", "<交換>を希望します")),
        ("荷物は明日届きます。", "荷物は今日届きます。", ("荷物は[明日]届きます。", "荷物は<今日>届きます。")),
        ("same", "same", ("same", "same")),
        ("", "", ("", "")),
    ],
)
def test_only_the_words_that_differ_are_marked(before: str, after: str, expected: tuple[str, str]) -> None:
    """Japanese is cut into words, not into characters."""
    assert spelled(before, after) == expected


def test_texts_with_nothing_in_common_are_not_marked() -> None:
    """All marked says nothing; both texts stand as they are."""
    assert spelled("営業時間は九時からです", "Please contact support") == (
        "営業時間は九時からです",
        "Please contact support",
    )


def test_long_equal_stretches_are_cut_around_the_change() -> None:
    """A reader of a long answer sees where it changed."""
    filler = "word " * 200
    before, after = spelled(f"{filler}red {filler}", f"{filler}blue {filler}", max_chars=200)
    assert "[red]" in before
    assert "<blue>" in after
    assert len(before) < 210


@pytest.mark.parametrize("text", ["\ud800 lone", "\x1b[31m", "\u2028", "a" * 50_000])
def test_any_text_is_taken(text: str) -> None:
    """Lone surrogates, control characters and huge texts."""
    diff = diff_words(text, "other", max_chars=300)
    assert sum(len(piece.text) for piece in diff.before) <= 302
