"""The pages for users against the live objects: commands, suite examples, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from retest.cli.app import build_app
from retest.suites.schema import suite_json_schema
from retest.suites.yaml_nodes import plain
from retest.suites.yaml_reader import read_yaml
from retest.workflows.catalog import load_catalog
from support.demo_output import READMES, demo_commands, demo_output, shown_output, without_run_id

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^( *)```([\w-]*)\n(.*?)^\1```", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELLS = frozenset({"console", "sh", "bash", "shell"})
SECTIONS = (("prompt", "prompts"), ("dataset",), ("target", "targets"), ("metrics", "preset"))


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of each fenced block."""
    for _, language, text in FENCE.findall(page.read_text("utf-8")):
        yield language, text


def command_lines(page: Path) -> list[list[str]]:
    """Return the words of each command in shell blocks, without variables before it and pipes after it."""
    lines = [line for language, text in blocks(page) if language in SHELLS for line in text.splitlines()]
    found = []
    for line in lines:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            del words[0]
        end = next((i for i, word in enumerate(words) if word in {"|", ">", ">>", "&&", ";"}), len(words))
        found += [words[:end]] if words else []
    return found


def retest_commands() -> list[Any]:
    return [
        pytest.param(words[1:], id=f"{shown(page)}: {' '.join(words)}")
        for page in PAGES
        for words in command_lines(page)
        if words[0] == "retest"
    ]


@cache
def command_line() -> Any:
    return build_app()


@pytest.mark.parametrize("arguments", retest_commands())
def test_commands_of_the_pages_exist(arguments: list[str]) -> None:
    """Every command that a page shows is read without a complaint: the subcommand, its options, their values."""
    app = command_line()
    if arguments[0].startswith("-"):
        assert arguments[0] in {option for parameter in app.params for option in parameter.opts}
        return
    assert arguments[0] in app.commands
    command = app.commands[arguments[0]]
    command.make_context(arguments[0], list(arguments[1:]))  # raises a usage error where something does not exist


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_subcommands_in_the_text_exist(page: Path) -> None:
    """Where the running text says `retest NAME`, there is such a subcommand."""
    text = FENCE.sub("", page.read_text("utf-8"))
    named = set(re.findall(r"`retest ([a-z]+)\b", text))
    assert named <= set(command_line().commands)


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_make_targets_of_the_pages_exist(page: Path) -> None:
    """Every `make NAME` that a page shows is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.MULTILINE))
    shown_in_text = set(re.findall(r"`make ([a-z-]+)`", page.read_text("utf-8")))
    shown_in_blocks = {words[1] for words in command_lines(page) if words[0] == "make" and len(words) > 1}
    assert shown_in_text | shown_in_blocks <= targets


def suite_examples() -> list[Any]:
    """Return each YAML block that is a suite or a part of one: a mapping with one of a suite's sections."""
    found = []
    sections = set(suite_schema()["properties"])
    for page in PAGES:
        for number, text in enumerate(text for language, text in blocks(page) if language == "yaml"):
            tree = plain(read_yaml(text, shown(page)))
            if isinstance(tree, dict) and sections & tree.keys() and "instructions" not in tree:  # a judge definition
                found.append(pytest.param(tree, id=f"{shown(page)}: yaml block {number}"))
    return found


@cache
def suite_schema() -> dict[str, Any]:
    return suite_json_schema(load_catalog())


@pytest.mark.parametrize("example", suite_examples())
def test_suite_examples_fit_the_schema(example: dict[str, Any]) -> None:
    """A whole suite passes the schema of suites; a part of one passes it but for the sections it leaves out."""
    schema = suite_schema()
    if not all(example.keys() & set(keys) for keys in SECTIONS):
        schema = {key: value for key, value in schema.items() if key != "allOf"}
    jsonschema.Draft202012Validator(schema).validate(example)


def anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, fragment = link.partition("#")
        if "://" in path or path.startswith("mailto:"):
            continue
        target = page.parent / path if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Every relative link has its file, and every anchor its heading."""
    assert list(broken_links(page)) == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md names each page beside it once."""
    index = ROOT / "docs" / "README.md"
    linked = [link for link in LINK.findall(index.read_text("utf-8")) if "/" not in link]
    assert sorted(linked) == sorted(page.name for page in index.parent.glob("*.md") if page != index)


def test_the_readmes_show_what_the_demo_prints(tmp_path: Path) -> None:
    """The demo's output in the READMEs is the demo's output; else: python tests/support/demo_output.py."""
    printed = demo_output(tmp_path / "demo.db")
    for page in READMES:
        assert without_run_id(shown_output(page.read_text("utf-8"))) == without_run_id(printed)


def test_the_demo_ends_with_a_verdict_and_fits_80_columns(tmp_path: Path) -> None:
    """`make demo` runs the suite, then compares the two recorded prompt files."""
    run, compare = demo_commands()
    assert (run[0], compare[0]) == ("run", "compare")
    assert compare[1:3] == ["prompts/intent-v1.md", "prompts/intent-v2.md"]
    printed = demo_output(tmp_path / "demo.db")
    assert printed.splitlines()[-1].startswith("verdict: ")
    assert max(map(len, printed.splitlines())) <= 80
