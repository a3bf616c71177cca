"""The examples of docs/prompt-files.md and docs/datasets.md do what the pages say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from retest.errors import Location
from retest.suites.dataset_files import DatasetOptions, InlineCase, open_dataset
from retest.suites.front_matter import KEYS
from retest.suites.prompt_files import ARRAY_SUFFIXES, TEXT_SUFFIXES
from retest.suites.yaml_nodes import plain
from retest.suites.yaml_reader import read_yaml
from support.prompt_folder import PromptFolder

DOCS = Path(__file__).parents[3] / "docs"
PROMPTS = (DOCS / "prompt-files.md").read_text("utf-8")
DATASETS = (DOCS / "datasets.md").read_text("utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", blocks(PROMPTS, "jinja"))
def test_every_prompt_of_the_page_renders(tmp_path: Path, text: str) -> None:
    """A reader can copy any of them."""
    prompt = PromptFolder(tmp_path).prompt(text)
    values: dict[str, Any] = {
        "teams": ["billing"],
        "message": "?",
        "question": "?",
        "shots": [{"question": "1+1", "answer": "2"}],
        "history": [{"role": "user", "content": "前"}],
        "image": "https://example.com/a.png",
    }
    messages = prompt.template.render({name: values[name] for name in prompt.template.variables})
    assert messages[-1]["role"] == "user"


def test_the_page_names_every_key_and_suffix() -> None:
    """Front matter keys and kinds of files are listed completely."""
    keys = [key for key in KEYS if f"`{key}`" not in PROMPTS]
    suffixes = [suffix for suffix in (*TEXT_SUFFIXES, *ARRAY_SUFFIXES) if f"`{suffix}`" not in PROMPTS]
    assert (keys, suffixes) == ([], [])


def test_the_inline_cases_of_the_page_are_cases() -> None:
    """The example in the suite gives two cases with their answers."""
    (example,) = [text for text in blocks(DATASETS, "yaml") if "cases:" in text]
    suite: Any = plain(read_yaml(example, "docs/datasets.md"))
    rows = suite["dataset"]["cases"]
    where = Location(path="docs/datasets.md")
    cases = list(open_dataset(DatasetOptions(cases=tuple(InlineCase(fields=row, where=where) for row in rows))))
    assert [(case.vars, case.references) for case in cases] == [
        ({"city": "東京"}, ("日本",)),
        ({"city": "Paris"}, ("France", "the French Republic")),
    ]
