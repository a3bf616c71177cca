from __future__ import annotations

import threading
import time
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retest.text.japanese import japanese_cuts
from retest.text.thai import thai_segmenter, thai_words
from retest.text.words import segments, words

ODD = [
    "",
    " ",
    "\0",
    "あ\0い",
    "あ\ud800い\udfff",
    "が\u3099ぎ",
    "葛\U000e0100城市",
    "日本語の👨‍👩‍👧‍👦テスト",
    "改行\r\nとU+2028\u2028と\u3000全角",
    "ﾃｽﾄ、ＡＢＣ１２３",
    "ฉันรักภาษาไทย และ English ครับ",
    "\U0010ffff\ufffe",
]


@pytest.mark.parametrize("text", ODD)
def test_segments_join_to_the_text(text: str) -> None:
    """Joined, the segments are the text, whatever characters it holds."""
    assert "".join(segments(text)) == text


@given(st.text(st.characters(codec=None)))
def test_segments_of_any_text_join_to_it(text: str) -> None:
    """Joined, the segments of any text are the text, lone surrogates included."""
    assert "".join(segments(text, "ja")) == text
    assert "".join(segments(text)) == text


@given(st.text(st.sampled_from("東京のアーﾊﾟ゙゙が゚ a1。「」\u3000\n\0\ud800👨\u200d"), max_size=60))
def test_japanese_mixtures_are_cut_into_nonempty_segments(text: str) -> None:
    """No segment of a mixture of Japanese and odd characters is empty."""
    pieces = segments(text)
    assert all(pieces)
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("私は東京に行きます。", ["私", "は", "東京", "に", "行き", "ます"]),
        (
            "GPT-4のAPIをPythonで呼ぶと3.14円です。",
            ["GPT", "4", "の", "API", "を", "Python", "で", "呼ぶ", "と", "3.14", "円", "です"],
        ),
        ("北京是中国的首都。", ["北", "京", "是", "中", "国", "的", "首", "都"]),
        ("나는 학교에 갔다.", ["나는", "학교에", "갔다"]),
        ("Don't stop, l'été e\u0301t\u0301 3.5!", ["Don't", "stop", "l'été", "e\u0301t\u0301", "3.5"]),
        ("これはpenです", ["これ", "は", "pen", "です"]),
        ("", []),
        ("。、!?", []),
    ],
)
def test_words_follow_the_language(text: str, expected: list[str]) -> None:
    """Words are cut as their language has it, punctuation left out."""
    assert words(text) == expected


def test_chinese_characters_alone_can_be_read_as_japanese() -> None:
    """Without kana, Chinese characters are words of Japanese only when told so."""
    assert words("東京都知事", "ja") == ["東京", "都知事"]
    assert words("東京都知事") == list("東京都知事")


def test_whitespace_is_kept_for_diffs() -> None:
    """Segments keep white space, full-width too, as pieces of their own."""
    assert segments("東京に　行く\n次") == ["東京", "に", "\u3000", "行く", "\n", "次"]


def test_a_character_with_combining_mark_is_not_cut() -> None:
    """Decomposed kana keep their voicing mark."""
    assert all(not piece.startswith("\u3099") for piece in segments("か\u3099っこうへ行く"))


@pytest.mark.parametrize(
    "text",
    ["あ" * 300_000, "ア" * 300_000, "語の" * 150_000, "a" * 300_000 + "あ", "\0" * 300_000 + "あ", "ก" * 300_000],
)
def test_long_text_without_spaces_is_cut_quickly(text: str) -> None:
    """A long text without a space takes about as long per character as a short one."""
    start = time.process_time()
    assert "".join(segments(text)) == text
    assert time.process_time() - start < 10


def test_nul_does_not_end_the_japanese_text() -> None:
    """Words after a NUL are found, although MeCab itself ends there."""
    assert words("東京に\0大阪に行く") == ["東京", "に", "大阪", "に", "行く"]


def test_segmentation_works_in_several_threads_at_once() -> None:
    """Each thread has a tagger of its own, so threads give the same cuts."""
    text = "私は昨日、東京でおいしい寿司を食べました。" * 20
    expected = japanese_cuts(text)
    found: list[set[int]] = []
    threads = [threading.Thread(target=lambda: found.append(japanese_cuts(text))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 8


def test_thai_without_its_extra_is_cut_into_grapheme_clusters() -> None:
    """A segmenter that alters the text is not trusted: the run falls back to clusters of base and marks."""
    assert thai_words("ฉันรัก", lambda run: [run[:2]]) == ["ฉั", "น", "รั", "ก"]


def test_thai_words_come_from_the_segmenter() -> None:
    """The words of a Thai run are those of the segmenter."""
    assert thai_words("ฉันรัก", lambda run: [run[:3], run[3:]]) == ["ฉัน", "รัก"]


@pytest.mark.skipif(find_spec("pythainlp") is None, reason="needs the extra 'thai'")
def test_thai_with_its_extra_is_cut_into_words() -> None:
    """With PyThaiNLP installed Thai is cut by dictionary, and the signature says so."""
    assert words("ฉันรักภาษาไทย") == ["ฉัน", "รัก", "ภาษาไทย"]
    assert thai_segmenter()[0].startswith("newmm-")
