"""What covers the answers of batches knows the cases of the calls being read, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

from retest.domain.case import Case
from retest.domain.sample import Response
from retest.domain.suite import Redaction
from retest.runner.plan import PlannedCall, PlannedText
from retest.runner.redact import Redactor
from retest.workflows.batch_results import Cover

ANSWER = Response(output="秘密 5")


def plan() -> Iterator[PlannedCall]:
    """Yield a thousand calls, each with a case of its own."""
    text = cast("PlannedText", None)  # nobody looks at what is sent
    for number in range(1000):
        case = Case(case_id=f"c{number}", vars={"x": f"秘密 {number}"}, content_hash="")
        yield PlannedCall(0, number, 0, case, f"k{number}", text)


def test_cases_are_known_while_their_batch_is_read() -> None:
    """What a rule asks for is there for its calls; afterwards nothing of them is held in memory."""
    cover = Cover(Redactor((Redaction(field="x"),)), plan)
    asyncio.run(cover.learn({"k5", "k900"}))
    found = cover.outcome("k5", ANSWER)
    assert isinstance(found, Response)
    assert found.output == "[redacted]"
    assert cover.outcome("k6", ANSWER) is None
    asyncio.run(cover.learn(()))
    assert cover.outcome("k5", ANSWER) is None


def test_without_rules_the_plan_is_not_looked_through() -> None:
    """Answers are stored as they are."""

    def never() -> Iterator[PlannedCall]:
        raise AssertionError

    cover = Cover(Redactor(), never)
    asyncio.run(cover.learn({"k5"}))
    assert cover.outcome("k5", ANSWER) is ANSWER
