"""Thai words with PyThaiNLP (extra ``thai``), else grapheme clusters, which need no dictionary."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import Any

from retest.text.characters import graphemes

Segmenter = Callable[[str], list[str]]


@cache
def _newmm() -> Any | None:
    try:
        from pythainlp.tokenize.newmm import segment
    except ImportError:
        return None
    return segment


def thai_segmenter() -> tuple[str, Segmenter]:
    """Return the name of the segmentation in use, for signatures, and the function that cuts a run of Thai."""
    newmm = _newmm()
    if newmm is None:
        return "grapheme", graphemes
    return f"newmm-{version('pythainlp')}", newmm


def thai_words(run: str, segmenter: Segmenter | None = None) -> list[str]:
    """Return the words of a run of Thai characters; joined, they are the run."""
    found = (segmenter or thai_segmenter()[1])(run)
    return found if "".join(found) == run else graphemes(run)
