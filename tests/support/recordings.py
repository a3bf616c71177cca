"""Where the real recordings lie, and how a test that needs them says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"


def recorded(*parts: str) -> Path:
    """Return a file of the recordings; skips where they are not on this machine, fails where one is missing."""
    if not FOLDER.is_dir():
        pytest.skip("the folder ../shared/data with the real recordings is not here")
    path = FOLDER.joinpath(*parts)
    assert path.exists(), f"{path} is missing from the recordings"
    return path


def rows(*parts: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSON-lines file, split on newlines only."""
    for line in recorded(*parts).read_text("utf-8").split("\n"):
        if line:
            yield json.loads(line)


# Whether an answer solves the game of 24: every number used once, and the expression comes to 24.
SOLVED = """
import re

def solved(output, vars):
    expression = output.strip().split("\\n")[-1].lower().replace("answer:", "").split("=")[0].strip()
    numbers = re.findall(r"\\d+", expression)
    if sorted(numbers) != sorted(re.findall(r"\\d+", vars["numbers"])):
        return False
    if not re.fullmatch(r"[\\d+*/() .-]+", expression):
        return False
    try:
        return abs(eval(expression) - 24) < 1e-6
    except Exception:
        return False
"""
