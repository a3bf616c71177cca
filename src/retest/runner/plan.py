"""Which calls a run holds, in order, each under the key that says whether it is already paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, canonical_json, content_hash
from retest.domain.prompt import Message
from retest.domain.suite import Arm, Suite, TargetSpec
from retest.runner.redact import Redactor
from retest.targets.base import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSelection:
    """Which cases of the dataset take part; empty sets select all."""

    ids: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    limit: int | None = None

    def select(self, cases: Iterator[Case]) -> Iterator[tuple[int, Case]]:
        """Yield (index among the selected, case)."""
        index = 0
        for case in cases:
            if self.limit is not None and index >= self.limit:
                return
            if self.ids and case.case_id not in self.ids:
                continue
            if self.tags and not self.tags.intersection(case.tags):
                continue
            yield index, case
            index += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call: which sample of which case of which arm, the request, and its ledger key."""

    arm_index: int
    case_index: int
    sample_index: int
    case: Case
    key: str
    messages: Sequence[Message]
    messages_hash: str

    @property
    def where(self) -> tuple[int, int, int]:
        """Return what identifies the sample within the run."""
        return self.arm_index, self.case_index, self.sample_index


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """The calls of a run; iterating twice gives the same calls in the same order.

    The order is case by case, its arms side by side: an early stop leaves whole cases, and slow drift of a
    provider falls on all arms alike.
    """

    suite: Suite
    identities: Sequence[Mapping[str, JsonValue]]
    samples: int
    draw: int = 0
    selection: CaseSelection = field(default_factory=CaseSelection)
    redactor: Redactor = field(default_factory=Redactor)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the suite's arms, in the order of their indices."""
        return self.suite.arms

    def cases(self) -> Iterator[tuple[int, Case]]:
        """Yield the selected cases under their index in the run."""
        return self.selection.select(iter(self.suite.cases))

    def calls(self, only: Collection[str] | None = None) -> Iterator[PlannedCall]:
        """Yield every call of the run, or those of some cases (by id)."""
        seeds = [KeySeed(arm, identity) for arm, identity in zip(self.arms, self.identities, strict=True)]
        for case_index, case in self.cases():
            if only is not None and case.case_id not in only:
                continue
            for arm_index, arm in enumerate(self.arms):
                messages = arm.prompt.template.render(case.vars)
                messages_hash = content_hash(messages)
                digest = seeds[arm_index].for_case(case, messages_hash)
                for sample_index in range(self.samples):
                    yield PlannedCall(
                        arm_index=arm_index,
                        case_index=case_index,
                        sample_index=sample_index,
                        case=case,
                        key=sample_key(digest, sample_index, draw=self.draw),
                        messages=messages,
                        messages_hash=messages_hash,
                    )

    def request(self, call: PlannedCall) -> Request:
        """Return the request as the target takes it, a fixed seed varied by sample."""
        arm = self.arms[call.arm_index]
        return Request(
            messages=call.messages,
            model=arm.model,
            params=vary_seed(arm.params, call.case.case_id, call.sample_index, draw=self.draw),
            case=call.case,
            sample_index=call.sample_index,
            prompt_name=arm.prompt.name,
        )


class KeySeed:
    """The part of the ledger key that the calls of an arm (or of a judge) share: endpoint, model, parameters."""

    def __init__(self, arm: Arm | TargetSpec, identity: Mapping[str, JsonValue], role: str = "target") -> None:
        self._prefix = hashlib.sha256(
            canonical_json({"role": role, "target": identity, "model": arm.model, "params": arm.params})
        )

    def for_case(self, case: Case, messages_hash: str) -> hashlib._Hash:
        """Return the digest so far: two cases that render alike stay independent, for the id is in it."""
        digest = self._prefix.copy()
        digest.update(canonical_json([messages_hash, case.case_id]))
        return digest


def sample_key(digest: hashlib._Hash, sample_index: int, *, vote: int = 0, draw: int = 0) -> str:
    """Return the ledger key of one sample, 40 hex digits."""
    complete = digest.copy()
    complete.update(f"|{sample_index}|{vote}|{draw}".encode())
    return complete.hexdigest()[:40]


def vary_seed(
    params: Mapping[str, JsonValue], case_id: str, sample_index: int, *, draw: int = 0
) -> Mapping[str, JsonValue]:
    """Return the parameters with a fixed `seed` turned into one per sample, the same in every run of one draw.

    Repeats would be copies otherwise. And with one seed for all cases their draws would move together: eight runs of
    one sample a case had a standard deviation of .233 between runs, against .044 with independent draws, which no
    interval over cases can know of. So the case has its part in the seed; and so has a fresh draw, which would only
    repeat the answers before it.
    """
    seed = params.get("seed")
    if isinstance(seed, int) and not isinstance(seed, bool):
        first = int(
            content_hash([seed, case_id, draw] if draw else [seed, case_id])[:7], 16
        )  # below 2**28: endpoints take 32-bit seeds
        return {**params, "seed": first + sample_index}
    return params
