"""Calls a user's metric function with the arguments that its signature asks for."""

from __future__ import annotations

import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import Response, ScoreOutcome
from retest.metrics.metric_files import did_you_mean
from retest.metrics.python_file import FunctionPlace, failure_in, load_function, parameters_of
from retest.metrics.python_result import Declared, outcome_of

# What a function may ask for by naming a parameter so.
ARGUMENTS: Mapping[str, Callable[[Case, Response], object]] = {
    "output": lambda _, response: response.output,
    "expected": lambda case, _: case.expected,
    "references": lambda case, _: list(case.references),
    "vars": lambda case, _: dict(case.vars),
    "case": lambda case, _: case,
    "response": lambda _, response: response,
    "sample": lambda _, response: response,
    "tool_calls": lambda _, response: list(response.tool_calls),
    "meta": lambda case, _: dict(case.meta),
    "case_id": lambda case, _: case.case_id,
}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_MISSING = object()
_RANGE_LENGTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the suite says about a function; None where it leaves that to the function."""

    range: tuple[float | None, float | None] | None = None
    direction: str | None = None
    binary: bool | None = None
    args: Mapping[str, Any] = field(default_factory=dict)


class UserFunction:
    """A loaded metric function and what it declares."""

    def __init__(self, place: FunctionPlace, settings: Settings) -> None:
        self.place = place
        self._function, module = load_function(place)
        self._args = dict(settings.args)
        self._positional, self._named, self._takes_all = self._asked_for()
        self.declared = _Declarations(place, self._function, module).read(settings)

    def __call__(self, case: Case, response: Response) -> ScoreOutcome | Awaitable[ScoreOutcome]:
        """Return the score, or an awaitable of it; what the function raises is returned as a failure.

        A child that the function forked and that comes back here ends: it is no second retest.
        """
        process = os.getpid()
        try:
            positional = [self._argument(name, case, response) for name in self._positional]
            named = {name: self._argument(name, case, response) for name in self._named}
            result = self._function(*positional, **named)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - the user's code may raise anything, GeneratorExit too
            if os.getpid() != process:
                os._exit(1)
            return failure_in(error, self.place)
        if os.getpid() != process:
            os._exit(0)
        return self._awaited(result) if inspect.isawaitable(result) else outcome_of(result, self.declared)

    async def _awaited(self, result: Awaitable[object]) -> ScoreOutcome:
        try:
            value = await result
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's code may raise anything
            return failure_in(error, self.place)
        return outcome_of(value, self.declared)

    def _argument(self, name: str, case: Case, response: Response) -> object:
        return self._args[name] if name in self._args else ARGUMENTS[name](case, response)

    def _asked_for(self) -> tuple[list[str], list[str], bool]:
        parameters = parameters_of(self.place, self._function)
        positional, named, takes_all = [], [], False
        for name, parameter in parameters.items():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                takes_all = True
            elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
                continue
            elif name not in self._args and name not in ARGUMENTS:
                if parameter.default is inspect.Parameter.empty:
                    raise self._unknown_parameter(name)
            elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
                positional.append(name)
            else:
                named.append(name)
        if takes_all:
            named.extend(name for name in [*ARGUMENTS, *self._args] if name not in parameters and name not in named)
        else:
            self._check_args(parameters)
        return positional, named, takes_all

    def _unknown_parameter(self, name: str) -> Exception:
        return self.place.problem(
            slug="metric-python-signature",
            message=f"{self.place.function} asks for {name!r}; a metric may ask for {', '.join(ARGUMENTS)}",
            line=_line_of(self._function),
            fix=did_you_mean(name, ARGUMENTS)
            or f"name the parameter so, give it a default, or set `args: {{{name}: ...}}`",
        )

    def _check_args(self, parameters: Mapping[str, inspect.Parameter]) -> None:
        unknown = [name for name in self._args if name not in parameters]
        if unknown:
            raise self.place.problem(
                slug="metric-python-signature",
                message=f"`args` names {unknown[0]!r}, which {self.place.function} does not take",
                line=_line_of(self._function),
                fix=did_you_mean(unknown[0], parameters),
            )


class _Declarations:
    """Reads `range`, `direction`, `binary`: the suite's options, else the function's attributes, else the module's."""

    def __init__(self, place: FunctionPlace, function: Callable[..., Any], module: ModuleType) -> None:
        self._place = place
        self._function = function
        self._module = module

    def read(self, settings: Settings) -> Declared:
        low, high = settings.range or self._range()
        if low is not None and high is not None and low >= high:
            raise self._wrong("range", (low, high), "its first number must be below its second")
        return Declared(
            low=low,
            high=high,
            direction=self._direction(settings.direction),
            binary=self._returns_bool() if settings.binary is None else settings.binary,
        )

    def _range(self) -> tuple[float | None, float | None]:
        value = self._find("range")
        if value is _MISSING:
            return 0.0, 1.0
        if not isinstance(value, list | tuple) or len(value) != _RANGE_LENGTH or not all(map(_is_limit, value)):
            raise self._wrong("range", value, "it must be two numbers such as (0, 5); None leaves a side open")
        low, high = value
        return (None if low is None else float(low)), (None if high is None else float(high))

    def _direction(self, setting: str | None) -> Any:
        value = self._find("direction") if setting is None else setting
        if value is _MISSING:
            return "higher"
        if value not in {"higher", "lower"}:
            raise self._wrong("direction", value, "it must be 'higher' or 'lower'")
        return value

    def _returns_bool(self) -> bool:
        value = self._find("binary")
        if value is not _MISSING:
            return bool(value)
        return getattr(self._function, "__annotations__", {}).get("return") in {bool, "bool"}

    def _find(self, name: str) -> Any:
        declared = getattr(self._function, name, _MISSING)
        if declared is not _MISSING:
            return declared
        module = vars(self._module)
        return module.get(name.upper(), module.get(name, _MISSING))

    def _wrong(self, name: str, value: object, wanted: str) -> Exception:
        return self._place.problem(
            slug="metric-python-declaration",
            message=f"{self._place.function} declares {name} = {value!r}; {wanted}",
            line=_line_of(self._function),
        )


def _line_of(function: Callable[..., Any]) -> int | None:
    code = getattr(function, "__code__", None)
    return None if code is None else code.co_firstlineno


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value == value)  # noqa: PLR0124 - NaN is no limit
