"""Every error slug leads to a heading in docs/errors.md, and every heading to a slug."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")


# Functions whose first argument is a slug.
BY_POSITION = {"error", "warn", "yaml_problem", "_error", "_add", "add"}


def slugs_in_source() -> set[str]:
    """Return every constant given as `slug`, by keyword, or first to a function that makes a problem."""
    found: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "slug":
                found |= constants(node.value)
            elif isinstance(node, ast.Call) and node.args and called(node) in BY_POSITION:
                found |= constants(node.args[0])
    return {slug for slug in found if SLUG.fullmatch(slug)}


def constants(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def documented() -> set[str]:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    return set(re.findall(r"^### `?([a-z0-9-]+)`?$", text, flags=re.MULTILINE))


def test_every_slug_is_documented() -> None:
    """A message never ends in a slug that leads nowhere."""
    assert slugs_in_source() - documented() == set()


def test_every_documented_slug_exists() -> None:
    """The page describes no error that cannot happen; the message text may be built from the slug's parts."""
    everything = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert {slug for slug in documented() if f'"{slug}"' not in everything} == set()
