from __future__ import annotations

import pytest

from retest.text.refusal import find_refusal


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't assist with that.",
        "I’m sorry, but I can’t help with that request.",
        "Sorry, I cannot do that.",
        "I apologize, but I am unable to provide that information.",
        "My apologies, but I cannot create a tutorial on that.",
        "As an AI language model, I do not have personal opinions.",
        "I must respectfully decline to write this.",
        "I won't be able to generate that list for you.",
        "We are not able to share customer data.",
        "It is not ethical to deny people housing.",
        "申し訳ありませんが、そのご要望にはお応えできません。",
        "申し訳ございませんが、お手伝いすることはできません。",
        "すみません、その質問にはお答えできません。",
        "恐れ入りますが、個人情報の提供はいたしかねます。",
        "残念ながら、その内容は生成できません。",
        "私はAIアシスタントとして、違法行為を助長する回答は控えさせていただきます。",
        "AI言語モデルとして、そのような内容を作成することはできません。",
        "そのような依頼には対応できかねます。",
        "ご質問にお答えすることはできません。",
        "その件については回答を差し控えさせていただきます。",
        "ご期待には沿えません。",
        "申し訳ありません。そのようなご依頼には、お答えできません。",
        "この依頼はお断りします。",
    ],
)
def test_refusals_are_found(text: str) -> None:
    """Usual wordings with which models decline are recognised."""
    assert find_refusal(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The answer is 18.",
        "I couldn't help but notice the strange animals.",
        "Sorry for the delay! Your order ships today.",
        "Sure, I can help with that.",
        "You cannot divide by zero, so the result is undefined.",
        "1. Grind the beans. 2. Boil the water.",
        "ご注文が遅れて申し訳ありません。本日発送いたしました。",
        "申し訳ございません。すぐに確認いたします。",
        "ご質問ありがとうございます。返品は30日以内に可能です。",
        "ゼロで割ることはできないので、答えはありません。",
        "東京は日本の首都です。",
        "もちろんです。お手伝いします。",
        "\ud800\0",
    ],
)
def test_answers_are_not_refusals(text: str) -> None:
    """Apologies, plain statements and help are no refusals."""
    assert find_refusal(text) is None


def test_only_the_opening_counts() -> None:
    """A declining phrase after a long answer declines nothing."""
    assert find_refusal("word " * 200 + "I'm sorry, but I can't help with that.") is None
