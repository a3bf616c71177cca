"""Makes untrusted text safe to show: control sequences and direction overrides become visible."""

from __future__ import annotations

import re

# C0 without tab and newline, DEL, C1, bidirectional overrides and isolates, line and paragraph separators, surrogates;
# and what takes no room: texts that look alike must not differ unseen. Joiners stay: emoji and scripts need them.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""Return the text with every character that could steer a terminal written out, as ``\x1b`` or ``\u202e``."""
    return _UNSAFE.sub(_spell, text)


def shortened(text: str, most: int = 20_000) -> str:
    """Return at most so much of a text, and say what was left out; laying out millions of characters takes minutes."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters; `retest export` writes them all)"


def one_line(text: str) -> str:
    """Return the visible text on one line: newlines as ``⏎``, tabs as a blank."""
    return visible(text).replace("\n", "⏎").replace("\t", " ")


def _spell(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:  # noqa: PLR2004 - the last two-digit code
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - the last of four digits
