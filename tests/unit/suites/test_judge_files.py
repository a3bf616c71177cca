"""Judge definitions: those that come with retest, and mistakes in one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from retest.domain.judge import JudgeLanguage, definition_from
from retest.domain.verdict_schema import verdict_schema
from retest.errors import SuiteError
from retest.suites.judge_files import packaged_definition, packaged_names, read_definition

LANGUAGES: tuple[JudgeLanguage, ...] = ("en", "ja")
PACKAGED = [
    (name, language) for language in LANGUAGES for name in (*packaged_names(language), "embedding", "embedding_field")
]
OWN = """\
name: brevity
version: 2
inputs: [question, answer]
instructions: |
  How brief is it?
scale: {form: choice, choices: {brief: 1, long: 0}, meanings: {brief: one sentence}}
examples:
  - inputs: {question: q, answer: a}
    output: {justification: one letter, choice: brief}
"""


def test_both_languages_have_the_same_definitions() -> None:
    """No kind of judge speaks English only."""
    assert packaged_names("en") == packaged_names("ja")
    assert {"rubric", "grade", "equivalence", "correctness", "groundedness", "closed_qa"} <= set(packaged_names("en"))


def test_what_embeds_is_no_judge() -> None:
    """Closeness of embeddings asks nobody anything: it is not offered as a question to a judge."""
    assert not [name for name in packaged_names("en") if name.startswith("embedding")]
    assert packaged_definition("embedding", "ja").inputs == ("answer", "expected")


@pytest.mark.parametrize(("name", "language"), PACKAGED)
def test_what_comes_with_retest_is_sound(name: str, language: JudgeLanguage) -> None:
    """Read as a user's file would be: checked, with examples that fit the schema, which is the scale's own."""
    folder = Path(__file__).parents[3] / "src" / "retest" / "metrics" / "judge" / "definitions"
    path = folder / language / f"{name}.yaml"
    definition = read_definition(path, path.name)
    assert (definition.name, definition.language) == (name, language)
    assert definition.schema == verdict_schema(definition.scale)
    assert all(Draft202012Validator(definition.schema).is_valid(dict(one.output)) for one in definition.examples)
    assert definition.content_hash == packaged_definition(name, language).content_hash


@pytest.mark.parametrize("name", [name for name, language in PACKAGED if language == "en"])
def test_the_languages_judge_by_the_same_scale(name: str) -> None:
    """A score means the same in both."""
    english, japanese = packaged_definition(name, "en"), packaged_definition(name, "ja")
    assert english.inputs == japanese.inputs
    for part in ("form", "low", "high", "choices", "better"):
        assert getattr(english.scale, part) == getattr(japanese.scale, part), part


@pytest.mark.parametrize(("name", "language"), PACKAGED)
def test_a_definition_survives_the_store(name: str, language: JudgeLanguage) -> None:
    """What a run keeps of it makes the same definition again."""
    definition = packaged_definition(name, language)
    assert definition_from(definition.document()) == definition


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(text, "utf-8")
    return path


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(SuiteError) as caught:
        read_definition(write(tmp_path, text), "judges/own.yaml")
    return str(caught.value)


def test_a_definition_of_ones_own(tmp_path: Path) -> None:
    """Name, version, scale and examples are as the file says; the schema is made from the scale."""
    definition = read_definition(write(tmp_path, OWN), "judges/own.yaml")
    assert definition.label.startswith("brevity@2:")
    assert definition.scale.binary
    assert definition.schema == verdict_schema(definition.scale)
    assert definition.path == "judges/own.yaml"


def test_the_hash_follows_what_the_judge_sees(tmp_path: Path) -> None:
    """Another instruction is another judge; another description for people is not."""
    first = read_definition(write(tmp_path, OWN), "a.yaml").content_hash
    assert read_definition(write(tmp_path, OWN + "description: d\n"), "a.yaml").content_hash == first
    assert read_definition(write(tmp_path, OWN.replace("brief is", "short is")), "a.yaml").content_hash != first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("instructions", "instruction"), "judges/own.yaml:4:1"),
        (("instructions", "instruction"), "did you mean 'instructions'"),
        (("form: choice", "form: stars"), "expected 'grade', 'choice', 'rubric' or 'claims'"),
        (("{brief: 1, long: 0}", "{brief: 1}"), "at least two `choices`"),
        (("{brief: one sentence}", "{bref: one}"), "meanings of what is not on the scale: bref"),
        (("choices: {brief: 1, long: 0}", "low: 1"), "a scale of the form choice has no low"),
        (("choice: brief}", "choice: short}"), "judges/own.yaml:9:49"),
        (("answer: a}", "reply: a}"), "the example shows 'reply', and `inputs` are question, answer"),
        (("answer: a}", "reply: a}"), "the example does not show 'answer'"),
        (("[question, answer]", "[answer, answer]"), "names something twice"),
        (("name: brevity\n", ""), "the key 'name' of the judge definition is missing"),
        (("version: 2", "version: 2\noutput: {type: nonsense}"), "`output` is no JSON Schema"),
        (
            ("version: 2", "version: 2\noutput: {type: object, properties: {choice: {}, justification: {}}}"),
            "must have the properties justification and choice, in this order",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """In the file itself, so that an editor jumps there."""
    assert said in problems(tmp_path, OWN.replace(*change))


@pytest.mark.parametrize(
    "text", ["", "just text", "- a list", "{}", "name: [", "\ud800".encode("utf-8", "surrogatepass")]
)
def test_garbage_is_refused(tmp_path: Path, text: str | bytes) -> None:
    """With a problem, never with a traceback."""
    path = tmp_path / "own.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SuiteError):
        read_definition(path, "judges/own.yaml")


def test_a_folder_is_no_definition(tmp_path: Path) -> None:
    """It cannot be read."""
    with pytest.raises(SuiteError, match="cannot read the judge definition"):
        read_definition(tmp_path, "judges")
