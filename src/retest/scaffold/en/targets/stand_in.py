"""Answers by keywords, in place of a model."""

KEYWORDS = {
    "billing": ("charged", "invoice", "refund"),
    "shipping": ("parcel", "courier", "delivery"),
    "account": ("log in", "password", "e-mail"),
}


def answer(prompt: str) -> str:
    """Return the first team one of whose keywords is in the prompt's last message."""
    text = prompt.lower()
    return next((team for team, words in KEYWORDS.items() if any(word in text for word in words)), "account")
