"""What a suite may name: metrics and providers, described without importing their libraries.

`suites` validates against a `Catalog` that `workflows` hands it, so that it need not import metrics or targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from retest.domain.figures import FigureKind
from retest.domain.json_value import JsonValue

Scale = Literal["linear", "log"]
T = TypeVar("T")


class OnDemand(Mapping[str, T]):
    """Names that are known at once; what each stands for is loaded when it is first asked for.

    A suite that names two metrics and one provider loads the modules of those alone.
    """

    def __init__(self, names: Iterable[str], load: Callable[[str], T]) -> None:
        self._names = tuple(names)
        self._load = load
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        """Return what the name stands for.

        Raises:
            KeyError: no such name.
        """
        if name not in self._loaded:
            if name not in self._names:
                raise KeyError(name)
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        """Return whether there is such a name; loads nothing."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        """Yield the names in their order."""
        return iter(self._names)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self._names)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeInfo:
    """What a metric that asks a model judges by.

    Attributes:
        definition: its options -> name of the definition that comes with retest; None where the suite must name one.
        forms: of scales that it can read; a suite's own definition has one of them.
        fixed_inputs: inputs of its definition that its options may give in place of a field of the case.
        api: the endpoint's interface it needs; None for chat.
    """

    definition: Callable[[Any], str | None]
    forms: tuple[str, ...]
    fixed_inputs: tuple[str, ...] = ()
    api: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricInfo:
    """One registered metric.

    Attributes:
        options: its options as a pydantic model class (loaded on demand; ``extra="forbid"``).
        needs_expected: it cannot judge a case without `expected`.
        instead_of_expected: options any of which, when given, stands in for `expected`.
        needs_model: it makes paid calls.
        runs_code: it runs the user's own code (refused for untrusted suites).
        low, high: the range of its values; None where unbounded.
        scale: ``log`` for ratio-like values (latency, cost, length), which are compared on the log scale.
        binary: its values are 0 or 1, so a sample passes at 1 without a `pass_if`.
        judge: what it judges by, where it asks a model.
        figures: what a whole arm comes to besides the mean of its scores.
        check_expected: its options -> what says why an expected answer cannot be compared, None where it can.
    """

    name: str
    summary: str
    options: Callable[[], Any]
    needs_expected: bool = False
    instead_of_expected: tuple[str, ...] = ()
    needs_model: bool = False
    runs_code: bool = False
    low: float | None = 0.0
    high: float | None = 1.0
    direction: Literal["higher", "lower"] = "higher"
    scale: Scale = "linear"
    binary: bool = False
    group: str = ""
    judge: JudgeInfo | None = None
    figures: tuple[FigureKind, ...] = ()
    check_expected: Callable[[Any], Callable[[JsonValue], str | None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """One registered provider of targets; `options` as for a metric.

    Attributes:
        needs_model: it cannot be called without a model's name.
        paid: its calls may cost money, so estimates and budgets count them.
    """

    name: str
    summary: str
    options: Callable[[], Any]
    needs_model: bool = False
    paid: bool = False
    runs_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Everything a suite may name."""

    metrics: Mapping[str, MetricInfo] = field(default_factory=dict)
    providers: Mapping[str, ProviderInfo] = field(default_factory=dict)
