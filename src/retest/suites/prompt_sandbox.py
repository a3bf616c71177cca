"""The Jinja environment of prompts: sandboxed, strict, bounded, and the same on every machine.

Templates and rows may come from a stranger's pull request. Jinja's sandbox keeps them from reaching Python; the limits
here keep them from running for hours or filling the memory.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn

from jinja2 import BaseLoader, StrictUndefined, Undefined, UndefinedError, nodes, pass_eval_context
from jinja2.filters import sync_do_join as do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from retest.suites.prompt_conversation import conversation_json
from retest.suites.prompt_errors import RenderError
from retest.suites.prompt_marks import CONVERSATION_FILTER, keep_blanks

MAX_OUTPUT_CHARS = 10_000_000
MAX_STEPS = 1_000_000  # loop passes, calls and range items of one render: a fixed number, unlike a time, fails the same
_STEPS_PER_CALL = 10  # about what a macro costs beside a loop pass
_CHARS_PER_VALUE = 5  # of a number, a bracket pair: about what it adds to a text
_MAX_WIDTH = 10_000
_MAX_INTEGER_BITS = 100_000
_WIDE_PERCENT = re.compile(r"%[-+ #.]*\d{5,}|%[-+ #.0-9]*\*")
_WIDE_BRACES = re.compile(r"\{[^{}]*(?:\d{5,}|\{)")

_LOOP_FILTER = "__steps__"
_SIZE_FILTER = "__sized__"
_NONDETERMINISTIC_FILTERS = ("random",)
_NONDETERMINISTIC_GLOBALS = ("lipsum",)
_WIDTH_FILTERS = ("center", "indent", "batch", "slice", "format", "replace", "wordwrap", "truncate")


class Meter:
    """Counts the steps of one render."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Take `steps`; raise RenderError once the render used more than MAX_STEPS."""
        self.left -= steps
        if self.left < 0:
            raise RenderError(
                slug="prompt-too-much-work",
                message=f"the template takes more than {MAX_STEPS:,} steps (loop passes and calls)",
                fix="loop over less",
            )


current_meter: ContextVar[Meter] = ContextVar("current_meter")


class MissingVariableError(UndefinedError):
    """A name or attribute that does not exist; `owner` is the object asked, None for a variable."""

    def __init__(self, message: str, *, name: str, owner: object) -> None:
        super().__init__(message)
        self.name = name
        self.owner = owner


class StrictVariable(StrictUndefined):
    """Jinja's strict undefined value; its error knows the name."""

    __slots__ = ()

    def __init__(self, hint: str | None = None, obj: Any = None, name: str | None = None, exc: Any = None) -> None:
        if hint is None and exc is None and name is not None:
            exc = functools.partial(MissingVariableError, name=str(name), owner=obj)
        arguments = {"hint": hint, "name": name, **({} if obj is None else {"obj": obj})}
        super().__init__(**arguments, **({} if exc is None else {"exc": exc}))


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Compiles prompts. Text of our own only through `loader`, whose files were read and checked before."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, loader: BaseLoader) -> None:
        super().__init__(
            loader=loader,
            undefined=StrictVariable,
            finalize=finalize,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            keep_trailing_newline=True,
            cache_size=-1,
        )
        for name in _NONDETERMINISTIC_FILTERS:
            del self.filters[name]
        for name in _NONDETERMINISTIC_GLOBALS:
            del self.globals[name]
        for name in _WIDTH_FILTERS:
            self.filters[name] = _bounded(self.filters[name])
        self.filters["tojson"] = to_json
        self.filters["join"] = _join
        self.filters[CONVERSATION_FILTER] = conversation_json
        self.filters[_LOOP_FILTER] = _counted
        self.filters[_SIZE_FILTER] = _sized
        self.globals["range"] = _counted_range

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(own_line_tags(source), name, filename)
        _meter_loops(template)
        return template

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Prefer a row's own key to a method of dict: ``{{ order.items }}`` is the field."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call from a template: counted, and refused where the arguments ask for a huge text."""
        _meter().spend(_STEPS_PER_CALL)
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            _refuse_huge(getattr(obj, "__name__", ""), (owner, *args))
        return _sized(super().call(context, obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Sandbox ``str.format``, and refuse a format that names a huge or a computed width."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None and _WIDE_BRACES.search(value.__self__):
            _raise_too_large()
        return wrapped

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute, unless the result would be huge."""
        _refuse_huge_operation(operator, left, right)
        return _sized(super().call_binop(context, operator, left, right))


def finalize(value: Any) -> Any:
    """Return how a value is written into a prompt: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return keep_blanks(_sized(value))
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float | Undefined):
        return value
    return keep_blanks(to_json(value))


def to_json(value: Any, indent: int | None = None) -> str:
    """Return the value as JSON, non-ASCII kept; a lazy sequence (``map``, ``select``) is a list."""
    if indent is not None and indent > _MAX_WIDTH:
        _raise_too_large()
    _weigh(value, MAX_OUTPUT_CHARS)
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _weigh(value: Any, left: int) -> int:
    """Return what is left of a number of characters; a list may hold one large value a thousand times.

    Raises:
        RenderError: nothing is left.
    """
    left -= len(value) + 1 if isinstance(value, str) else _CHARS_PER_VALUE
    if left < 0:
        _raise_too_large()
    if isinstance(value, Mapping):
        for item in value.values():
            left = _weigh(item, left)
    elif isinstance(value, list | tuple):
        for item in value:
            left = _weigh(item, left)
    return left


def _weighed(items: Iterable[Any]) -> Iterator[Any]:
    left = MAX_OUTPUT_CHARS
    for item in items:
        left = _weigh(item, left)
        yield item


@pass_eval_context
def _join(context: EvalContext, items: Iterable[Any], separator: str = "", attribute: Any = None) -> str:
    """Join as Jinja does, as long as the result is not huge."""
    joined: str = do_join(context, items if isinstance(items, Undefined) else _weighed(items), separator, attribute)
    return joined


def _plain(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises, with the name
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not callable(value):
        return list(value)
    raise RenderError(
        slug="prompt-value",
        message=f"a {type(value).__name__} cannot be written into a prompt",
        fix="write text, a number, a list or an object; call a method with ()",
    )


def own_line_tags(source: str) -> str:
    """Keep the line break after a tag that shares its line with text.

    Jinja's trim_blocks joins ``Hi {% if a %}there{% endif %}`` to the next line; only a tag alone on its line should
    leave no line behind. A ``+`` before the tag's end says so to Jinja.
    """
    if "raw" in source and re.search(r"\{%[-+]?\s*raw\b", source):
        return source
    return _TAG_AT_LINE_END.sub(_keep_line_break, source)


_TAG_AT_LINE_END = re.compile(r"^(?P<before>.*)(?<![-+])(?P<end>%\}|#\})$", re.MULTILINE)
_TAGS_ONLY = re.compile(r"[ \t]*(?:\{%[^\n]*?%\}[ \t]*|\{#[^\n]*?#\}[ \t]*)+\Z")


def _keep_line_break(match: re.Match[str]) -> str:
    opening = "{%" if match["end"] == "%}" else "{#"
    if opening not in match["before"] or _TAGS_ONLY.match(match[0]):
        return match[0]
    return f"{match['before']}+{match['end']}"


def _meter_loops(template: nodes.Template) -> None:
    for loop in template.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _LOOP_FILTER, [], [], None, None, lineno=loop.lineno)
    for concat in list(template.find_all(nodes.Concat)):
        # `~` is no interceptable operator; its parts are sized one by one.
        concat.nodes = [
            nodes.Filter(part, _SIZE_FILTER, [], [], None, None, lineno=part.lineno) for part in concat.nodes
        ]


def _meter() -> Meter:
    meter = current_meter.get(None)
    return Meter() if meter is None else meter


def _counted(items: Iterable[Any]) -> Iterable[Any]:
    if isinstance(items, Undefined):
        return items  # Jinja's own loop raises the error that names it
    return _steps(items, _meter())


def _steps(items: Iterable[Any], meter: Meter) -> Iterator[Any]:
    for item in items:
        meter.spend(1)
        yield item


def _counted_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > MAX_STEPS:
        _meter().spend(MAX_STEPS + 1)
    _meter().spend(len(numbers))
    return numbers


def _sized(value: Any) -> Any:
    if isinstance(value, str | list | tuple) and len(value) > MAX_OUTPUT_CHARS:
        _raise_too_large()
    return value


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a filter that could blow up its input (width, count, replacement)."""

    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        _refuse_huge(function.__name__.removeprefix("do_").removeprefix("sync_do_"), (*args, *kwargs.values()))
        return _sized(function(*args, **kwargs))

    return bounded


def _refuse_huge(name: str, args: tuple[Any, ...]) -> None:
    texts = [arg for arg in args if isinstance(arg, str)]
    if any(isinstance(arg, int) and arg > _MAX_WIDTH for arg in args) and name not in {"replace", "truncate", "format"}:
        _raise_too_large()
    if name == "format" and texts and _WIDE_PERCENT.search(texts[0]):
        _raise_too_large()
    if name == "replace" and len(texts) == len(("text", "old", "new")):
        text, old, new = texts
        if (text.count(old) if old else len(text) + 1) * len(new) > MAX_OUTPUT_CHARS:
            _raise_too_large()


def _refuse_huge_operation(operator: str, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        bits = abs(left).bit_length() * (abs(right) if operator == "**" else 1) + abs(right).bit_length()
        if operator in {"*", "**"} and bits > _MAX_INTEGER_BITS:
            _raise_too_large()
    elif operator == "*":
        count, items = (left, right) if isinstance(left, int) else (right, left)
        if isinstance(count, int) and isinstance(items, str | list | tuple) and len(items) * count > MAX_OUTPUT_CHARS:
            _raise_too_large()
    elif operator == "%" and isinstance(left, str) and _WIDE_PERCENT.search(left):
        _raise_too_large()


def _raise_too_large() -> NoReturn:
    raise RenderError(
        slug="prompt-too-large",
        message=f"the template builds a text of more than {MAX_OUTPUT_CHARS:,} characters, or asks for a huge width",
        fix="put less into the prompt",
    )
