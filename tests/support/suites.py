"""Small suites built from real domain objects, without files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from retest.domain.case import Case
from retest.domain.json_value import JsonValue, content_hash
from retest.domain.prompt import Message, Prompt
from retest.domain.suite import Arm, MetricSpec, Suite, TargetSpec


@dataclass(frozen=True)
class ListedCases:
    """Cases held in a list."""

    listed: Sequence[Case]

    def __iter__(self) -> Iterator[Case]:
        return iter(self.listed)

    def __len__(self) -> int:
        return len(self.listed)

    @property
    def fingerprint(self) -> str:
        """Return a hash of the ids and contents."""
        return content_hash([[case.case_id, case.content_hash] for case in self.listed])


@dataclass(frozen=True)
class OneMessage:
    """A template that puts the variable `q` behind a prefix."""

    prefix: str = ""
    variables: frozenset[str] = frozenset({"q"})
    required_variables: frozenset[str] = frozenset({"q"})

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        """Return one user message."""
        return [{"role": "user", "content": f"{self.prefix}{variables['q']}"}]


def make_case(case_id: str, *, q: str | None = None, tags: tuple[str, ...] = (), expected: JsonValue = None) -> Case:
    """Return a case with one variable, its own id unless said otherwise."""
    variables = {"q": case_id if q is None else q}
    return Case(case_id=case_id, vars=variables, content_hash=content_hash(variables), tags=tags, expected=expected)


def make_suite(*, cases: int = 3, arms: int = 1, rows: Sequence[Case] | None = None) -> Suite:
    """Return a suite over `rows`, or over cases ``c0``, ``c1``, ..., with arms ``p0/t``, ``p1/t``, ..."""
    listed = [make_case(f"c{i}") for i in range(cases)] if rows is None else list(rows)
    target = TargetSpec(name="t", provider="openai", model="m")
    prompts = [
        Prompt(name=f"p{i}", path=None, source=f"{i} {{{{ q }}}}", content_hash=str(i), template=OneMessage(f"{i} "))
        for i in range(arms)
    ]
    return Suite(
        name="suite",
        path="evals/suite.yaml",
        arms=tuple(
            Arm(name=f"{prompt.name}/t", prompt=prompt, target=target, model="m", params={"temperature": 1})
            for prompt in prompts
        ),
        cases=ListedCases(listed),
        metrics=(MetricSpec(name="exact_match", metric="exact_match"),),
        fingerprint="f",
    )
