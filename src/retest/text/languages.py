"""The language codes that options take, and the names people write for them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Language: TypeAlias = Literal[
    "en", "ja", "zh", "ko", "th", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "fi", "pl", "cs", "hu", "ro",
    "tr", "id", "vi", "ru", "uk", "bg", "el", "ar", "fa", "ur", "he", "hi", "bn", "ta", "te", "kn", "ml", "gu", "pa",
    "si", "ka", "hy", "km", "lo", "my", "am", "bo", "mn",
]  # fmt: skip
AutoLanguage: TypeAlias = Literal["auto"] | Language

LANGUAGES: tuple[str, ...] = get_args(Language)

_NAMES = {
    "en": "english eng 英語",
    "ja": "japanese jpn jp 日本語",
    "zh": "chinese zho chi cn mandarin 中国語 中文 汉语",
    "ko": "korean kor kr 韓国語 한국어",
    "th": "thai tha タイ語",
    "de": "german deu ger deutsch ドイツ語",
    "fr": "french fra fre français フランス語",
    "es": "spanish spa español スペイン語",
    "pt": "portuguese por português ポルトガル語",
    "it": "italian ita italiano イタリア語",
    "nl": "dutch nld nederlands オランダ語",
    "sv": "swedish swe svenska スウェーデン語",
    "da": "danish dan dansk デンマーク語",
    "no": "norwegian nor nb nn norsk ノルウェー語",
    "fi": "finnish fin suomi フィンランド語",
    "pl": "polish pol polski ポーランド語",
    "cs": "czech ces čeština チェコ語",
    "hu": "hungarian hun magyar ハンガリー語",
    "ro": "romanian ron română ルーマニア語",
    "tr": "turkish tur türkçe トルコ語",
    "id": "indonesian ind インドネシア語",
    "vi": "vietnamese vie ベトナム語",
    "ru": "russian rus русский ロシア語",
    "uk": "ukrainian ukr українська ウクライナ語",
    "bg": "bulgarian bul ブルガリア語",
    "el": "greek ell ギリシャ語",
    "ar": "arabic ara アラビア語",
    "fa": "persian fas farsi ペルシャ語",
    "ur": "urdu urd",
    "he": "hebrew heb ヘブライ語",
    "hi": "hindi hin ヒンディー語",
    "bn": "bengali ben",
    "ta": "tamil tam",
    "te": "telugu tel",
}
_BY_NAME = {name: code for code, names in _NAMES.items() for name in names.split()}


def language_code(name: str) -> str | None:
    """Return the code for ``ja``, ``ja-JP``, ``zh_Hans``, ``Japanese`` or ``日本語``; None where it is no language."""
    key = name.strip().casefold()
    base = key.replace("_", "-").split("-")[0]
    return key if key in LANGUAGES else base if base in LANGUAGES else _BY_NAME.get(base)
