"""The `python` provider: a function of the user's own, sync or async, or a LangChain Runnable."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retest.domain.catalog import ProviderInfo
from retest.domain.code_files import code_hash
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallOutcome, Response
from retest.domain.suite import TargetSpec
from retest.errors import Problem, UsageError
from retest.targets.answers import prompt_text, read_answer, target_error
from retest.targets.base import Request
from retest.targets.prices import PriceTable
from retest.targets.registry import Provider, TargetContext
from retest.targets.user_code import describe_exception, load_object

Input = Literal["auto", "prompt", "messages", "vars"]
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class PythonOptions(BaseModel):
    """Options of the `python` provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(description="file.py:function, relative to the file that names it")
    input: Input = Field(
        default="auto",
        description="what to pass: auto goes by the parameters' names; else the one argument is the prompt's text, "
        "the messages, or the case's variables",
    )
    timeout_s: float = Field(default=120.0, gt=0, description="limit for one call, seconds")
    version: str | None = Field(default=None, description="change it when something outside the file has changed")


class PythonTarget:
    """Calls the function; what it returns is the answer, what it raises is a `target_error`."""

    def __init__(self, function: Callable[..., Any], path: Path, options: PythonOptions, prices: PriceTable) -> None:
        self._function = function
        self._path = path
        self._options = options
        self._prices = prices
        self._parameters = _parameters(function)
        source = code_hash(path)[:32]
        self._identity: dict[str, JsonValue] = {
            "provider": "python",
            "function": options.path.rpartition(":")[2],
            "source": source,
            "input": options.input,
            "version": options.version,
        }

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The function's name and the hash of its file (not of what the file imports: see `version`)."""
        return self._identity

    async def call(self, request: Request) -> CallOutcome:
        """Return what the function answers."""
        try:
            async with asyncio.timeout(self._options.timeout_s) as limit:
                value, started = await self._invoke(request)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - the user's code may raise anything
            if isinstance(error, TimeoutError) and limit.expired():
                return target_error(f"{self._path.name} gave no answer within {self._options.timeout_s:g} s")
            retryable = isinstance(error, TimeoutError | ConnectionError)
            return target_error(describe_exception(error, self._path), retryable=retryable)
        outcome = read_answer(value, self._prices)
        if isinstance(outcome, Response) and outcome.latency_ms is None:
            return replace(outcome, latency_ms=(time.perf_counter() - started) * 1000)
        return outcome

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""

    async def _invoke(self, request: Request) -> tuple[Any, float]:
        """Call on the event loop where the function is async, else in a thread; a returned awaitable is awaited.

        Returns the value, and when the function began: what a call waits for a free thread is not its latency.
        """
        args, kwargs = self._arguments(request)
        if _is_async(self._function):
            began = time.perf_counter()
            return await self._function(*args, **kwargs), began
        began, value = await _in_thread(lambda: (time.perf_counter(), self._function(*args, **kwargs)))
        return (await value if inspect.isawaitable(value) else value), began

    def _arguments(self, request: Request) -> tuple[list[Any], dict[str, Any]]:
        known = _known_values(request)
        if self._options.input != "auto":
            return [known[self._options.input]], {}
        if self._parameters is None:  # a builtin or a Runnable: says nothing of its parameters
            return [known["messages"]], {}
        return _match_parameters(self._parameters, known, request.case.vars)


def _known_values(request: Request) -> dict[str, Any]:
    """Return what a parameter may ask for by name; fresh copies, for the function may change them."""
    return {
        "prompt": prompt_text(request.messages),
        "messages": [dict(message) for message in request.messages],
        "vars": dict(request.case.vars),
        "case": request.case,
        "params": dict(request.params),
        "model": request.model,
        "sample_index": request.sample_index,
        "request": request,
    }


def _match_parameters(
    parameters: list[inspect.Parameter], known: Mapping[str, Any], variables: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Fill parameters by name: what is known, then the case's variables; a first one of another name gets the prompt.

    Raises:
        TypeError: a parameter without a default can be filled with nothing.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for position, parameter in enumerate(parameters):
        name = parameter.name
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            kwargs.update({key: value for key, value in variables.items() if key not in kwargs})
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            continue
        elif name in known or name in variables:
            kwargs[name] = known[name] if name in known else variables[name]
        elif position == 0 and parameter.kind in _POSITIONAL:
            args.append(known["prompt"])
        elif parameter.default is inspect.Parameter.empty:
            choices = ", ".join([*known, *variables])
            raise TypeError(f"nothing to pass for parameter '{name}'; available: {choices}")
    return args, kwargs


def _parameters(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    if isinstance(function, _Runnable):
        return None
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - asks about the method


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a daemon thread of its own, so that one that never returns cannot keep the process alive."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def run() -> None:
        value, error = None, None
        try:
            value = function()
        except BaseException as raised:  # noqa: BLE001 - sys.exit in user code must not end the run
            error = _carried(raised)
        try:
            loop.call_soon_threadsafe(settle, value, error)
        except RuntimeError:
            return  # the loop has ended: nobody waits for the answer any more

    threading.Thread(target=run, daemon=True, name="retest-python-target").start()
    return await done


def _carried(error: BaseException) -> Exception:
    """Return an exception that a future can carry: it takes no StopIteration, and must not see SystemExit."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)


class _Runnable:
    """A LangChain Runnable (anything with `ainvoke`) as an async function."""

    def __init__(self, runnable: Any) -> None:
        self._runnable = runnable

    async def __call__(self, value: Any) -> Any:
        return await self._runnable.ainvoke(value)


def _open_python(spec: TargetSpec, context: TargetContext) -> PythonTarget:
    options = PythonOptions.model_validate(dict(spec.options))
    found, path = load_object(options.path, spec.base_dir, spec.where)
    function = _Runnable(found) if hasattr(found, "ainvoke") else found
    if not callable(function):
        raise UsageError(
            Problem(
                slug="target-python",
                message=f"'{options.path}' is no function but {type(found).__name__}",
                where=spec.where,
                fix="name a function, an object that can be called, or a LangChain Runnable",
            )
        )
    return PythonTarget(function, path, options, context.prices)


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="python",
            summary="a Python function of your own (sync or async), or a LangChain Runnable",
            options=lambda: PythonOptions,
            runs_code=True,
        ),
        open=_open_python,
    ),
)
