"""The plan before any spending: what is already paid for, and what the rest would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from retest.domain.json_value import JsonValue, canonical_json
from retest.domain.sample import Usage
from retest.domain.suite import Arm
from retest.errors import NothingToJudgeError, Problem, UsageError
from retest.runner.plan import PlannedCall, RunPlan
from retest.runner.stopping import StopSignal
from retest.store.base import Ledger
from retest.targets.prices import Price, PriceTable, target_price

_CHUNK = 1000
_ASSUMED_OUTPUT_TOKENS = 256  # where the prompt sets no max_tokens
_LATIN_CHARACTERS_PER_TOKEN = 4  # about right for English in today's tokenisers; one CJK character is about one token


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBatches:
    """Finds the numbers of the batches that calls are in, by key; `by_batch`: the plan's calls cost what those do."""

    find: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]
    by_batch: bool


@dataclass(slots=True, kw_only=True)
class ArmEstimate:
    """One arm: calls to make and the tokens they would take."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, input_tokens: int, output_tokens: int) -> None:
        """Count one more call in."""
        self.calls += 1
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens


@dataclass(slots=True, kw_only=True)
class PlanEstimate:
    """What a plan holds. `cost_usd` is None as soon as one arm's price is unknown; what is out in batches is paid.

    `call_usd` is of an average call of the dearest arm, whether it is to be made or out: a batch may come to nothing.
    """

    cases: int = 0
    planned: int = 0
    in_ledger: int = 0
    in_batches: Counter[int] = field(default_factory=Counter)  # calls that are out, by the number of their batch
    arms: list[ArmEstimate] = field(default_factory=list)
    cost_usd: float | None = None
    call_usd: float = 0.0
    unpriced_arms: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Return the tokens of all calls to make, estimated."""
        return sum(arm.input_tokens + arm.output_tokens for arm in self.arms)


async def estimate_plan(
    plan: RunPlan,
    ledger: Ledger,
    prices: PriceTable,
    paid: Sequence[bool],
    *,
    stop: StopSignal,
    batches: PlanBatches | None = None,
) -> PlanEstimate:
    """Walk the plan once without calling anything.

    Args:
        plan: to look through.
        ledger: is asked which keys it knows.
        prices: for the cost.
        paid: per arm, whether its calls cost money; a recording's do not.
        stop: ends the walk, for nothing is lost yet.
        batches: which calls are out in them, and whether the others go into them.

    Raises:
        KeyboardInterrupt: stopped.
        UsageError: a selected case does not exist.
        NothingToJudgeError: no case is selected.
    """
    estimate = PlanEstimate(arms=[ArmEstimate() for _ in plan.arms])
    unpaid = [ArmEstimate() for _ in plan.arms]  # with the calls that are out
    seen: set[str] = set()
    for chunk in _chunks(plan.calls()):
        known = await ledger.known([call.key for call in chunk])
        if stop.is_set:
            raise KeyboardInterrupt
        missing = [call for call in chunk if call.key not in known]
        out = await batches.find([call.key for call in missing]) if batches is not None and missing else {}
        estimate.in_batches.update(out.values())
        _count(estimate, unpaid, plan, missing, out.keys())
        estimate.planned += len(chunk)
        estimate.in_ledger += len(known)
        estimate.cases = chunk[-1].case_index + 1
        if plan.selection.ids:
            seen.update(call.case.case_id for call in chunk)
    _refuse_empty(plan, estimate, seen)
    by_batch = batches is not None and batches.by_batch
    _price(estimate, unpaid, plan.arms, paid, lambda arm: _arm_price(arm, prices, by_batch=by_batch))
    return estimate


def _count(
    estimate: PlanEstimate,
    unpaid: Sequence[ArmEstimate],
    plan: RunPlan,
    missing: Iterable[PlannedCall],
    out: Collection[str],
) -> None:
    tokens: dict[str, int] = {}  # the samples of a case share their messages
    for call in missing:
        if call.messages_hash not in tokens:
            tokens[call.messages_hash] = count_tokens(call.messages)
        taken = tokens[call.messages_hash], _output_limit(plan.arms[call.arm_index])
        unpaid[call.arm_index].add(*taken)
        if call.key not in out:
            estimate.arms[call.arm_index].add(*taken)


def _chunks(calls: Iterable[PlannedCall]) -> Iterator[list[PlannedCall]]:
    iterator = iter(calls)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk


def count_tokens(messages: Sequence[JsonValue]) -> int:
    """Return about how many tokens messages have, from their length: no tokeniser is downloaded."""
    text = canonical_json(messages).decode("utf-8", "replace")
    latin = len(text.encode("ascii", "ignore"))
    return latin // _LATIN_CHARACTERS_PER_TOKEN + len(text) - latin


def _output_limit(arm: Arm) -> int:
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        limit = arm.params.get(name)
        if isinstance(limit, int) and not isinstance(limit, bool):
            return limit
    return _ASSUMED_OUTPUT_TOKENS


def _refuse_empty(plan: RunPlan, estimate: PlanEstimate, seen: set[str]) -> None:
    unknown = sorted(plan.selection.ids - seen)
    if unknown:
        raise UsageError(
            Problem(
                slug="case-unknown",
                message=f"no such case in {plan.suite.name}: {', '.join(unknown[:5])}",
                fix="`retest show` lists case ids; ids are compared exactly",
            )
        )
    if estimate.planned == 0:
        raise NothingToJudgeError(
            Problem(slug="no-cases", message=f"no case of {plan.suite.name} is selected", fix="widen --tag or --limit")
        )


def _price(
    estimate: PlanEstimate,
    unpaid: Sequence[ArmEstimate],
    arms: Sequence[Arm],
    paid: Sequence[bool],
    price_of: Callable[[Arm], Price | None],
) -> None:
    total = 0.0
    for arm, to_make, counted, costs in zip(arms, estimate.arms, unpaid, paid, strict=True):
        if not costs:
            continue
        price = price_of(arm)
        cost = None if price is None else _cost(price, to_make)
        whole = None if price is None else _cost(price, counted)
        if cost is None or whole is None:
            estimate.unpriced_arms.append(arm.name)
        else:
            total += cost
            estimate.call_usd = max(estimate.call_usd, whole / counted.calls if counted.calls else 0.0)
    estimate.cost_usd = None if estimate.unpriced_arms else total


def _arm_price(arm: Arm, prices: PriceTable, *, by_batch: bool) -> Price | None:
    price = target_price(arm.target.options, arm.model, prices)
    return price.by_batch() if price is not None and by_batch else price


def _cost(price: Price, counted: ArmEstimate) -> float | None:
    """Return what an arm's calls cost, each like the average one: a price may end at some length of a prompt."""
    calls = max(counted.calls, 1)
    average = Usage(input_tokens=-(-counted.input_tokens // calls), output_tokens=-(-counted.output_tokens // calls))
    one = price.cost(average)
    if one is None:
        return None
    whole = price.cost(Usage(input_tokens=counted.input_tokens, output_tokens=counted.output_tokens))
    return one * calls if whole is None else whole
