from __future__ import annotations

import time

import pytest

from retest.text.language import detect_language
from retest.text.languages import language_code
from retest.text.scripts import dominant_script, script_counts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The quick brown fox jumps over the lazy dog.", "en"),
        ("I can't help with that.", "en"),
        ("Le chat est sur la table et il dort.", "fr"),
        ("El gato está en la mesa.", "es"),
        ("Der Hund schläft im Haus.", "de"),
        ("O gato está na mesa e dorme.", "pt"),
        ("Il gatto dorme sul tavolo perché è stanco.", "it"),
        ("De kat slaapt op de tafel.", "nl"),
        ("Jag heter Anna och bor i Sverige.", "sv"),
        ("Kot nie śpi na stole.", "pl"),
        ("Kucing itu tidur di atas meja.", "id"),
        ("Con mèo đang ngủ.", "vi"),
        ("Это кот и собака.", "ru"),
        ("Це кіт і собака.", "uk"),
        ("東京は日本の首都です。", "ja"),
        ("GPT-4のAPIをPythonで呼ぶ", "ja"),
        ("北京是中国的首都。", "zh"),
        ("东京", "zh"),
        ("안녕하세요", "ko"),
        ("สวัสดีครับ", "th"),
        ("مرحبا بالعالم", "ar"),
        ("سلام، حالت چطوره؟", "fa"),
        ("שלום עולם", "he"),
        ("Γειά σου κόσμε", "el"),
        ("नमस्ते दुनिया", "hi"),
        ("The capital of Japan is Tokyo (東京).", "en"),
        ("答えは次のとおりです。\n```python\nfor value in range(10): print(the_value_of_it)\n```", "ja"),
        ("詳しくは https://example.com/the/very/long/path/with/english/words をご覧ください", "ja"),
        ("Paris", "und"),
        ("42", "und"),
        ("", "und"),
        ("\ud800\0", "und"),
    ],
)
def test_language_of_a_text(text: str, expected: str) -> None:
    """The language of a text is told by its characters and small words, or undetermined."""
    assert detect_language(text).language == expected


def test_a_few_characters_without_kana_may_be_chinese_or_japanese() -> None:
    """東京 is a word of both languages, 东京 of Chinese alone."""
    assert detect_language("東京").may_be("ja")
    assert detect_language("東京").may_be("zh")
    assert not detect_language("东京").may_be("ja")


@pytest.mark.parametrize("text", ["三重県", "情報不足", "外為", "自我意識", "是正勧告", "東京都知事選挙投票率低下傾向"])
def test_japanese_without_kana_may_be_japanese(text: str) -> None:
    """Names and headlines need no kana to pass as Japanese."""
    assert detect_language(text).may_be("ja")


@pytest.mark.parametrize("text", ["你好", "谢谢", "我是学生我爱中文", "台灣是一個美麗的島嶼，我們都喜歡在這裡生活。"])
def test_chinese_is_not_taken_for_japanese(text: str) -> None:
    """Chinese sentences, simplified or traditional, are no Japanese."""
    assert not detect_language(text).may_be("ja")


def test_a_name_may_be_of_any_language_of_its_script() -> None:
    """Paris may be English or French, and not Japanese or Russian."""
    found = detect_language("Paris")
    assert [found.may_be(code) for code in ("en", "fr", "ja", "ru")] == [True, True, False, False]


def test_code_alone_is_still_a_text() -> None:
    """An answer that is nothing but code is judged by the code."""
    assert detect_language("```\nprint('the end of it')\n```").script == "Latin"


def test_share_counts_letters_of_the_script() -> None:
    """Three Latin letters weigh as much as one Japanese character."""
    assert detect_language("あいabcdef").share_of("ja") == pytest.approx(0.5)


def test_share_of_a_language_that_the_text_is_not_in_is_zero() -> None:
    """A French text has no share of English, although both are written in Latin letters."""
    found = detect_language("Le chat est sur la table et il dort.")
    assert found.share_of("en") == 0
    assert found.share_of("fr") == 1


@pytest.mark.parametrize("unit", ["a", "あ", "`", "```", "http://", "a b ", "的"])
def test_long_text_is_told_quickly(unit: str) -> None:
    """A text of hundreds of thousands of characters takes no longer than a second or so."""
    start = time.process_time()
    detect_language(unit * 200_000)
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ja", "ja"),
        ("ja-JP", "ja"),
        ("zh_Hans", "zh"),
        ("Japanese", "ja"),
        (" 日本語 ", "ja"),
        ("jp", "ja"),
        ("Deutsch", "de"),
        ("klingon", None),
        ("", None),
    ],
)
def test_names_of_languages(name: str, code: str | None) -> None:
    """Codes, regional codes and names lead to the code; other words to nothing."""
    assert language_code(name) == code


def test_scripts_are_counted_by_letters() -> None:
    """Digits and punctuation are in no script; the long vowel mark is kana."""
    assert script_counts("コーヒー 3杯, please!") == {"Kana": 4, "Han": 1, "Latin": 6}


@pytest.mark.parametrize(
    ("text", "script"),
    [("漢字とかな", "Kana"), ("汉字", "Han"), ("abc", "Latin"), ("é", "Latin"), ("12", None), ("", None)],
)
def test_dominant_script(text: str, script: str | None) -> None:
    """Chinese characters count as Japanese where there is kana."""
    assert dominant_script(text) == script
