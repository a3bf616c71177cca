"""Labels in front matter: changed with every other byte as it was, and no part of a prompt's version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from retest.suites.prompt_files import read_prompt
from retest.suites.prompt_labels import LabelsError, with_labels, without_labels

BODY = "Translate: {{ q }}\n"
TEXTS = {
    "plain": BODY,
    "japanese": "翻訳してください：{{ q }}\n",
    "front matter": f"---\nmodel: x\n---\n{BODY}",
    "no labels yet": f"---\nlabels:\nmodel: x\n---\n{BODY}",
    "one word": f"---\nlabels: production # the one that is used\nmodel: x\n---\n{BODY}",
    "flow list": f"---\nmodel: x\nlabels: [ production,  本番 ]\nparams: {{temperature: 0}}\n---\n{BODY}",
    "block list": f"---\nlabels:\n  - production  # why\n  - 本番\n# a remark\nmodel: x\n---\n{BODY}",
    "flat block list": f"---\nmodel: x\nlabels:\n- production\n---\n{BODY}",
    "labels alone": f"---\nlabels: [production]\n---\n{BODY}",
    "several lines": f"---\nlabels: [production,\n  old]\nmodel: x\n---\n{BODY}",
    "an empty pair": "---\n---\n---\nbegins with a rule {{ q }}\n",
    "crlf": "---\r\nmodel: x\r\nlabels: [old]\r\n---\r\nHello {{ q }}\r\n",
    "byte order mark": f"\ufeff{BODY}",
    "no end of line": "---\nmodel: x\n---\nHello {{ q }}",
    "said in the body": "---\nmodel: x\n---\nlabels: [production]\n{{ q }}\n",
}
LABELS: Sequence[Sequence[str]] = (["production"], ["実験", "true", "a b"], [])


def read(tmp_path: Path, text: str) -> tuple[tuple[str, ...], str]:
    """Return labels and version of a prompt file with this text."""
    file = tmp_path / "prompt.md"
    file.write_bytes(text.encode())
    prompt = read_prompt(file, display="prompt.md", root=tmp_path)
    return prompt.labels, prompt.content_hash


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("labels", LABELS, ids=["one", "odd ones", "none"])
def test_labels_change_and_the_version_does_not(tmp_path: Path, name: str, labels: Sequence[str]) -> None:
    """However the front matter is written, the labels are read back and the content hash stays."""
    before = read(tmp_path, TEXTS[name])
    assert read(tmp_path, with_labels(TEXTS[name], labels)) == (tuple(labels), before[1])


@pytest.mark.parametrize("name", TEXTS)
def test_lines_without_labels_keep_their_bytes(name: str) -> None:
    """Line ends, comments and blanks of everything else are as they were."""
    kept = [line for line in with_labels(TEXTS[name], ["production"]).splitlines(keepends=True) if "label" not in line]
    others = set(TEXTS[name].removeprefix("\ufeff").splitlines(keepends=True))
    new = [
        line for line in kept if line not in others and "production" not in line and line.strip("\ufeff\r\n") != "---"
    ]
    assert new == []


def test_a_block_list_loses_and_gains_lines_alone() -> None:
    """The other labels and their comments stay where they are."""
    text = "---\nlabels:\n  - old  # since spring\n  - gone\nmodel: x\n---\nhi\n"
    assert with_labels(text, ["old", "new"]) == "---\nlabels:\n  - old  # since spring\n  - new\nmodel: x\n---\nhi\n"


def test_a_comment_beside_the_labels_outlives_them() -> None:
    """What somebody wrote is not thrown away with the last label."""
    text = "---\nlabels: [a] # ask Ann first\nmodel: x\n---\nhi\n"
    assert with_labels(text, []) == "---\nlabels: [] # ask Ann first\nmodel: x\n---\nhi\n"


def test_taking_back_what_was_added_gives_the_same_bytes() -> None:
    """A plain prompt is plain again."""
    for name in ("plain", "japanese", "front matter", "byte order mark", "an empty pair", "no end of line"):
        assert with_labels(with_labels(TEXTS[name], ["production"]), []) == TEXTS[name]


@pytest.mark.parametrize("text", ["---\n{model: x}\n---\nhi\n", "---\nmodel: x\nhi\n"], ids=["braces", "never closed"])
def test_front_matter_that_cannot_be_changed_is_refused(text: str) -> None:
    """Rather than written anew in another form."""
    with pytest.raises(LabelsError):
        with_labels(text, ["production"])


@pytest.mark.parametrize(
    "text", ["", "labels", "---", "---\nlabels: [", "---\nlabels: [\n---\n", "---\n- labels\n---\nx"]
)
def test_what_is_no_front_matter_is_left_alone(text: str) -> None:
    """Nothing is taken out of a broken file."""
    assert without_labels(text) == text
