"""モデルの代わりに、キーワードで答えます。"""

KEYWORDS = {
    "請求": ("引き落と", "請求書", "返金"),
    "配送": ("荷物", "配達", "届き"),
    "アカウント": ("ログイン", "パスワード", "メールアドレス"),
}


def answer(prompt: str) -> str:
    """キーワードを含む最初の担当を返します。"""
    return next((team for team, words in KEYWORDS.items() if any(word in prompt for word in words)), "アカウント")
