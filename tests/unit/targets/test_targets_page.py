"""docs/targets.md against the live objects: every example is valid, every option is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from retest.suites.yaml_nodes import plain
from retest.suites.yaml_reader import read_yaml
from retest.targets.registry import providers

PAGE = Path(__file__).parents[3] / "docs" / "targets.md"
COMMON = {"name", "provider", "model", "params"}


def examples() -> list[dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    trees: list[Any] = [plain(read_yaml(block, "docs/targets.md")) for block in blocks]
    found = [entry for tree in trees for entry in (tree if isinstance(tree, list) else tree.get("targets", []))]
    return [entry for entry in found if isinstance(entry, dict)]


def section(name: str) -> str:
    return PAGE.read_text("utf-8").split(f"\n## {name}\n")[1].split("\n## ")[0]


def test_every_example_is_a_valid_target() -> None:
    """Each is accepted by its provider's options, and each provider has one."""
    seen = set()
    for entry in examples():
        options = {key: value for key, value in entry.items() if key not in COMMON}
        providers()[entry["provider"]].info.options().model_validate(options)
        seen.add(entry["provider"])
    assert seen == set(providers())


@pytest.mark.parametrize("name", sorted(providers()))
def test_every_option_is_described(name: str) -> None:
    """An option that the page does not name cannot be found by a reader."""
    text = section(name) + (section("openai") if name == "azure_openai" else "")
    options = providers()[name].info.options().model_fields
    assert [option for option in options if not re.search(rf"\b{option}\b", text)] == []
