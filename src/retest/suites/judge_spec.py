"""The form of a judge definition file: one model per mapping, each key with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from retest.suites.spec_base import ONE_OR_MORE, Name, Number, SpecModel


def _as_text(value: Any) -> Any:
    """Return a whole number as text: `version: 2` is as good as `version: "2"`."""
    return str(value) if type(value) is int else value


Version = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
Text = Annotated[str, Field(min_length=1)]
Shown = Annotated[str, BeforeValidator(_as_text)]


class ScaleEntry(SpecModel):
    """What a verdict may be, and what it is worth."""

    form: Literal["grade", "choice", "rubric", "claims"] = Field(
        description="grade: a whole number; choice: one of several; rubric: criteria, each met or not; "
        "claims: the answer's claims, each supported or not"
    )
    low: int | None = Field(default=None, description="of a grade: the lowest; by default 1")
    high: int | None = Field(default=None, description="of a grade: the highest; by default 5")
    choices: dict[str, Number] = Field(default_factory=dict, description="of a choice: name to value")
    meanings: dict[str, Text] = Field(
        default_factory=dict, description="grade or choice to what it means, in words for the judge"
    )
    criteria: list[Text] = Field(
        default_factory=list, description="of a rubric: what is asked; a metric's own `criteria` stand in their place"
    )
    better: Literal["higher", "lower"] = Field(default="higher", description="which values are better")

    @model_validator(mode="after")
    def _fits_form(self) -> ScaleEntry:
        own = {"grade": {"low", "high", "meanings"}, "choice": {"choices", "meanings"}, "rubric": {"criteria"}}
        given = {
            key for key in ("low", "high", "choices", "meanings", "criteria") if getattr(self, key) not in _NOTHING
        }
        foreign = sorted(given - own.get(self.form, set()))
        if foreign:
            raise ValueError(f"a scale of the form {self.form} has no {', '.join(foreign)}")
        if self.form == "choice" and len(self.choices) < 2:  # noqa: PLR2004 - one choice is none
            raise ValueError("a scale of the form choice needs at least two `choices`")
        if self.form == "grade" and self.lowest >= self.highest:
            raise ValueError(f"the lowest grade {self.lowest} is not below the highest {self.highest}")
        unknown = sorted(set(self.meanings) - self.known)
        if unknown:
            raise ValueError(f"meanings of what is not on the scale: {', '.join(unknown)}")
        return self

    @property
    def lowest(self) -> int:
        """Return the lowest grade."""
        return 1 if self.low is None else self.low

    @property
    def highest(self) -> int:
        """Return the highest grade."""
        return 5 if self.high is None else self.high

    @property
    def known(self) -> set[str]:
        """Return the names of everything that can be chosen."""
        if self.form == "grade":
            return {str(grade) for grade in range(self.lowest, self.highest + 1)}
        return set(self.choices)


_OWN_TO_A_FORM = ("low", "high", "choices", "meanings", "criteria")
_NOTHING: tuple[Any, ...] = (None, {}, [])


class ExampleEntry(SpecModel):
    """One judgment to learn from."""

    inputs: dict[str, Shown] = Field(description="what was shown, by the names under `inputs`")
    output: dict[str, Any] = Field(description="what the judge should say: the justification and the verdict")


class DefinitionSpec(SpecModel):
    """A judge definition: what a model is asked about an answer."""

    name: Name = Field(description="name of the definition")
    version: Version = Field(description="changed whenever the meaning of the scores changes")
    language: Literal["en", "ja"] = Field(default="en", description="language of the words around the instructions")
    description: str = Field(default="", description="one line for people")
    instructions: Text = Field(description="what to judge, and how")
    inputs: Annotated[list[Name], ONE_OR_MORE] = Field(
        default_factory=lambda: ["question", "answer"],
        min_length=1,
        description="what the judge is shown, in this order: `answer` is the answer under judgment, `expected` the "
        "case's reference answer, any other name a field of the case",
    )
    scale: ScaleEntry = Field(description="what a verdict may be")
    examples: list[ExampleEntry] = Field(default_factory=list, description="judgments to learn from")
    output: dict[str, Any] | None = Field(
        default=None, description="JSON Schema of the judge's answer; by default made from the scale"
    )

    @model_validator(mode="after")
    def _distinct(self) -> DefinitionSpec:
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError("`inputs` names something twice")
        return self


def definition_keys() -> Mapping[str, str]:
    """Return key -> meaning, for the documentation."""
    return {name: info.description or "" for name, info in DefinitionSpec.model_fields.items()}
