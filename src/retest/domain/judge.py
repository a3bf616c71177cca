"""Judges: what a model is asked about an answer (a definition), and which model is asked (an endpoint)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.target import TargetSpec

Form = Literal["grade", "choice", "rubric", "claims"]
JudgeLanguage = Literal["en", "ja"]
Combine = Literal["mean", "median", "majority"]

# Where a case usually keeps what a definition asks for, tried in this order; `inputs` of a metric names another field.
USUAL_FIELDS: Mapping[str, tuple[str, ...]] = {
    "question": ("question", "query", "input", "instruction", "message", "text", "prompt"),
    "context": ("context", "contexts", "passage", "passages", "document", "documents", "source", "article"),
    "feedback": ("feedback", "comment", "review"),
    "previous": ("previous", "previous_answer", "previous_output", "draft"),
    "criteria": ("criteria", "rubric"),
}
ANSWER, SECOND_ANSWER, EXPECTED = "answer", "answer_2", "expected"
# What a case need not have a field for: the answers under judgment, and the reference answer.
GIVEN_INPUTS = frozenset({ANSWER, SECOND_ANSWER, EXPECTED})


def find_input(name: str, named: Mapping[str, str], case: Case) -> JsonValue:
    """Return what a case holds for an input of a definition, None where it holds nothing.

    Args:
        name: of the input.
        named: input -> field, where the suite says which.
        case: its variables come before its other fields.
    """
    fields = (named[name],) if name in named else USUAL_FIELDS.get(name, (name,))
    for part in (case.vars, case.meta):
        for key in fields:
            if part.get(key) is not None:
                return part[key]
    # A case of one variable is a question, whatever the variable is called.
    return next(iter(case.vars.values())) if name == "question" and name not in named and len(case.vars) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeScale:
    """What a verdict may be, and what it is worth.

    Attributes:
        form: ``grade`` is a whole number from `low` to `high`; ``choice`` one of `choices`; ``rubric`` a list of
            criteria, each met or not; ``claims`` the answer's claims, each supported or not.
        choices: name -> value.
        meanings: grade or choice -> what it means, in words for the judge.
        criteria: of a rubric; a metric may bring its own.
        better: whether higher or lower values are better.
    """

    form: Form
    low: float = 0.0
    high: float = 1.0
    choices: Mapping[str, float] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    criteria: tuple[str, ...] = ()
    better: Literal["higher", "lower"] = "higher"

    @property
    def binary(self) -> bool:
        """Return whether values are 0 or 1."""
        return self.form == "choice" and set(self.choices.values()) == {0.0, 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeExample:
    """One judgment to learn from: the inputs by name (`answer` among them), and what the judge should have said."""

    inputs: Mapping[str, str]
    output: Mapping[str, JsonValue]


@dataclass(frozen=True, kw_only=True)
class JudgeDefinition:
    """One version of what a judge is asked; made from a YAML file.

    Attributes:
        inputs: what the judge is shown, in this order; ``answer`` is the answer under judgment, ``answer_2`` the other
            one of a pair, ``expected`` the case's reference answer; the others are fields of the case.
        schema: JSON Schema of the judge's answer, the justification before the verdict.
        path: the file as the user would type it; None for one that comes with retest.
    """

    name: str
    version: str
    language: JudgeLanguage
    instructions: str
    inputs: tuple[str, ...]
    scale: JudgeScale
    schema: Mapping[str, JsonValue]
    examples: tuple[JudgeExample, ...] = ()
    description: str = ""
    path: str | None = None

    @cached_property
    def content_hash(self) -> str:
        """Hash of all that the judge sees or that turns its words into values."""
        return content_hash({name: value for name, value in self.document().items() if name != "description"})

    @property
    def label(self) -> str:
        """Return what signatures say: name, version, hash."""
        return f"{self.name}@{self.version}:{self.content_hash[:12]}"

    @property
    def case_fields(self) -> tuple[str, ...]:
        """Return the inputs that fields of the case fill."""
        return tuple(name for name in self.inputs if name not in GIVEN_INPUTS)

    def document(self) -> dict[str, JsonValue]:
        """Return the definition as JSON, without its path; `definition_from` reads it again."""
        scale = self.scale
        return {
            "name": self.name,
            "version": self.version,
            "language": self.language,
            "description": self.description,
            "instructions": self.instructions,
            "inputs": list(self.inputs),
            "scale": {
                "form": scale.form,
                "low": scale.low,
                "high": scale.high,
                "choices": dict(scale.choices),
                "meanings": dict(scale.meanings),
                "criteria": list(scale.criteria),
                "better": scale.better,
            },
            "schema": dict(self.schema),
            "examples": [{"inputs": dict(one.inputs), "output": dict(one.output)} for one in self.examples],
        }


def definition_from(document: Mapping[str, JsonValue]) -> JudgeDefinition:
    """Return the definition that `JudgeDefinition.document` wrote."""
    values: dict[str, object] = dict(document)
    scale: dict[str, object] = dict(values["scale"])  # type: ignore[call-overload] # written by `document`
    scale["criteria"] = tuple(scale["criteria"])  # type: ignore[arg-type] # the same
    examples: list[dict[str, Mapping[str, str]]] = values["examples"]  # type: ignore[assignment] # the same
    values |= {
        "inputs": tuple(values["inputs"]),  # type: ignore[arg-type] # the same
        "scale": JudgeScale(**scale),  # type: ignore[arg-type] # the same
        "examples": tuple(JudgeExample(inputs=one["inputs"], output=one["output"]) for one in examples),
    }
    return JudgeDefinition(**values)  # type: ignore[arg-type] # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeLimits:
    """What one judge may use in a run; None is no limit of its own."""

    concurrency: int | None = None
    max_calls: int | None = None
    max_cost_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSpec:
    """A model that judges, as the suite's `judges` name it.

    Attributes:
        target: endpoint, model and parameters, in the form of a target.
        structured: whether the endpoint is asked for JSON by schema; None where its provider decides.
        same_model: it may be the model under test.
    """

    target: TargetSpec
    limits: JudgeLimits = field(default_factory=JudgeLimits)
    structured: bool | None = None
    same_model: bool = False

    @property
    def name(self) -> str:
        """Return the name that metrics refer to."""
        return self.target.name

    @property
    def label(self) -> str:
        """Return what signatures say: model and parameters, and the endpoint's kind where there is no model."""
        params = content_hash(dict(self.target.params))[:8] if self.target.params else ""
        return "|".join(part for part in (self.target.model or self.target.provider, params) if part)

    def document(self) -> dict[str, JsonValue]:
        """Return the judge as JSON, without credentials (it holds none); `judge_from` reads it again."""
        target, limits = self.target, self.limits
        return {
            "name": target.name,
            "provider": target.provider,
            "model": target.model,
            "options": dict(target.options),
            "params": dict(target.params),
            "limits": {
                "concurrency": limits.concurrency,
                "max_calls": limits.max_calls,
                "max_cost_usd": limits.max_cost_usd,
            },
            "structured": self.structured,
            "same_model": self.same_model,
        }


def judge_from(document: Mapping[str, JsonValue], base_dir: Path) -> JudgeSpec:
    """Return the judge that `JudgeSpec.document` wrote; relative paths in its options start at `base_dir`."""
    values: dict[str, object] = dict(document)
    limits = JudgeLimits(**values.pop("limits"))  # type: ignore[arg-type] # written by `document`
    structured, same_model = values.pop("structured"), values.pop("same_model")
    target = TargetSpec(**values, base_dir=base_dir)  # type: ignore[arg-type] # the same
    return JudgeSpec(target=target, limits=limits, structured=structured, same_model=bool(same_model))  # type: ignore[arg-type] # the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What a metric judges with: one definition, one judge or a jury."""

    definition: JudgeDefinition
    judges: tuple[JudgeSpec, ...]

    def document(self) -> dict[str, JsonValue]:
        """Return it as JSON, as a run keeps it; `judging_from` reads it again."""
        return {"definition": self.definition.document(), "judges": [judge.document() for judge in self.judges]}


def judging_from(document: Mapping[str, JsonValue], base_dir: Path) -> Judging:
    """Return the judging that `Judging.document` wrote."""
    definition: Mapping[str, JsonValue] = document["definition"]  # type: ignore[assignment] # written by `document`
    judges: Sequence[Mapping[str, JsonValue]] = document["judges"]  # type: ignore[assignment] # the same
    return Judging(
        definition=definition_from(definition), judges=tuple(judge_from(judge, base_dir) for judge in judges)
    )
