"""The user's own metric: a Python function, in this process or isolated in a worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from retest.domain.case import Case
from retest.domain.catalog import MetricInfo
from retest.domain.sample import Response, ScoreOutcome
from retest.metrics.base import Metric, MetricContext, MetricOptions
from retest.metrics.python_file import find_function
from retest.metrics.python_function import Settings, UserFunction

if TYPE_CHECKING:
    from retest.metrics.python_isolation import IsolatedFunction

_DEFAULT_TIMEOUT_S = 60.0


class PythonOptions(MetricOptions):
    """Options of python."""

    path: str = Field(description="`file.py:function`, relative to the suite")
    range: tuple[float | None, float | None] | None = Field(
        None,
        description="Lowest and highest value, such as `[0, 5]`, null for no limit; omitted: as declared, else 0..1",
    )
    direction: Literal["higher", "lower"] | None = Field(
        None, description="Which values are better; omitted: as declared, else higher"
    )
    binary: bool | None = Field(
        None,
        description="Values are 0 or 1, so a sample passes at 1; omitted: whether the function is declared `-> bool`",
    )
    scale: Literal["linear", "log"] = Field("linear", description="`log` for ratio-like values, such as times")
    args: dict[str, Any] = Field(default_factory=dict, description="Further arguments for the function, by name")
    isolate: bool = Field(
        default=False, description="Run it in a worker process, which a crash or an endless loop cannot leave"
    )
    timeout_s: float | None = Field(
        None, gt=0, description=f"With `isolate`: seconds that a call may take; omitted: {_DEFAULT_TIMEOUT_S:g}"
    )

    @model_validator(mode="after")
    def _only_a_process_can_be_ended(self) -> PythonOptions:
        if self.timeout_s is not None and not self.isolate:
            raise ValueError("timeout_s needs `isolate: true`: only a process of its own can be ended")
        return self


class PythonMetric(Metric[PythonOptions]):
    """Whatever the function returns."""

    Options: ClassVar[type[PythonOptions]] = PythonOptions
    info: ClassVar[MetricInfo] = MetricInfo(
        name="python",
        summary="A function of your own: `file.py:function`",
        options=lambda: PythonOptions,
        runs_code=True,
        group="Your own",
    )

    def __init__(self, options: PythonOptions, context: MetricContext) -> None:
        super().__init__(options, context)
        self._place = find_function(options.path, metric=context.name, base_dir=context.base_dir)
        settings = Settings(range=options.range, direction=options.direction, binary=options.binary, args=options.args)
        self._isolated: IsolatedFunction | None = None
        function: UserFunction | IsolatedFunction
        if options.isolate:
            from retest.metrics.python_isolation import IsolatedFunction

            timeout_s = options.timeout_s or _DEFAULT_TIMEOUT_S
            function = self._isolated = IsolatedFunction(self._place, settings, timeout_s)
        else:
            function = UserFunction(self._place, settings)
        declared = function.declared
        self.low, self.high, self.direction = declared.low, declared.high, declared.direction
        self.binary, self.scale = declared.binary, options.scale
        self._function: Callable[[Case, Response], ScoreOutcome | Awaitable[ScoreOutcome]] = function

    def score(self, case: Case, response: Response) -> ScoreOutcome | Awaitable[ScoreOutcome]:
        """Return the function's score; an awaitable of it where the function is asynchronous."""
        return self._function(case, response)

    def signature_parts(self) -> tuple[str, ...]:
        """Return the hash of the file that holds the function."""
        return (f"code:{self._place.content_hash}",)

    def close(self) -> None:
        """End the worker process, if there is one."""
        if self._isolated is not None:
            self._isolated.close()


METRICS: tuple[type[Metric[Any]], ...] = (PythonMetric,)
