"""The YAML block at the top of a prompt file: found, cut off, checked key by key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem
from retest.suites.prompt_params import KNOWN_PARAMS, param_problems
from retest.suites.suggestions import closest, listing

KEYS = (
    "name", "description", "model", "params", "parameters", "labels", "sample", "inputs", "outputs",
    "authors", "tags", "version", "template", "base", "file",
)  # fmt: skip
_MODEL_KEYS = (
    "api",
    "configuration",
    "parameters",
    "params",
    "response",
    "id",
    "name",
    "options",
    "provider",
    "apiType",
    "connection",
)
_MODEL_NAMES = ("model", "azure_deployment", "deployment", "name", "id")

_FENCE = re.compile(r"---[ \t]*\n")
_CLOSING = re.compile(r"^---[ \t]*(?:\n|\Z)", re.MULTILINE)


Place = Callable[[tuple[str | int, ...]], Location]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileParts:
    """A prompt file cut in two; line numbers count from 1.

    Attributes:
        header: the YAML text, None where the file has no front matter.
        closed: whether the front matter has its closing ``---``.
    """

    header: str | None
    header_line: int
    body: str
    body_line: int
    closed: bool = True


def split_front_matter(text: str) -> FileParts:
    """Cut front matter off; it starts on the file's first line with ``---`` and ends at the next such line."""
    opening = _FENCE.match(text)
    if opening is None:
        return FileParts(header=None, header_line=1, body=text, body_line=1)
    closing = _CLOSING.search(text, opening.end())
    if closing is None:
        return FileParts(header=None, header_line=1, body=text, body_line=1, closed=False)
    body_line = text.count("\n", 0, closing.end()) + 1
    return FileParts(
        header=text[opening.end() : closing.start()], header_line=2, body=text[closing.end() :], body_line=body_line
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptHeader:
    """What front matter says about a prompt."""

    name: str | None = None
    description: str = ""
    model: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    labels: tuple[str, ...] = ()


class HeaderReader:
    """Checks a front matter mapping; collects every problem. `place` gives the location of a path of keys."""

    def __init__(self, values: Mapping[str, Any], place: Place) -> None:
        self._values = values
        self._place = place
        self.problems: list[Problem] = []

    def read(self) -> PromptHeader:
        """Return the header; what is wrong is in `problems`."""
        self._check_keys()
        self._check_template()
        model, model_params = self._model()
        params = {**model_params, **self._top_level_params(), **self._mapping("parameters"), **self._mapping("params")}
        return PromptHeader(
            name=self._name(),
            description=self._text("description") or "",
            model=model,
            params=params,
            labels=self._labels(),
        )

    def _add(
        self, path: tuple[str, ...], message: str, *, slug: str, fix: str | None = None, known: tuple[str, ...] = ()
    ) -> None:
        details = (f"known keys: {listing(known)}",) if known else ()
        self.problems.append(Problem(slug=slug, message=message, where=self._place(path), details=details, fix=fix))

    def _check_known(self, path: tuple[str, ...], known: tuple[str, ...]) -> None:
        place = "under model" if len(path) > 1 else "in front matter"
        match = closest(path[-1], known if len(path) > 1 else (*known, *KNOWN_PARAMS))
        fix = f"did you mean '{match}'?" if match else "model parameters go under `params:`"
        if path[-1] in KNOWN_PARAMS:
            fix = f"put '{path[-1]}' under `params:`"
        if path[-1] not in known and not (len(path) == 1 and path[-1] in KNOWN_PARAMS):
            self._add(path, f"unknown key '{path[-1]}' {place}", slug="prompt-unknown-key", fix=fix, known=known)

    def _check_keys(self) -> None:
        for key in self._values:
            self._check_known((key,), KEYS)

    def _top_level_params(self) -> dict[str, JsonValue]:
        """Return the parameters that stand beside `model`, as in `temperature: 0.2`: only well-known names."""
        params = {name: value for name, value in self._values.items() if name in KNOWN_PARAMS and name not in KEYS}
        self.problems.extend(param_problems(params, lambda key: self._place((key,))))
        return params

    def _check_template(self) -> None:
        template = self._values.get("template")
        kind = template.get("format", template.get("type")) if isinstance(template, Mapping) else template
        if isinstance(kind, Mapping):
            kind = kind.get("kind")
        if kind is not None and str(kind).lower() not in {"jinja2", "jinja"}:
            fix = "write the prompt in Jinja"
            self._add(
                ("template",), f"templates of kind '{kind}' are not supported", slug="prompt-template-kind", fix=fix
            )

    def _model(self) -> tuple[str | None, Mapping[str, JsonValue]]:
        model = self._values.get("model")
        if model is None or isinstance(model, str):
            return (model.strip() or None) if model else None, {}
        if not isinstance(model, Mapping):
            message = "`model` must be a name, or a mapping as in .prompty"
            self._add(("model",), message, slug="prompt-front-matter")
            return None, {}
        for key in model:
            self._check_known(("model", key), _MODEL_KEYS)
        params: dict[str, JsonValue] = {}
        for key in ("options", "parameters", "params"):
            params |= self._mapping("model", key)
        return self._model_name(model), params

    def _model_name(self, model: Mapping[str, Any]) -> str | None:
        configuration = model.get("configuration")
        places = [configuration, model] if isinstance(configuration, Mapping) else [model]
        names = (place.get(key) for place in places for key in _MODEL_NAMES)
        return next((name for name in names if isinstance(name, str) and name and "${" not in name), None)

    def _mapping(self, *path: str) -> Mapping[str, JsonValue]:
        value: Any = self._values
        for key in path:
            value = value.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            message = f"`{'.'.join(path)}` must be a mapping of parameters to values"
            self._add(path, message, slug="prompt-front-matter")
            return {}
        self.problems.extend(param_problems(value, lambda key: self._place((*path, key))))
        return value

    def _text(self, key: str) -> str | None:
        value = self._values.get(key)
        if value is None or isinstance(value, str):
            return value
        fix = f'write {key}: "{value}"'
        self._add((key,), f"`{key}` must be text, not {value!r:.60}", slug="prompt-front-matter", fix=fix)
        return None

    def _name(self) -> str | None:
        name = self._text("name")
        if name is None:
            return None
        if not name.strip() or "/" in name or not name.isprintable():
            fix = "use a short name without '/' and line breaks"
            self._add(("name",), f"{name!r:.60} cannot name a prompt", slug="prompt-name", fix=fix)
            return None
        return name.strip()

    def _labels(self) -> tuple[str, ...]:
        labels = self._values.get("labels")
        listed = [labels] if isinstance(labels, str) else labels
        if listed is None:
            return ()
        if not isinstance(listed, list) or not all(isinstance(label, str) and label for label in listed):
            fix = "write labels: [production]"
            self._add(("labels",), "`labels` must be a list of names", slug="prompt-front-matter", fix=fix)
            return ()
        return tuple(listed)
