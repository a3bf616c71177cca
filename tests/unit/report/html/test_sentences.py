"""What verdicts and gates say, in Japanese."""

from __future__ import annotations

import pytest

from retest.report.html.sentences import read_sentences, to_japanese
from retest.report.html.words import Words


@pytest.mark.parametrize(
    ("english", "japanese"),
    [
        (
            "exact_match passed 5 of 5 → 0 of 5, newly failing",
            "exact_match：合格 5 回中 5 回 → 5 回中 0 回（新たに不合格）",
        ),
        ("arm a/b: only in the baseline", "アーム a/b：基準にしかありません"),
        (
            "cases reviewed on both sides: 3 of 8; retest review queue lists what is due",
            "両側ともレビュー済みのケース：8 件中 3 件。retest review queue でレビュー待ちを表示できます",
        ),
        (
            "exact_match regressed by 35.7 points [10, 60]; its waiver expired on 2026-01-01",
            "exact_match が 35.7 ポイント悪化しました [10, 60]。免除は 2026-01-01 に期限切れです",
        ),
        (
            "親切さ, c01: must never fail, and fails in 3 of 5 samples",
            "親切さ, c01：必ず合格すべきケースですが、5 サンプル中 3 件で不合格です",
        ),
        (
            "samples are missing; with them the change lies within [-.1, .2]",
            "欠けたサンプルがあります。それらを含めると差は [-.1, .2] の範囲です",
        ),
        ("metric: not compared: {0} broke", "metric：比較していません：{0} broke"),
    ],
    ids=["case", "arm", "joined", "two", "about", "semicolon", "braces"],
)
def test_a_sentence_is_said_in_japanese(english: str, japanese: str) -> None:
    """With its names and numbers as they were; what is joined or nested too."""
    assert to_japanese(english) == japanese


@pytest.mark.parametrize("text", ["", "hello", "x" * 5_000, "a; b; c", "日本語の理由"])
def test_what_the_table_lacks_stays_as_it_is(text: str) -> None:
    """Nothing is made up, and nothing is lost."""
    assert to_japanese(text) is None
    assert Words("ja").sentence(text) == text


def test_every_japanese_sentence_has_the_gaps_of_its_english_one() -> None:
    """No more; one that is left out is left out on purpose."""
    for pattern, japanese in read_sentences():
        gaps = ["x"] * pattern.groups
        assert japanese.format(*gaps) == japanese.format(*gaps).strip() != ""


def test_where_the_browser_decides_both_are_in_the_page() -> None:
    """English to be seen first, Japanese beside it, and neither can be anything but text."""
    said = str(Words(None).sentence("arm <b>: only in the baseline"))
    assert said == '<span data-ja="アーム &lt;b&gt;：基準にしかありません">arm &lt;b&gt;: only in the baseline</span>'
    assert Words("en").sentence("only in the baseline") == "only in the baseline"
