"""Opening targets and asking them, as the runner does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import CallError, CallOutcome, Response
from retest.domain.suite import TargetSpec
from retest.targets.base import Request, Target
from retest.targets.prices import PriceTable
from retest.targets.registry import TargetContext, open_target


def make_request(text: str = "hi", *, sample_index: int = 0, case_id: str = "1", **changes: Any) -> Request:
    """Return a request with one user message; `changes` are fields of `Request`, or `variables` of the case."""
    variables: Mapping[str, Any] = changes.pop("variables", {})
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": text}],
        "model": "gpt-4o-mini",
        "params": {},
        "case": Case(case_id=case_id, vars=variables, content_hash=""),
        "sample_index": sample_index,
    }
    return Request(**{**fields, **changes})


def open_with(
    provider: str,
    options: Mapping[str, Any],
    *,
    base_dir: Path = Path(),
    env: Mapping[str, str] | None = None,
    prices: PriceTable | None = None,
    model: str | None = None,
) -> Target:
    """Open a target as a suite would; the environment is empty unless given."""
    spec = TargetSpec(name="t", provider=provider, options=dict(options), base_dir=base_dir, model=model)
    return open_target(spec, TargetContext(env=env or {}, prices=prices or PriceTable(), concurrency=8))


def ask(target: Target, *requests: Request) -> list[CallOutcome]:
    """Return the outcomes of requests made one after the other; the target is closed afterwards."""

    async def scenario() -> list[CallOutcome]:
        try:
            return [await target.call(request) for request in requests or (make_request(),)]
        finally:
            await target.aclose()

    return asyncio.run(scenario())


def response_of(target: Target, request: Request | None = None) -> Response:
    """Return the one response; fails with the error where there is none."""
    (outcome,) = ask(target, request or make_request())
    assert isinstance(outcome, Response), outcome
    return outcome


def error_of(target: Target, request: Request | None = None) -> CallError:
    """Return the one error; fails with the response where there is none."""
    (outcome,) = ask(target, request or make_request())
    assert isinstance(outcome, CallError), outcome
    return outcome


def identity_of(target: Target) -> str:
    """Return the target's identity as canonical text; the target is closed afterwards."""
    asyncio.run(target.aclose())
    return json.dumps(target.identity, sort_keys=True)
