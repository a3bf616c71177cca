"""Takes the password out of the URL of a store, and out of what others say about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote, unquote, unquote_plus

_HIDDEN = "***"
# All up to the last @, slashes, spaces and further @ included: what one program takes for the end of a password is part
# of it for another, and for the person who typed it. One slash will do, for a URL that was mistyped is shown as well.
_BEFORE_HOST = re.compile(r"(?P<before>(?::/)?/[^/:\\]*:)(?P<secret>.*)(?=@)", re.DOTALL)
_IN_QUERY = re.compile(r"(?P<before>(?:ssl)?password=)(?P<secret>[^&]*)", re.IGNORECASE)
_IN_WORDS = re.compile(r"(?P<before>//[^/:\s]*:)\S*(?=@)|(?P<name>(?:ssl)?password=)[^&\s'\"]*", re.IGNORECASE)


def mask_url(url: str) -> str:
    """Return a URL with its passwords replaced by ``***``; a path as it is, unless it looks like a URL mistyped."""
    for pattern in (_BEFORE_HOST, _IN_QUERY):
        url = pattern.sub(rf"\g<before>{_HIDDEN}", url)
    return url


def mask_words(text: str, url: str = "") -> str:
    """Return a text with the passwords of URLs and connection strings in it replaced by ``***``.

    Args:
        text: what a driver or a server said.
        url: what it was about; its passwords are replaced wherever they stand alone, in each of their spellings.
    """
    text = _IN_WORDS.sub(lambda match: f"{match['before'] or match['name']}{_HIDDEN}", text)
    shown = mask_url(url)
    for secret in sorted(set(_secrets(url)), key=len, reverse=True):
        alone = re.compile(rf"(?<!\w){re.escape(secret)}(?!\w)")
        if alone.search(shown) is None:  # it is no secret that the user `postgres` has that password
            text = alone.sub(_HIDDEN, text)
    return text


def _secrets(url: str) -> Iterator[str]:
    """Yield the passwords of a URL as written, decoded and encoded, and their parts: a host may begin at any @."""
    for pattern in (_BEFORE_HOST, _IN_QUERY):
        for match in pattern.finditer(url):
            for part in (match["secret"], *match["secret"].split("@")):
                yield from filter(None, (part, unquote(part), unquote_plus(part), quote(unquote(part), safe="")))
