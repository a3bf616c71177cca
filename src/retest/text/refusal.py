"""Phrases with which models decline, in English and Japanese.

Only the opening of an answer is looked at: "I cannot say for certain" far down in an answer declines nothing. The
English rules were written on recorded refusals of GPT-3.5 and GPT-4 of 2023 and the usual wordings of other assistants.
"""

from __future__ import annotations

from functools import cache

import regex

OPENING = 400
"""How many characters from the start are looked at."""

_CANNOT = (
    r"(?:can(?:['’]?t|not|\snot)|could\s?n(?:o|['’])t|won['’]?t|will\snot|(?:am|['’]m|are|['’]re)\s(?:not\sable|unable)"
    r"|(?:am|['’]m)\snot\s(?:going|comfortable|allowed|permitted|programmed)|(?:must|have\sto|need\sto|will)\s(?:respectfully"
    r"\s)?(?:decline|refuse)|decline|refuse|do\s?n(?:o|['’])t\sfeel\scomfortable)"
)
_DO = (
    r"(?:assist|help(?!\sbut)|provide|fulfil+|comply|support|create|generate|engage|offer|share|write|answer|discuss|participate"
    r"|produce|promote|encourage|condone|respond|proceed|facilitate|describe|prove|suggest|give|make|do\s(?:that|this|so)"
    r"|continue|complete|carry|advise|recommend\sany|process|endorse|teach|explain\show)"
)
_ENGLISH = (
    # I'm sorry, but I can't help with that. / My apologies, but we cannot offer ...
    rf"\b(?:sorry|apologi[sz]e|apologies|unfortunately|regret)\b[^.!?\n]{{0,80}}?\b(?:i|we)\s?{_CANNOT}\b",
    rf"\b(?:i|we)\s?{_CANNOT}(?:\sbe\sable)?\b[^.!?\n]{{0,30}}?\b{_DO}\b",
    rf"\bunable\sto\s(?:\w+\s)?{_DO}\b",
    # As an AI language model, I do not have ... / must emphasise ...
    (
        r"\bas\san?\s(?:responsible\s)?(?:ai|artificial\sintelligence|language\smodel)\b[^.!?\n]{0,120}?\b(?:can(?:not|['’]?t|\snot)"
        r"|do\s?n(?:o|['’])t|unable|not\sable|must\s(?:emphasi[sz]e|inform|clarify|decline)|not\s(?:appropriate|ethical|programmed)"
        r"|follow\sethical|committed\sto)"
    ),
    r"\bsorry,\sas\san?\sai\b",
    r"\bagainst\s(?:my|our)\s(?:programming|guidelines|principles|polic(?:y|ies)|ethic\w*|terms|content)",
    r"\bmy\spurpose\b[^\n]{0,160}?\b(?:not\sto|cannot|can['’]?t)\b",
    # It is not ethical to ... as the answer's first words
    (
        r"\A\W*(?:it(?:\sis|['’]s)|this\sis)\s(?:never|not|in)\s?(?:\w+\s(?:or|and)\s)?(?:ethical|appropriate|okay|ok|acceptable|legal"
        r"|accurate|correct|right|justifiable)\b"
    ),
    r"\A\W*it\sis\simportant\sto\snote\sthat\b[^.\n]{0,100}\bis\sa\sviolation\b",
)

_UNABLE = (
    r"(?:できません|出来ません|できかね|出来かね|(?:いた|致)しかね|しかね(?:ます|る)|られません|られかね|(?:差し)?控え(?:させ|ます|たい|る)"
    r"|お断り)"
)
_ACT = (
    r"(?:お答え|回答|返答|お手伝い|手伝|お力|協力|対応|提供|(?:ご)?案内|お応え|応じ|お教え|支援|サポート|作成|生成|説明|お話|お伝え|紹介|助言"
    r"|アドバイス|助長|推奨|共有|実行|お受け|コメント|手助け|関与|加担|言及)"
)
_JAPANESE = (
    # 申し訳ありませんが、そのご要望にはお応えできません。
    rf"(?:申し訳|すみません|すいません|ごめんなさい|恐れ入り|恐縮|残念ながら|あいにく)[^。！？\n]{{0,100}}?{_UNABLE}",
    rf"(?:申し訳|すみません|ごめんなさい)[^。！？\n]{{0,30}}[。！？、\s]+[^。！？\n]{{0,60}}?{_ACT}[^。！？\n]{{0,12}}?{_UNABLE}",
    rf"(?:私|わたし|当方|弊社|AI|ＡＩ|アシスタント|言語モデル)(?:は|として|に|では|には)[^。！？\n]{{0,80}}?{_UNABLE}",
    rf"(?:そ|こ)の(?:ような|種の|ご|件|質問|依頼|要望|要求|リクエスト|内容|情報)[^。！？\n]{{0,50}}?{_ACT}[^。！？\n]{{0,12}}?{_UNABLE}",
    rf"ご?(?:要望|依頼|要求|質問|リクエスト|期待)(?:に|には|は|へ)[^。！？\n]{{0,30}}?(?:{_UNABLE}|添えま|沿えま)",
    rf"\A[^。！？\n]{{0,60}}?{_ACT}[^。！？\n]{{0,12}}?{_UNABLE}",
    r"お断り(?:します|いたします|致します|させて|しなければ|せざる)",
)


@cache
def _rules() -> tuple[regex.Pattern[str], ...]:
    # Compiled at the first use, for that takes longer than all imports here; one by one, for that searches faster.
    return tuple(regex.compile(rule, regex.IGNORECASE) for rule in (*_ENGLISH, *_JAPANESE))


def find_refusal(text: str, opening: int = OPENING) -> str | None:
    """Return the declining phrase in the opening of a text; None where there is none."""
    start = text[:opening]
    found = (rule.search(start) for rule in _rules())
    return next((match.group() for match in found if match is not None), None)
