"""Prompts: one versioned file each, with a template and its model parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from retest.domain.json_value import JsonValue

Message: TypeAlias = "dict[str, JsonValue]"  # the wire form: role, content, and what else the endpoint takes


class Template(Protocol):
    """Turns variables into chat messages."""

    @property
    def variables(self) -> frozenset[str]:
        """Names that the template uses and does not define itself."""
        ...

    @property
    def required_variables(self) -> frozenset[str]:
        """Those of `variables` whose absence is certain to be an error (not under ``is defined`` or ``default``)."""
        ...

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        """Return the messages as sent.

        Raises:
            SuiteError: an undefined variable, a template error, an unsafe operation.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt at one version.

    Attributes:
        name: the file's stem unless the suite names it.
        path: as the user would type it; None for an inline prompt.
        source: the file's whole text (front matter included), or the inline text.
        content_hash: hash of `source` (without its labels) and of every included file.
        params: model parameters from the front matter; the suite's target overrides them.
        labels: such as production or experiment.
    """

    name: str
    path: str | None
    source: str
    content_hash: str
    template: Template
    model: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    description: str = ""
    labels: tuple[str, ...] = ()

    def render(self, **variables: JsonValue) -> list[Message]:
        """Return the messages exactly as a run would send them, for use in production code.

        Raises:
            SuiteError: an undefined variable or a template error.
        """
        return self.template.render(variables)
