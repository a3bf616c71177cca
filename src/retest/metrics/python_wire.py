"""What travels between a run and the worker process of an isolated metric: JSON, for users write what runs there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome, Usage
from retest.errors import Location, Problem
from retest.metrics.python_file import FunctionPlace
from retest.metrics.python_function import Settings
from retest.metrics.python_result import Declared


def message_of(content: Mapping[str, Any]) -> bytes:
    """Return what is sent for some content; mappings and tuples of any kind become objects and lists."""
    return json.dumps(content, default=_plain).encode("ascii")


def message_read(message: bytes) -> dict[str, Any]:
    """Return what a message holds."""
    content: dict[str, Any] = json.loads(message)
    return content


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def packed(value: object) -> dict[str, Any]:
    """Return the fields of one of the dataclasses below."""
    return {part.name: getattr(value, part.name) for part in fields(value)}  # type: ignore[arg-type]  # dataclasses only


def setup_message(place: FunctionPlace, settings: Settings) -> dict[str, Any]:
    """Return the first message to a worker: which function, and what the suite says about it."""
    where = {**packed(place), "path": str(place.path), "content": place.content.decode("latin-1")}
    return {"place": where, "settings": packed(settings)}


def read_setup(message: Mapping[str, Any]) -> tuple[FunctionPlace, Settings]:
    """Return what `setup_message` packed."""
    where = message["place"]
    place = FunctionPlace(**{**where, "path": Path(where["path"]), "content": where["content"].encode("latin-1")})
    settings = message["settings"]
    limits = settings["range"]
    return place, Settings(**{**settings, "range": None if limits is None else (limits[0], limits[1])})


def call_message(case: Case, response: Response) -> dict[str, Any]:
    """Return a request to score one response."""
    where = None if case.where is None else packed(case.where)
    return {
        "case": {**packed(case), "where": where},
        "response": {**packed(response), "usage": packed(response.usage)},
    }


def read_call(message: Mapping[str, Any]) -> tuple[Case, Response]:
    """Return what `call_message` packed."""
    case, response = message["case"], message["response"]
    where = None if case["where"] is None else Location(**case["where"])
    return (
        Case(**{**case, "where": where, "tags": tuple(case["tags"])}),
        Response(
            **{**response, "usage": Usage(**response["usage"]), "tool_calls": tuple(response["tool_calls"])},
        ),
    )


def outcome_message(outcome: ScoreOutcome) -> dict[str, Any]:
    """Return the answer to a request."""
    return {"score" if isinstance(outcome, Score) else "failure": packed(outcome)}


def read_outcome(message: Mapping[str, Any]) -> ScoreOutcome:
    """Return what `outcome_message` packed."""
    return Score(**message["score"]) if "score" in message else MetricFailure(**message["failure"])


def ready_message(declared: Declared) -> dict[str, Any]:
    """Return the answer of a worker that has loaded its function."""
    return {"declared": packed(declared)}


def problem_message(problem: Problem) -> dict[str, Any]:
    """Return the answer of a worker that cannot load its function."""
    return {"problem": {**packed(problem), "where": None if problem.where is None else packed(problem.where)}}


def read_ready(message: Mapping[str, Any]) -> Declared | Problem:
    """Return the function's declarations, or why it cannot be loaded."""
    if "declared" in message:
        return Declared(**message["declared"])
    problem = message["problem"]
    where = None if problem["where"] is None else Location(**problem["where"])
    return Problem(**{**problem, "where": where, "details": tuple(problem["details"])})
