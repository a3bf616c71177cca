from __future__ import annotations

import time

import pytest

from retest.text.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("...", []),
        ("no full stop", ["no full stop"]),
        ("Dr. Smith went to the U.S. on Jan. 5. He left.", ["Dr. Smith went to the U.S. on Jan. 5.", "He left."]),
        ('He said "Hi!" Then he left. OK?', ['He said "Hi!"', "Then he left.", "OK?"]),
        ("Pi is 3.14 exactly. No.", ["Pi is 3.14 exactly.", "No."]),
        ("John F. Kennedy spoke.", ["John F. Kennedy spoke."]),
        ("A line\nthat goes on.", ["A line\nthat goes on."]),
        ("Two things:\n- One\n- Two", ["Two things:", "- One", "- Two"]),
        ("今日は晴れ。明日は雨？本当！？", ["今日は晴れ。", "明日は雨？", "本当！？"]),
        ("「行く。」と彼は言った。帰った。", ["「行く。」と彼は言った。", "帰った。"]),
        ("「はい。」「いいえ。」", ["「はい。」", "「いいえ。」"]),
        ("私は（昨日。）行った。次。", ["私は（昨日。）行った。", "次。"]),
        ("閉じない「かっこ。\n次の行。", ["閉じない「かっこ。", "次の行。"]),
        ("これは本です．値は３．１４です．", ["これは本です．", "値は３．１４です．"]),
        ("Hello. 世界です。Bye.", ["Hello.", "世界です。", "Bye."]),
        ("一行目\u2028二行目", ["一行目", "二行目"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    """English and Japanese sentences end where a reader would say so."""
    assert sentences(text) == expected


@pytest.mark.parametrize("unit", ["a", "。", "「", "」", ".", " ", "\n", " \n ", "あ。", "A. "])
def test_long_monotonous_text_is_split_quickly(unit: str) -> None:
    """No text makes the rules backtrack for long."""
    start = time.process_time()
    sentences(unit * 100_000)
    assert time.process_time() - start < 10
