"""Loads the `openai` package in a third of its time.

Its `__init__` imports some 400 files of request and response types. Calls here exchange plain JSON and need
none of them.
"""

from __future__ import annotations

from retest.deferred_packages import deferring


def load_openai() -> None:
    """Import `openai` without its types; nothing happens where it is loaded already."""
    with deferring("openai.types", "openai.types.responses"):
        import openai  # noqa: F401 - others take it from here
