"""An endpoint's answers that get worse with the prompt, the same way each time."""

from __future__ import annotations

import zlib

from support.openai_server import Received


def answer(request: Received) -> str:
    """Answer the question at the prompt's end; a prompt that says "bad" gets two questions of three wrong."""
    text = request.last_user
    question = text.split()[-1]
    return "wrong" if "bad" in text and zlib.crc32(question.encode()) % 3 else question
