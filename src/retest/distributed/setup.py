"""What a worker is set up with: the suite without its files, and how calls are made; all of it can be pickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from retest.distributed.files import Luggage
from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeSpec
from retest.domain.prompt import Message
from retest.domain.suite import Suite
from retest.errors import Problem
from retest.runner.judging import JudgingOptions
from retest.runner.pacing import RetryPolicy
from retest.targets.prices import PriceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all workers of a run have in common.

    Attributes:
        suite: as `stripped` returns it.
        identities: of the targets, by arm, as the driver has them.
        signatures: of the metrics, by name, as the driver has them.
        connections: calls in flight at most, by which targets lay out their connections.
        luggage: files that the suite names.
    """

    suite: Suite
    judges: tuple[JudgeSpec, ...]
    identities: Sequence[Mapping[str, JsonValue]]
    judge_identities: Mapping[str, Mapping[str, JsonValue]]
    signatures: Mapping[str, str]
    samples: int
    draw: int
    prices: PriceTable
    connections: int
    luggage: Luggage = field(default_factory=lambda: Luggage(files={}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How one worker goes about its work.

    Attributes:
        limited: the run has a budget, of which the driver is asked before each call.
        limited_judges: judges with a budget of their own.
    """

    concurrency: int
    judging: JudgingOptions
    retry: RetryPolicy
    offline_arms: frozenset[int] = frozenset()
    grace_s: float = 10.0
    streak_limit: int = 50
    limited: bool = False
    limited_judges: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What must be the same on both sides before anything is said between them."""

    retest: str
    python: str
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a worker made of its setup; with problems it is of no use."""

    identities: Sequence[Mapping[str, JsonValue]] = ()
    judge_identities: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    signatures: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def stripped(suite: Suite) -> Suite:
    """Return what workers need of a suite: no cases, which come with the calls, and no texts of files."""
    arms = tuple(
        replace(arm, prompt=replace(arm.prompt, source="", template=_Elsewhere(), description="")) for arm in suite.arms
    )
    return replace(suite, arms=arms, cases=_NoCases(), source="", metadata={})


class _Elsewhere:
    """The template of a prompt that the driver renders; satisfies `Template`."""

    variables: Final[frozenset[str]] = frozenset()
    required_variables: Final[frozenset[str]] = frozenset()

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        """Refuse."""
        raise AssertionError(f"a prompt is rendered by the driver alone, not with {len(variables)} variables here")


class _NoCases:
    """A dataset whose cases come with the calls; satisfies `CaseSource`."""

    fingerprint: Final[str] = ""

    def __iter__(self) -> Iterator[Case]:
        return iter(())

    def __len__(self) -> int:
        return 0
