"""Plans: order, keys, seeds, selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from retest.domain.json_value import JsonValue
from retest.domain.prompt import Message
from retest.domain.suite import Suite
from retest.errors import SuiteError
from retest.runner.plan import CaseSelection, PlannedCall, RunPlan, vary_seed
from support.suites import make_case, make_suite

IDENTITY: dict[str, JsonValue] = {"base_url": "http://127.0.0.1"}


def plan_of(suite: Suite, **changes: Any) -> RunPlan:
    plan = RunPlan(suite=suite, identities=[IDENTITY] * len(suite.arms), samples=2)
    return replace(plan, **changes)


def keys(plan: RunPlan) -> list[str]:
    return [call.key for call in plan.calls()]


def places(calls: list[PlannedCall]) -> list[tuple[int, int, int]]:
    return [call.where for call in calls]


def test_the_order_is_case_by_case_with_the_arms_side_by_side() -> None:
    """An early stop leaves whole cases, and provider drift falls on all arms alike."""
    plan = plan_of(make_suite(cases=2, arms=2))
    assert places(list(plan.calls())) == [
        (0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 0, 1),
        (0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1),
    ]  # fmt: skip


def test_iterating_twice_gives_the_same_calls() -> None:
    """The estimate and the run walk the same plan."""
    plan = plan_of(make_suite(cases=3))
    assert keys(plan) == keys(plan)


def test_every_sample_has_its_own_key() -> None:
    """Repeats are distinct samples, never one answer shown several times."""
    plan = plan_of(make_suite(cases=3, arms=2), samples=4)
    assert len(set(keys(plan))) == 3 * 2 * 4


def test_more_samples_keep_the_keys_of_the_first() -> None:
    """3 -> 5 samples pays for 2."""
    suite = make_suite(cases=2)
    assert set(keys(plan_of(suite, samples=3))) < set(keys(plan_of(suite, samples=5)))


def test_cases_that_render_alike_stay_independent() -> None:
    """Two cases with the same text have different ids, and so different keys."""
    suite = make_suite(rows=[make_case("a", q="same"), make_case("b", q="same")])
    assert len(set(keys(plan_of(suite, samples=1)))) == 2


def test_a_draw_changes_every_key() -> None:
    """`--fresh` records beside, it never reuses."""
    suite = make_suite(cases=2)
    assert not set(keys(plan_of(suite, draw=0))) & set(keys(plan_of(suite, draw=1)))


def test_the_name_of_the_arm_and_other_cases_do_not_change_a_key() -> None:
    """Renaming a prompt or adding cases costs nothing."""
    small, large = make_suite(cases=2), make_suite(cases=5)
    renamed = replace(small, arms=tuple(replace(arm, name="other/name") for arm in small.arms))
    assert keys(plan_of(small)) == keys(plan_of(renamed))
    assert set(keys(plan_of(small))) < set(keys(plan_of(large)))


def test_what_the_model_sees_changes_the_key() -> None:
    """Parameters, model, target and text are what a response is paid for under."""
    suite = make_suite(cases=1)
    arm = suite.arms[0]
    changed = [
        replace(suite, arms=(replace(arm, params={"temperature": 0}),)),
        replace(suite, arms=(replace(arm, model="another"),)),
        make_suite(rows=[make_case("c0", q="another text")]),
    ]
    seen = {keys(plan_of(each))[0] for each in [suite, *changed]}
    assert len(seen) == 4
    assert keys(plan_of(suite, identities=[{"base_url": "http://127.0.0.2"}]))[0] not in seen


def test_a_selection_takes_ids_tags_and_a_limit() -> None:
    """Selected cases are numbered anew."""
    suite = make_suite(rows=[make_case(f"c{i}", tags=("even",) if i % 2 == 0 else ()) for i in range(6)])
    chosen = CaseSelection(tags=frozenset({"even"}), limit=2).select(iter(suite.cases))
    assert [(index, case.case_id) for index, case in chosen] == [(0, "c0"), (1, "c2")]
    by_id = CaseSelection(ids=frozenset({"c5"})).select(iter(suite.cases))
    assert [(index, case.case_id) for index, case in by_id] == [(0, "c5")]


def test_a_fixed_seed_gives_every_sample_its_own() -> None:
    """No repeat is a copy, no two cases draw together, and a second run draws the same."""
    seeds = [vary_seed({"seed": 5}, case, sample)["seed"] for case in ("a", "b") for sample in range(3)]
    assert len(set(seeds)) == 6
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)
    assert vary_seed({"seed": 5, "top_p": 1}, "a", 1) == {"seed": seeds[1], "top_p": 1}
    assert vary_seed({"seed": 6}, "a", 1)["seed"] != seeds[1]
    assert vary_seed({"seed": 5}, "a", 1, draw=1)["seed"] not in seeds


def test_only_a_whole_number_is_a_seed_to_vary() -> None:
    """Other parameters stay as they are."""
    assert vary_seed({"seed": True}, "a", 2) == {"seed": True}
    assert vary_seed({}, "a", 2) == {}


class _Counting:
    """A template that counts its renders; `suffix` stands for a file that it shows."""

    variables = required_variables = frozenset({"q"})

    def __init__(self) -> None:
        self.renders = 0
        self.suffix = ""

    def render(self, variables: Mapping[str, JsonValue]) -> list[Message]:
        self.renders += 1
        return [{"role": "user", "content": f"{variables['q']}{self.suffix}"}]


def _counted(cases: int) -> tuple[RunPlan, _Counting]:
    suite, template = make_suite(cases=cases), _Counting()
    (arm,) = suite.arms
    return plan_of(replace(suite, arms=(replace(arm, prompt=replace(arm.prompt, template=template)),))), template


def test_a_plan_that_is_walked_again_renders_only_what_is_looked_at() -> None:
    """The estimate renders every case once, whatever the samples; a sample in the ledger costs no further render."""
    plan, template = _counted(cases=3)
    first = keys(plan)
    assert template.renders == 3
    again = list(plan.calls())
    assert ([call.key for call in again], template.renders) == (first, 3)
    assert [call.messages for call in again[:2]] == [[{"role": "user", "content": "c0"}]] * 2
    assert template.renders == 4


def test_a_text_that_changed_since_its_key_was_made_is_not_sent() -> None:
    """An answer under a key is always the answer to that text: an image may change while a run is planned."""
    plan, template = _counted(cases=1)
    keys(plan)
    template.suffix = "!"
    with pytest.raises(SuiteError, match="changed while it was in use"):
        _ = next(plan.calls()).messages


def test_a_plan_with_other_cases_shares_no_text() -> None:
    """Where the same place holds another case, its own prompt counts."""
    plan, _ = _counted(cases=3)
    whole = keys(plan)
    assert keys(replace(plan, selection=CaseSelection(ids=frozenset({"c1"})))) == whole[2:4]
