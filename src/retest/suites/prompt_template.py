"""Compiled prompts: variables in, chat messages out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, nodes

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.errors import Location, Problem, SuiteError
from retest.suites.prompt_errors import RenderError
from retest.suites.prompt_images import ImageFolder
from retest.suites.prompt_marks import mark_source, split_messages, unmarked
from retest.suites.prompt_sandbox import MAX_OUTPUT_CHARS, Meter, current_meter
from retest.suites.prompt_sources import SourceReader
from retest.suites.prompt_variables import certain_names
from retest.suites.template_problems import render_problem, syntax_problem


class CompiledText:
    """One text with its includes, compiled once; a render takes some microseconds."""

    __slots__ = ("_environment", "_jinja", "_key", "required_variables", "variables")

    def __init__(self, reader: SourceReader, key: str) -> None:
        self._environment = reader.environment
        self._key = key
        self._jinja: JinjaTemplate = _compiled(reader, key)
        self.variables = _variables(reader, key)
        self.required_variables = self.variables & _required(reader, key)

    def render(self, variables: Mapping[str, JsonValue]) -> str:
        """Return the rendered text, marks included.

        Raises:
            SuiteError: an undefined variable, a template error, an unsafe or unbounded operation.
        """
        token = current_meter.set(Meter())
        try:
            return self._generate(variables)
        except Exception as error:  # noqa: BLE001 - a template's expressions may raise anything
            raise SuiteError(render_problem(error, self._environment.sources, variables)) from None
        finally:
            current_meter.reset(token)

    def failure(self, error: RenderError) -> SuiteError:
        """Return an error found after rendering, placed at the file."""
        source = self._environment.sources[self._key]
        where = source.location(1)
        return SuiteError(
            Problem(slug=error.slug, message=error.message, where=where, details=error.details, fix=error.fix)
        )

    def _generate(self, variables: Mapping[str, JsonValue]) -> str:
        pieces = []
        left = MAX_OUTPUT_CHARS
        for piece in self._jinja.root_render_func(self._jinja.new_context(dict(variables))):
            left -= len(piece)
            if left < 0:
                raise RenderError(
                    slug="prompt-too-large",
                    message=f"the prompt renders to more than {MAX_OUTPUT_CHARS:,} characters",
                    fix="put less into the prompt",
                )
            pieces.append(piece)
        return "".join(pieces)


_NO_MESSAGES = RenderError(
    slug="prompt-no-messages",
    message="the prompt renders to no message at all with these variables",
    fix="give it text outside of {% if %}, or check the variables",
)


class TextTemplate:
    """A text with role lines: the `Template` of ``.prompty``, ``.md`` and ``.txt`` files and of inline prompts."""

    __slots__ = ("_compiled", "_has_roles", "_images")

    def __init__(self, reader: SourceReader, key: str, images: ImageFolder) -> None:
        self._compiled = CompiledText(reader, key)
        self._has_roles = any(mark_source(body).has_roles for body in reader.included.values())
        self._images = images

    @property
    def variables(self) -> frozenset[str]:
        """Names that the text and its includes use and do not define."""
        return self._compiled.variables

    @property
    def required_variables(self) -> frozenset[str]:
        """Those that every render looks up without asking whether they are there."""
        return self._compiled.required_variables

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        """Return the messages as sent.

        Raises:
            SuiteError: an undefined variable, a template error, an image that is not there, no message at all.
        """
        text = self._compiled.render(variables)
        try:
            messages = split_messages(text, has_roles=self._has_roles, read_image=self._images.url)
        except RenderError as error:
            raise self._compiled.failure(error) from None
        if not messages:
            raise self._compiled.failure(_NO_MESSAGES)
        return messages


class ArrayTemplate:
    """A chat array whose strings are templates: the `Template` of ``.json`` and ``.yaml`` prompts.

    `tree` is the array as in the file, with a `CompiledText` in the place of each string that holds Jinja, and with
    the `CompiledText` of an expression in the place of each ``{messages: name}`` item's name.
    """

    __slots__ = ("_images", "_texts", "_tree", "_where")

    def __init__(self, tree: Sequence[Mapping[str, Any]], *, images: ImageFolder, where: Location) -> None:
        self._tree = tree
        self._images = images
        self._where = where
        self._texts = list(_compiled_texts(tree))

    @property
    def variables(self) -> frozenset[str]:
        """Names that the strings use and do not define."""
        return frozenset().union(*(text.variables for text in self._texts))

    @property
    def required_variables(self) -> frozenset[str]:
        """Those that every render looks up without asking whether they are there."""
        return frozenset().union(*(text.required_variables for text in self._texts))

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        """Return the messages as sent.

        Raises:
            SuiteError: an undefined variable, a template error, an image that is not there.
        """
        messages: list[Message] = []
        try:
            for item in self._tree:
                messages.extend(self._item(item, variables))
        except RenderError as error:
            problem = Problem(
                slug=error.slug, message=error.message, where=self._where, details=error.details, fix=error.fix
            )
            raise SuiteError(problem) from None
        return messages

    def _item(self, item: Mapping[str, Any], variables: Mapping[str, JsonValue]) -> list[Message]:
        if "messages" in item:
            return list(json.loads(unmarked(item["messages"].render(variables))))
        return [{key: self._filled(value, variables) for key, value in item.items()}]

    def _filled(self, value: Any, variables: Mapping[str, JsonValue]) -> Any:
        if isinstance(value, CompiledText):
            return unmarked(value.render(variables))
        if isinstance(value, list):
            return [self._filled(item, variables) for item in value]
        if isinstance(value, dict):
            filled = {key: self._filled(item, variables) for key, item in value.items()}
            return self._with_image(filled)
        return value

    def _with_image(self, part: dict[str, Any]) -> dict[str, Any]:
        image = part.get("image_url")
        if part.get("type") != "image_url" or not isinstance(image, dict) or not isinstance(image.get("url"), str):
            return part
        return {**part, "image_url": {**image, "url": self._images.url(image["url"])}}


def _variables(reader: SourceReader, key: str) -> frozenset[str]:
    tree = reader.tree(key)
    assigned = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    names = reader.used_variables(key)
    for included in reader.children(key):
        names |= _variables(reader, included) - assigned
    return names


def _required(reader: SourceReader, key: str) -> frozenset[str]:
    tree = reader.tree(key)
    if tree.find(nodes.Extends) is not None:
        return frozenset()  # what a child leaves of its parent's blocks is not followed

    def included(node: nodes.Include) -> frozenset[str]:
        keys = reader.included_by(key, node)
        return _required(reader, keys[0]) if len(keys) == 1 else frozenset()

    return frozenset(certain_names(tree, included))


def _compiled_texts(value: Any) -> Iterator[CompiledText]:
    if isinstance(value, CompiledText):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _compiled_texts(item)


def _compiled(reader: SourceReader, key: str) -> JinjaTemplate:
    """Return the compiled text.

    Raises:
        SuiteError: Python does not take that many blocks within each other.
    """
    try:
        template = reader.environment.get_template(key)
    except (SyntaxError, RecursionError, MemoryError):
        too_deep = TemplateSyntaxError("expressions or blocks are nested too deeply", 1)
        raise SuiteError(syntax_problem(too_deep, reader.environment.sources[key])) from None
    # Jinja gives each template a chain of mappings and copies it twice a render, which took half of the render.
    template.globals = dict(template.globals)
    return template
