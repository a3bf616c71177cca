"""Which calls a run holds, in order, each under the key that says whether it is already paid for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, canonical_json, content_hash
from retest.domain.prompt import Message, Template
from retest.domain.suite import Arm, Suite, TargetSpec
from retest.errors import Problem, SuiteError
from retest.runner.redact import Redactor
from retest.targets.base import Request

_HASH_BYTES = 16
_UNKNOWN = (b"", bytes(_HASH_BYTES))
_MOST_HASHES = 1_000_000  # 16 MB; the prompts beyond are rendered in each walk


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


class PlannedText:
    """An arm's prompt as a case fills it in; where its hash is known, it is rendered when first looked at."""

    __slots__ = ("_messages", "_template", "_variables", "hash")

    def __init__(self, template: Template, variables: Mapping[str, JsonValue], known_hash: str | None) -> None:
        self._template, self._variables = template, variables
        self._messages = None if known_hash else template.render(variables)
        self.hash = known_hash or content_hash(self._messages)

    @property
    def messages(self) -> Sequence[Message]:
        """Return the messages as sent.

        Raises:
            SuiteError: they are no longer what they were when their hash was taken.
        """
        if self._messages is None:
            messages = self._template.render(self._variables)
            if content_hash(messages) != self.hash:
                raise SuiteError(_changed())
            self._messages = messages
        return self._messages


class PlannedCall(NamedTuple):
    """One call: which sample of which case of which arm, the request, and its ledger key."""

    arm_index: int
    case_index: int
    sample_index: int
    case: Case
    key: str
    text: PlannedText

    @property
    def messages(self) -> Sequence[Message]:
        """Return the messages as sent.

        Raises:
            SuiteError: they are no longer what they were when their hash was taken.
        """
        return self.text.messages

    @property
    def messages_hash(self) -> str:
        """Return the hash under which the messages are stored."""
        return self.text.hash

    @property
    def where(self) -> tuple[int, int, int]:
        """Return what identifies the sample within the run."""
        return self.arm_index, self.case_index, self.sample_index


class _Hashes:
    """Hashes of rendered prompts by place, 16 bytes each: a plan is walked twice, and rendered once."""

    __slots__ = ("_packed",)

    def __init__(self) -> None:
        self._packed = bytearray()

    def get(self, place: int) -> str | None:
        start = place * _HASH_BYTES
        packed = self._packed[start : start + _HASH_BYTES]
        return None if packed in _UNKNOWN else packed.hex()

    def put(self, place: int, found: str) -> None:
        if place >= _MOST_HASHES:
            return
        start = place * _HASH_BYTES
        if start >= len(self._packed):
            self._packed.extend(bytes(start + _HASH_BYTES - len(self._packed)))
        self._packed[start : start + _HASH_BYTES] = bytes.fromhex(found)


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
    _hashes: _Hashes = field(default_factory=_Hashes, init=False, repr=False, compare=False)

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
                text = self._text(arm, case, case_index * len(self.arms) + arm_index)
                digest = seeds[arm_index].for_case(case, text.hash)
                for sample_index in range(self.samples):
                    yield PlannedCall(
                        arm_index=arm_index,
                        case_index=case_index,
                        sample_index=sample_index,
                        case=case,
                        key=sample_key(digest, sample_index, draw=self.draw),
                        text=text,
                    )

    def _text(self, arm: Arm, case: Case, place: int) -> PlannedText:
        known = self._hashes.get(place)
        text = PlannedText(arm.prompt.template, case.vars, known)
        if known is None:
            self._hashes.put(place, text.hash)
        return text

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


def _changed() -> Problem:
    return Problem(
        slug="dataset-changed",
        message="a file that a prompt shows, such as an image, changed while it was in use",
        fix="run the command again",
    )


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
