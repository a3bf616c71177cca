"""Tool calls: the right tools with the right arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome
from retest.errors import SuiteError
from retest.metrics.assignment import best_pairs
from retest.metrics.base import Metric, MetricContext, MetricOptions, no_expected
from retest.metrics.call_forms import ToolCall, expected_calls, listed_calls, made_call
from retest.metrics.json_text import JsonOptions, JsonReader, NotJsonError
from retest.metrics.references import BadExpectedError, clipped
from retest.metrics.schemas import compile_schema
from retest.metrics.tool_definitions import ToolSet

Difference: TypeAlias = "Callable[[ToolCall], str | None]"

_SHOWN = 60


class ToolCallsOptions(MetricOptions):
    """Options of tool_calls."""

    mode: Literal["exact", "subset", "names", "schema"] = Field(
        "exact",
        description="How arguments compare: equal (`exact`); the expected ones are among the call's (`subset`); "
        "not at all (`names`); the expected ones are a JSON Schema for the call's (`schema`)",
    )
    ordered: bool = Field(default=False, description="The calls must come in the expected order")
    extra_calls: Literal["refuse", "allow"] | None = Field(
        None, description="Whether further calls are wrong; omitted: allowed with `subset`, else refused"
    )
    calls: tuple[dict[str, Any], ...] | None = Field(
        None, description="The expected calls, for all cases, each with `name` and `arguments`; omitted: `expected`"
    )
    tools: str | tuple[dict[str, Any], ...] | None = Field(
        None,
        description="Tool definitions (a JSON file or the list): each call must name one, with arguments that its "
        "parameter schema allows. With `mode: schema` this alone is checked, and `expected` is not needed",
    )
    ignore: tuple[str, ...] = Field((), description="Tools whose calls do not count, such as look-ups")
    ignore_arguments: tuple[str, ...] = Field((), description="Arguments that are not compared")
    from_output: bool = Field(
        default=False, description="Where the response has no tool calls, read them as JSON from its text"
    )
    partial: bool = Field(
        default=False, description="The value is the F1 of the calls (their recall where more are allowed), not 0 or 1"
    )


class ToolCalls(Metric[ToolCallsOptions]):
    """1 where the calls made are the expected ones."""

    Options: ClassVar[type[ToolCallsOptions]] = ToolCallsOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="tool_calls",
        summary="The response calls the expected tools with the expected arguments",
        options=lambda: ToolCallsOptions,
        needs_expected=True,
        instead_of_expected=("calls", "tools"),
        binary=True,
        group="Structured output",
    )

    def __init__(self, options: ToolCallsOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self.binary = not options.partial
        self._extra_allowed = (options.extra_calls or ("allow" if options.mode == "subset" else "refuse")) == "allow"
        self._reader = JsonReader(JsonOptions(strict=False))
        self._tools = (
            None
            if options.tools is None
            else ToolSet.load(options.tools, metric=context.name, base_dir=context.base_dir, within=context.within)
        )
        self._calls: JsonValue = None if options.calls is None else list(options.calls)
        self._only_tools = self._tools is not None and options.mode == "schema" and options.calls is None
        self._last: tuple[object, list[_Wanted]] | None = None

    def score(self, case: Case, response: Response) -> ScoreOutcome:
        """Return whether the calls are the expected ones; the reason names the first that is not."""
        expected = case.expected if self._calls is None else self._calls
        if expected is None and not self._only_tools:
            return no_expected()
        made = [call for call in self._made(response) if call.name not in self.options.ignore]
        problem = self._tool_problem(made)
        if self._only_tools:
            return Score(value=0.0 if problem else 1.0, reason=problem, details={"made": len(made)})
        try:
            wanted = self._wanted(expected)
        except BadExpectedError as error:
            return MetricFailure(kind="bad_expected", message=str(error))
        except SuiteError as error:
            return MetricFailure(kind="bad_expected", message=error.problems[0].message)
        return self._compare(wanted, made, problem)

    def signature_parts(self) -> tuple[str, ...]:
        """Return the hash of the tool definitions."""
        return () if self._tools is None else (f"tools_hash:{self._tools.content_hash}",)

    def _made(self, response: Response) -> list[ToolCall]:
        calls: Sequence[JsonValue] = response.tool_calls
        if not calls and self.options.from_output:
            try:
                calls = listed_calls(self._reader.read(response.output)) or ()
            except NotJsonError:
                calls = ()
        return [made_call(call) for call in calls]

    def _tool_problem(self, made: list[ToolCall]) -> str | None:
        if self._tools is None:
            return None
        return next((problem for call in made if (problem := self._tools.problem_with(call))), None)

    def _wanted(self, expected: JsonValue) -> list[_Wanted]:
        """Return the expected calls, prepared once for a case's repeated samples."""
        if self._last is not None and self._last[0] is expected:
            return self._last[1]
        calls = [call for call in expected_calls(expected) if call.name not in self.options.ignore]
        wanted = [_Wanted(call, self._difference(call)) for call in calls]
        self._last = (expected, wanted)
        return wanted

    def _difference(self, expected: ToolCall) -> Difference:
        mode, ignored = self.options.mode, frozenset(self.options.ignore_arguments)
        if mode == "names":
            return lambda _: None
        if expected.arguments is None and mode != "exact":
            return lambda made: made.problem
        if mode == "schema":
            schema = compile_schema(
                expected.arguments or {},
                metric=self.context.name,
                base_dir=self.context.base_dir,
                within=self.context.within,
            )
            return lambda made: made.problem or schema.first_error(_without(made.arguments, ignored))
        wanted = _without(expected.arguments, ignored)
        return lambda made: made.problem or _different(wanted, _without(made.arguments, ignored), whole=mode == "exact")

    def _compare(self, wanted: list[_Wanted], made: list[ToolCall], problem: str | None) -> Score:
        fits = [[one.fits(call) for call in made] for one in wanted]
        pairs = _in_order(fits) if self.options.ordered else _in_any_order(fits)
        missing = [one for index, one in enumerate(wanted) if index not in {row for row, _ in pairs}]
        extra = [call for index, call in enumerate(made) if index not in {column for _, column in pairs}]
        surplus = [] if self._extra_allowed else extra
        details = {"expected": len(wanted), "made": len(made), "matched": len(pairs)}
        if problem is None and not missing and not surplus:
            return Score(value=1.0, details=details)
        if missing:
            problem = problem or self._why_missing(missing[0], extra, made)
        problem = problem or f"not expected: {_shown(surplus[0])}"
        value = 2 * len(pairs) / (len(wanted) + len(pairs) + len(surplus)) if self.options.partial and pairs else 0.0
        return Score(value=value, reason=problem, details=details)

    def _why_missing(self, wanted: _Wanted, extra: list[ToolCall], made: list[ToolCall]) -> str:
        if not made:
            return f"missing: {_shown(wanted.call)}; the response calls no tool"
        near = next((call for call in extra if call.name == wanted.call.name), None)
        if near is None:
            return f"missing: {_shown(wanted.call)}"
        why = wanted.why_not(near)
        return (why if near.problem else f"{near.name}: {why}") if why else f"{near.name} is called in another order"


class _Wanted:
    """An expected call and what a call of the same name does differently."""

    __slots__ = ("_difference", "call")

    def __init__(self, call: ToolCall, difference: Difference) -> None:
        self.call = call
        self._difference = difference

    def fits(self, made: ToolCall) -> bool:
        return made.name == self.call.name and self.why_not(made) is None

    def why_not(self, made: ToolCall) -> str | None:
        return self._difference(made)


def _without(arguments: Mapping[str, JsonValue] | None, ignored: frozenset[str]) -> dict[str, JsonValue]:
    return {key: value for key, value in (arguments or {}).items() if key not in ignored}


def _different(expected: dict[str, JsonValue], made: dict[str, JsonValue], *, whole: bool) -> str | None:
    for key, value in expected.items():
        if key not in made:
            return f"argument {key!r} is missing"
        if not same_json(value, made[key]):
            return f"argument {key!r}: expected {clipped(value, _SHOWN)}, got {clipped(made[key], _SHOWN)}"
    further = [key for key in made if key not in expected] if whole else []
    return f"argument {further[0]!r} is not expected" if further else None


def same_json(one: JsonValue, other: JsonValue) -> bool:
    """Return whether two values are the same JSON: 5 is 5.0, but true is not 1; lists in order."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _in_any_order(fits: list[list[bool]]) -> list[tuple[int, int]]:
    return [(row, column) for row, column in best_pairs(fits) if fits[row][column]]


def _in_order(fits: list[list[bool]]) -> list[tuple[int, int]]:
    """Return the longest sequence of pairs in which both sides keep their order."""
    rows, columns = len(fits), len(fits[0]) if fits else 0
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            longest[row][column] = max(
                longest[row + 1][column],
                longest[row][column + 1],
                longest[row + 1][column + 1] + 1 if fits[row][column] else 0,
            )
    return _walk(fits, longest)


def _walk(fits: list[list[bool]], longest: list[list[int]]) -> list[tuple[int, int]]:
    pairs, row, column = [], 0, 0
    while longest[row][column]:
        if fits[row][column] and longest[row][column] == longest[row + 1][column + 1] + 1:
            pairs.append((row, column))
            row, column = row + 1, column + 1
        elif longest[row][column] == longest[row][column + 1]:
            column += 1
        else:
            row += 1
    return pairs


def _shown(call: ToolCall) -> str:
    return f"{call.name}({clipped(call.arguments or {}, _SHOWN)})"


METRICS: tuple[type[Metric[Any]], ...] = (ToolCalls,)
