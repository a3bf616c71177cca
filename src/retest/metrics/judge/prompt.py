"""From a definition and what is to be judged to the messages that the judge is sent.

What is judged is data between lines that it cannot contain: their mark is a hash of the data itself, so that the same
question always reads the same (and is paid for once), and no answer can close its own part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from retest.domain.json_value import JsonValue, canonical_json
from retest.domain.judge import ANSWER, SECOND_ANSWER, JudgeDefinition
from retest.domain.prompt import Message
from retest.metrics.judge.wording import WORDINGS, Wording

_MARK_DIGITS = 12
WORDING_VERSION = 1  # raised when the words around instructions change: scores before and after are not alike


def judge_messages(definition: JudgeDefinition, inputs: Mapping[str, str]) -> list[Message]:
    """Return the messages that ask for a verdict.

    Args:
        definition: what is asked.
        inputs: name -> text of all that the judge is shown, in the order in which it is shown.
    """
    return [
        {"role": "system", "content": instruction_text(definition)},
        {"role": "user", "content": data_text(definition, inputs)},
    ]


def instruction_text(definition: JudgeDefinition) -> str:
    """Return all that is the same for every answer: instructions, scale, examples, the form of the verdict."""
    wording = WORDINGS[definition.language]
    sections = [
        definition.instructions,
        *_scale_section(definition, wording),
        *_example_sections(definition, wording),
        wording.data,
        f"{_answer_section(definition, wording)} {wording.only_json}",
    ]
    return "\n\n".join(sections)


def _scale_section(definition: JudgeDefinition, wording: Wording) -> Iterator[str]:
    meanings = definition.scale.meanings
    if meanings:
        lines = (f"{name}: {meaning}" for name, meaning in meanings.items())
        yield "\n".join((wording.scale, *lines))


def _example_sections(definition: JudgeDefinition, wording: Wording) -> Iterator[str]:
    for number, example in enumerate(definition.examples, start=1):
        shown = {name: example.inputs[name] for name in definition.inputs if name in example.inputs}
        parts = "\n".join(_parts(definition, shown, "example"))
        output = json.dumps(dict(example.output), ensure_ascii=False)
        yield "\n".join((wording.example.format(number=number), parts, wording.example_output, output))


def _answer_section(definition: JudgeDefinition, wording: Wording) -> str:
    scale = definition.scale
    choices = ", ".join(json.dumps(name, ensure_ascii=False) for name in scale.choices)
    return wording.answer_with[scale.form].format(low=int(scale.low), high=int(scale.high), choices=choices)


def data_text(definition: JudgeDefinition, inputs: Mapping[str, str]) -> str:
    """Return what is judged, each part between lines with a mark that none of the parts contains."""
    mark = find_mark(tuple(inputs.values()))
    first = WORDINGS[definition.language].mark.format(mark=mark)
    return "\n".join((first, "", *_parts(definition, inputs, mark)))


def find_mark(texts: Sequence[str]) -> str:
    """Return a mark made from the texts that stands in none of them."""
    digest = hashlib.sha256(canonical_json(list(texts)))
    mark = digest.hexdigest()[:_MARK_DIGITS]
    while any(mark in text for text in texts):
        digest.update(mark.encode())
        mark = digest.hexdigest()[:_MARK_DIGITS]
    return mark


def _parts(definition: JudgeDefinition, inputs: Mapping[str, str], mark: str) -> Iterator[str]:
    names = WORDINGS[definition.language].parts
    for name, text in inputs.items():
        shown = f"{ANSWER}_1" if name == ANSWER and SECOND_ANSWER in definition.inputs else name
        label = names.get(shown, shown)
        yield f"[[{label} {mark}]]\n{text}\n[[/{label} {mark}]]"


def as_shown(value: JsonValue) -> str:
    """Return a case's value as a judge reads it: text as it is, a list of texts one after the other, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return "\n\n".join(str(item) for item in value)
    return json.dumps(value, ensure_ascii=False)
