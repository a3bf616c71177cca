"""Reads labelled cases: what a judge is shown, what people said of it, and judgments recorded elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.judge import SECOND_ANSWER, JudgeDefinition
from retest.errors import Problem, UsageError

ANSWER_FIELDS = ("answer", "output", "response", "completion", "candidate")
PAIR_FIELDS = (("answer_1", "answer_2"), ("output_1", "output_2"), ("answer", "answer_2"), ("first", "second"))
_SHOWN = 5
# Which answer of a pair is better, in the words that data sets use; the value is the first answer's share.
_WINNERS: Mapping[str, float] = {
    **dict.fromkeys(("1", "first", "a", "answer_1", "output_1", "model_a", "回答1"), 1.0),
    **dict.fromkeys(("2", "second", "b", "answer_2", "output_2", "model_b", "回答2"), 0.0),
    **dict.fromkeys(("tie", "equal", "same", "both", "draw", "引き分け"), 0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFields:
    """Which fields of a row hold what; None lets the usual names be tried.

    Attributes:
        label: people's label.
        answer, second: the answer, or the two answers, under judgment.
        recorded: a judgment made elsewhere; of a pair, which answer won when the answers stood in their order.
        swapped: of a pair, which answer won when the second stood first.
        values: label -> value, for labels that are words of their own.
    """

    label: str
    answer: str | None = None
    second: str | None = None
    recorded: str | None = None
    swapped: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledCase:
    """One labelled case; of a pair, values are the first answer's share: 1, .5 for a tie, 0.

    Attributes:
        answers: the answer, or the two of a pair; empty where only recorded judgments count and no answer is there.
        recorded, swapped: judgments made elsewhere; None where there is none, or none that can be read.
    """

    case: Case
    label: float
    answers: tuple[str, ...] = ()
    recorded: float | None = None
    swapped: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """All labelled cases of a source; `unlabelled` rows have an empty label."""

    cases: tuple[LabelledCase, ...]
    unlabelled: int
    is_pairwise: bool


def read_labelled(source: Iterable[Case], definition: JudgeDefinition, fields: LabelFields) -> LabelledSet:
    """Return the rows that have a label.

    Raises:
        UsageError: a field is in no row, an answer is missing, or labels do not fit the definition's scale; the first
            few of each.
    """
    return _Reader(definition, fields).read(source)


class _Reader:
    def __init__(self, definition: JudgeDefinition, fields: LabelFields) -> None:
        self._definition = definition
        self._fields = fields
        self._is_pairwise = SECOND_ANSWER in definition.inputs
        self._seen: dict[str, None] = {}
        self._bad: list[str] = []
        self._answerless: list[str] = []
        self._labels_found = 0

    def read(self, source: Iterable[Case]) -> LabelledSet:
        cases = list(source)
        found = [case for each in cases if (case := self._case(each)) is not None]
        if not self._labels_found:
            raise UsageError(self._no_labels())
        if self._bad:
            raise UsageError(self._off_scale())
        if self._answerless:
            raise UsageError(self._no_answers())
        return LabelledSet(cases=tuple(found), unlabelled=len(cases) - len(found), is_pairwise=self._is_pairwise)

    def _case(self, case: Case) -> LabelledCase | None:
        self._seen.update(dict.fromkeys((*case.vars, *case.meta)))
        label = find_field(case, self._fields.label)
        if label is None or label == "":
            return None
        self._labels_found += 1
        value = self._value(label)
        if value is None or not self._is_on_scale(value):
            self._bad.append(f"{case.where or case.case_id}: {str(label)[:60]!r}")
            return None
        answers = self._answers(case)
        if answers is None and self._fields.recorded is None:
            self._answerless.append(str(case.where or case.case_id))
        return LabelledCase(
            case=case,
            label=value,
            answers=answers or (),
            recorded=self._judgment(case, self._fields.recorded),
            swapped=self._judgment(case, self._fields.swapped),
        )

    def _answers(self, case: Case) -> tuple[str, ...] | None:
        if self._is_pairwise:
            own = (self._fields.answer, self._fields.second)
            names: Sequence[tuple[str, ...]] = [(own[0], own[1])] if own[0] and own[1] else PAIR_FIELDS
        else:
            names = [(self._fields.answer,)] if self._fields.answer else [(name,) for name in ANSWER_FIELDS]
        for wanted in names:
            texts = [find_field(case, name) for name in wanted]
            if all(isinstance(text, str) for text in texts):
                return tuple(str(text) for text in texts)
        return None

    def _judgment(self, case: Case, name: str | None) -> float | None:
        """Return a recorded judgment; one that cannot be read, or is off the scale, is a missing one."""
        if name is None:
            return None
        found = find_field(case, name)
        if isinstance(found, Mapping):
            found = next((found[key] for key in ("score", "value", "grade", "choice") if key in found), None)
        value = None if found is None or found == "" else self._value(found)
        return value if value is not None and self._is_on_scale(value) else None

    def _value(self, label: JsonValue) -> float | None:
        text = str(label).strip()
        if text in self._fields.values:
            return self._fields.values[text]
        if self._is_pairwise:
            return _WINNERS.get(text.lower())
        choices = self._definition.scale.choices
        if text in choices:
            return choices[text]
        if isinstance(label, bool):
            return float(label)
        try:
            value = float(text)
        except ValueError:
            return None
        return value if math.isfinite(value) else None

    def _is_on_scale(self, value: float) -> bool:
        scale = self._definition.scale
        return self._is_pairwise or scale.low <= value <= scale.high

    def _no_labels(self) -> Problem:
        fields = ", ".join(list(self._seen)[:20]) or "none"
        return Problem(
            slug="calibrate-no-labels",
            message=f"no row has a label in the field '{self._fields.label}'",
            details=(f"fields of the rows: {fields}",),
            fix="name the field that holds people's labels: --against FIELD",
        )

    def _off_scale(self) -> Problem:
        scale = self._definition.scale
        if self._is_pairwise:
            expected = "1, 2 or tie (which answer is better)"
        elif scale.choices:
            expected = f"one of {', '.join(scale.choices)}, or its value"
        else:
            expected = f"a number from {scale.low:g} to {scale.high:g}"
        return Problem(
            slug="calibrate-label",
            message=f"{len(self._bad)} labels in '{self._fields.label}' are not on the definition's scale",
            details=(f"expected: {expected}", *self._bad[:_SHOWN]),
            fix="say what each is worth: --label good=1 --label bad=0",
        )

    def _no_answers(self) -> Problem:
        tried = " or ".join("+".join(pair) for pair in PAIR_FIELDS) if self._is_pairwise else " or ".join(ANSWER_FIELDS)
        flags = "--answer FIELD --second FIELD" if self._is_pairwise else "--answer FIELD"
        return Problem(
            slug="calibrate-no-answer",
            message=f"{len(self._answerless)} labelled rows have no answer to show the judge",
            details=(f"looked for: {self._fields.answer or tried}", *self._answerless[:_SHOWN]),
            fix=f"name the field: {flags}; or take recorded judgments: --recorded FIELD",
        )


def find_field(case: Case, name: str) -> JsonValue:
    """Return what a case holds under a name, dotted for nested fields; None where there is nothing.

    `expected` is the reference; variables come before other fields. A key may hold dots itself.
    """
    if name == "expected":
        return case.expected
    for part in (case.vars, case.meta):
        for found in _look_up(part, name):
            return found
    return None


def _look_up(fields: Mapping[str, JsonValue], name: str) -> Iterator[JsonValue]:
    if name in fields:
        if fields[name] is not None:
            yield fields[name]
        return
    for place, letter in enumerate(name):
        inner = fields.get(name[:place]) if letter == "." else None
        if isinstance(inner, Mapping):
            yield from _look_up(inner, name[place + 1 :])
