"""A judge and a target behind one test server, told apart by the model that is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from support.openai_server import OpenAIServer, Received, Reply, ok

JUDGE_MODEL = "judge-model"

Judgment = Callable[[Received], "Reply | str"]


def grade(value: Any, justification: str = "for a reason") -> Reply:
    """Answer as a judge that grades."""
    return verdict(justification=justification, grade=value)


def choose(choice: str, justification: str = "for a reason") -> Reply:
    """Answer as a judge that chooses."""
    return verdict(justification=justification, choice=choice)


def verdict(**fields: Any) -> Reply:
    """Answer as a judge, with a JSON object."""
    return ok(json.dumps(fields, ensure_ascii=False))


class JudgedServer(OpenAIServer):
    """Answers what the target is asked with `answer`, and what a judge is asked with `judge`."""

    def __init__(self, judge: Judgment, answer: Judgment | None = None) -> None:
        self._judge = judge
        self._target: Judgment = answer or (lambda request: request.last_user)
        super().__init__(self._reply)

    def judges_with(self, judge: Judgment) -> None:
        """Let judges answer otherwise from now on."""
        self._judge = judge

    def _reply(self, request: Received) -> Reply | str:
        return self._judge(request) if is_judgment(request) else self._target(request)

    @property
    def judgments(self) -> Sequence[Received]:
        """Return the requests to judges, in the order in which they came."""
        return [request for request in list(self.requests) if is_judgment(request)]

    @property
    def answers(self) -> Sequence[Received]:
        """Return the requests to the target."""
        return [request for request in list(self.requests) if not is_judgment(request)]

    def judge(self, name: str = "grader", **changes: Any) -> dict[str, Any]:
        """Return the suite's entry of a judge on this server."""
        return {"name": name, "provider": "openai", "model": JUDGE_MODEL, "base_url": self.base_url, **changes}

    def suite(self, *metrics: Any, **changes: Any) -> dict[str, Any]:
        """Return the changes to the standard suite that have these metrics judged."""
        return {"judges": [self.judge()], "metrics": list(metrics or ["judge_grade"]), **changes}


def is_judgment(request: Received) -> bool:
    """Return whether a request is to a judge."""
    return isinstance(request.body, dict) and str(request.body.get("model", "")).startswith("judge")
