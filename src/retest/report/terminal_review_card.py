"""One answer to review, as the keyboard session shows it, in English or Japanese."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from retest.domain.review import ReviewContent, ReviewScale
from retest.domain.review_queue import ReviewItem
from retest.report.escape import one_line, shortened, visible
from retest.report.terminal_review import spelled_value, spelled_variables

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "case": "case",
        "expected": "expected",
        "answer": "answer",
        "first": "answer 1",
        "second": "answer 2",
        "so_far": "so far",
        "keys": "g good   b bad",
        "pair_keys": "1 the first   2 the second   t a tie",
        "score_keys": "{low}-{high} {dimension}",
        "more_keys": "c comment   # tags   e correct answer   u undo   n next   p previous   q quit",
        "ask_text": "comment: ",
        "ask_tags": "tags, separated by commas: ",
        "ask_correction": "what the answer should be: ",
        "saved": "saved",
        "unknown": "this key does nothing here; ? shows the keys",
        "nothing": "nothing is due",
        "done": "{saved} saved, {left} left",
        "first_is": "first is better",
        "second_is": "second is better",
        "good": "good",
        "bad": "bad",
        "tie": "tie",
    },
    "ja": {
        "case": "ケース",
        "expected": "期待する回答",
        "answer": "回答",
        "first": "回答 1",
        "second": "回答 2",
        "so_far": "これまでの評価",
        "keys": "g 良い   b 悪い",
        "pair_keys": "1 回答 1 が良い   2 回答 2 が良い   t 同じくらい",
        "score_keys": "{low}-{high} {dimension}",
        "more_keys": "c コメント   # タグ   e 正しい回答   u 取り消し   n 次へ   p 前へ   q 終了",
        "ask_text": "コメント: ",
        "ask_tags": "タグ (読点かコンマで区切る): ",
        "ask_correction": "正しい回答: ",
        "saved": "保存しました",
        "unknown": "このキーには割り当てがありません。? でキーの一覧を表示します",
        "nothing": "評価する回答はありません",
        "done": "{saved} 件保存、残り {left} 件",
        "first_is": "回答 1 が良い",
        "second_is": "回答 2 が良い",
        "good": "良い",
        "bad": "悪い",
        "tie": "同じくらい",
    },
}


def review_card(item: ReviewItem, place: tuple[int, int], said: ReviewContent, language: str) -> RenderableType:
    """Return what a reviewer looks at: the case, what was asked, the answer, what has been said of it so far.

    Args:
        item: with its texts.
        place: which of how many.
        said: by this reviewer.
        language: ``en`` or ``ja``.
    """
    words = WORDS[language]
    version = "" if item.code is None else f"  {item.code}" + (f" / {item.other_code}" if item.other_code else "")
    head = f"{place[0]}/{place[1]}  {words['case']} {item.case.case_id}{version}"
    parts: list[RenderableType] = [Rule(Text(one_line(head), "bold"), align="left")]
    if item.why:
        parts.append(Text(one_line(item.why), "dim"))
    asked = item.prompt or spelled_variables(item.case.vars)
    parts.append(Text(visible(shortened(asked)), "cyan"))
    if item.expected is not None:
        parts.append(_labelled(words["expected"], spelled_value(item.expected), "green"))
    if item.other_answer is None:
        parts.append(_labelled(words["answer"], item.answer))
    else:
        parts += [_labelled(words["first"], item.answer), _labelled(words["second"], item.other_answer)]
    spelled = _spelled(said, words)
    if spelled:
        parts.append(_labelled(words["so_far"], spelled, "yellow"))
    return Group(*parts)


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{label}:\n", "bold"), (visible(shortened(text)), style))


def _spelled(said: ReviewContent, words: Mapping[str, str]) -> str:
    labels = {"first": words["first_is"], "second": words["second_is"]}
    label = "" if said.label is None else labels.get(said.label) or words.get(said.label, said.label)
    parts = [
        label,
        *(f"{name} {score.value:g}" for name, score in said.scores.items()),
        *(f"#{tag}" for tag in said.tags),
        said.text,
        "" if said.correction is None else f"→ {said.correction}",
    ]
    return "  ".join(part for part in parts if part)


def key_help(*, is_pair: bool, scale: ReviewScale | None, language: str) -> Text:
    """Return which key does what."""
    words = WORDS[language]
    first = words["pair_keys"] if is_pair else words["keys"]
    if scale is not None and not is_pair:
        scored = words["score_keys"].format(low=f"{scale.low:g}", high=f"{scale.high:g}", dimension=scale.dimension)
        first = f"{first}   {one_line(scored)}"
    return Text(f"{first}   {words['more_keys']}", "dim")
