from __future__ import annotations

import re
from pathlib import Path

import pytest

from retest.suites.format_page import suite_format_page
from retest.suites.spec import SuiteSpec
from support.suite_folder import SuiteFolder

PAGE = Path(__file__).parents[3] / "docs" / "suite-format.md"


def yaml_blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)


def test_the_committed_page_is_up_to_date() -> None:
    """The page says what the models say; else: python -m retest.suites.format_page > docs/suite-format.md."""
    assert PAGE.read_text("utf-8") == suite_format_page()


def test_every_key_of_a_suite_is_on_the_page() -> None:
    """No key is undocumented."""
    text = suite_format_page()
    assert [key for key in SuiteSpec.model_fields if f"| `{key}` |" not in text] == []


@pytest.mark.parametrize("block", yaml_blocks())
def test_examples_have_only_keys_that_exist(folder: SuiteFolder, block: str) -> None:
    """An example on the page may be a part of a suite, but has no mistyped key or value."""
    slugs = {p.slug for p in folder.problems(block)}
    assert not slugs & {"suite-unknown-key", "suite-bad-value", "yaml-syntax", "yaml-key"}
