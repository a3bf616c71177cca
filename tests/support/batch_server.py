"""A server on loopback that takes batches as the public description of the OpenAI Batch API says, and calls as before.

::

    with BatchServer(lambda request: ok(f"re: {request.last_user}")) as server:
        ...                          # point a target at server.base_url
        server.paid                  # how often each call (by custom_id) was answered, which is what is paid for
        server.steps                 # what was asked for, in order: upload, create, list, state, cancel, content

A batch goes on by one state each time somebody asks for it, through `states`; results come in an order of their own.
`fates` says what becomes of the i-th batch: see `Fate`. `before` and `after` are asked at every step, and may answer in
place of the server, the latter when the work is done: a time-out, an error, or a client that is killed.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from aiohttp import web

from support.openai_server import OpenAIServer, Received, Reply, Script, _payload, _send, error, ok

STATES = ("validating", "in_progress", "finalizing", "completed")
_PATH = re.compile(r"/(files|batches)(?:/([^/]+)(?:/(content|cancel))?)?$")
_STEPS = {
    ("POST", "files", None, None): "upload",
    ("GET", "files", "id", None): "file",
    ("GET", "files", "id", "content"): "content",
    ("POST", "batches", None, None): "create",
    ("GET", "batches", None, None): "list",
    ("GET", "batches", "id", None): "state",
    ("POST", "batches", "id", "cancel"): "cancel",
}

Trip: TypeAlias = Callable[[str], Reply | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a batch.

    Attributes:
        states: through which it goes, the last of which stays.
        done: how many of its calls are made before it ends; None is all.
        left_out: how many of the answers are in neither file.
        errors: why it is refused, as codes and messages.
    """

    states: Sequence[str] = STATES
    done: int | None = None
    left_out: int = 0
    errors: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, kw_only=True)
class Batch:
    """One batch at the server."""

    number: int
    file_id: str
    endpoint: str
    metadata: Mapping[str, str]
    fate: Fate
    lines: Sequence[Mapping[str, Any]]
    looks: int = 0
    status: str = ""
    output: list[Mapping[str, Any]] = field(default_factory=list)
    faults: list[Mapping[str, Any]] = field(default_factory=list)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def name(self) -> str:
        """Return its id."""
        return f"batch_{self.number}"


class BatchServer(OpenAIServer):
    """The server; `fates` is of each batch in order, later ones end well."""

    def __init__(
        self,
        script: Script = (),
        *,
        default: Reply | str = "ok",
        fates: Sequence[Fate] = (),
        before: Trip = lambda _: None,
        after: Trip = lambda _: None,
        paid_file: Path | None = None,
    ) -> None:
        super().__init__(script, default=default)
        self.files: dict[str, bytes] = {}
        self.batches: list[Batch] = []
        self.paid: Counter[str] = Counter()
        self.steps: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.asked: list[Received] = []
        self.file_status = ["processed"]
        self.fate_of: Callable[[int], Fate] | None = None  # by the number of its calls, in place of `fates`
        self._fates = fates
        self._hidden_looks = 0
        self._cuts: list[Callable[[bytes], bytes]] = []
        self.late_files = 0  # looks at batches that are over in which their files have no names yet
        self.created_ago_s = 0
        self.before = before
        self.after = after
        self._paid_file = paid_file
        self._rng = random.Random(7)  # noqa: S311 - any order, but the same one each time

    def count_of(self, step: str) -> int:
        """Return how often a step was asked for."""
        return self.steps.count(step)

    def finish(self, number: int = 1) -> None:
        """Complete a batch, and let later ones end well."""
        self._fates = ()
        batch = self.batches[number - 1]
        batch.status = "completed"
        self._carry_out(batch)

    def hide_batches_from_list(self, looks: int) -> None:
        """Show an empty list so many times, as a provider may whose list lags behind."""
        self._hidden_looks = looks

    def cut_content(self, cut: Callable[[bytes], bytes]) -> None:
        """Serve a part of the next file as if it were the whole."""
        self._cuts.append(cut)

    def lose(self) -> None:
        """Forget every batch, as if none had ever arrived."""
        self._fates = ()
        self.batches.clear()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        found = _PATH.search(request.path)
        if found is None:
            return await super()._answer(request)
        kind, name, action = found.groups()
        step = _STEPS.get((request.method, kind, None if name is None else "id", action))
        if step is None:
            return web.json_response({"error": {"message": "no such path"}}, status=404)
        self.steps.append(step)
        self.headers.append({key.lower(): value for key, value in request.headers.items()})
        tripped = self.before(step)
        answer = None if tripped is not None else await self._do(step, name, request)
        tripped = self.after(step) if tripped is None else tripped
        if tripped is not None:
            received = Received(index=0, path=request.path, query={}, headers={}, body={})
            return await _send(request, received, tripped)
        assert answer is not None
        return answer

    async def _do(self, step: str, name: str | None, request: web.Request) -> web.Response:
        if step == "upload":
            return await self._upload(request)
        if step == "create":
            return self._create(json.loads(await request.text()))
        if step == "list":
            return self._list(request.query)
        return self._look(step, name or "")

    def _look(self, step: str, name: str) -> web.Response:
        if step in {"file", "content"}:
            return self._file(name) if step == "file" else self._content(name)
        batch = next((batch for batch in self.batches if batch.name == name), None)
        if batch is None:
            return _refused(404, f"No batch found with id '{name}'")
        if step == "cancel":
            self._cancel(batch)
        else:
            self._go_on(batch)
        described = _describe(batch)
        if batch.status == "completed" and self.late_files > 0:
            self.late_files -= 1
            described |= {"output_file_id": None, "error_file_id": None}
        return web.json_response(described)

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("purpose") != "batch":
            return _refused(400, "purpose must be 'batch'")
        file = form["file"]
        assert isinstance(file, web.FileField)
        name = f"file-{len(self.files) + 1}"
        self.files[name] = file.file.read()
        return self._file(name, filename=file.filename)

    def _file(self, name: str, filename: str = "x.jsonl") -> web.Response:
        status = self.file_status.pop(0) if len(self.file_status) > 1 else self.file_status[0]
        body = {"id": name, "object": "file", "purpose": "batch", "filename": filename, "status": status}
        return web.json_response({**body, "bytes": len(self.files[name]), "created_at": int(time.time())})

    def _create(self, body: Mapping[str, Any]) -> web.Response:
        content = self.files.get(body.get("input_file_id", ""))
        if content is None:
            return _refused(400, "no such file")
        if body.get("completion_window") != "24h":
            return _refused(400, "completion_window must be 24h")
        number = len(self.batches) + 1
        fate = self._fates[number - 1] if number <= len(self._fates) else Fate()
        if self.fate_of is not None:
            fate = self.fate_of(content.count(b"\n"))
        batch = Batch(
            number=number,
            file_id=body["input_file_id"],
            endpoint=body["endpoint"],
            metadata=body.get("metadata") or {},
            fate=fate,
            lines=[json.loads(line) for line in content.split(b"\n") if line.strip()],
        )
        problem = _problem_with(batch)
        if problem is not None:
            batch.fate = Fate(states=("validating", "failed"), errors=[("invalid_request", problem)])
        batch.status = batch.fate.states[0]
        batch.created -= self.created_ago_s
        self.batches.append(batch)
        return web.json_response(_describe(batch))

    def _list(self, query: Mapping[str, str]) -> web.Response:
        newest = [] if self._hidden_looks > 0 else list(reversed(self.batches))
        self._hidden_looks -= 1
        after = query.get("after")
        start = next((i + 1 for i, batch in enumerate(newest) if batch.name == after), 0)
        limit = int(query.get("limit", "20"))
        page = newest[start : start + limit]
        more = start + limit < len(newest)
        return web.json_response({"object": "list", "data": [_describe(batch) for batch in page], "has_more": more})

    def _content(self, name: str) -> web.Response:
        for batch in self.batches:
            for kind, lines in (("output", batch.output), ("error", batch.faults)):
                if name == f"file-{kind}-{batch.number}":
                    body = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
                    cut = self._cuts.pop() if self._cuts else bytes
                    return web.Response(body=cut(body.encode()), content_type="application/octet-stream")
        return _refused(404, "No such File object")

    def _go_on(self, batch: Batch) -> None:
        if batch.status in {"cancelled", "failed", "expired", "completed"}:
            return
        batch.looks += 1
        states = batch.fate.states
        batch.status = "cancelled" if batch.status == "cancelling" else states[min(batch.looks, len(states) - 1)]
        if batch.status in {"completed", "expired", "cancelled"}:
            self._carry_out(batch)

    def _cancel(self, batch: Batch) -> None:
        if batch.status in {"validating", "in_progress", "finalizing"}:
            batch.status = "cancelling"

    def _carry_out(self, batch: Batch) -> None:
        order = list(batch.lines)
        self._rng.shuffle(order)
        done = len(order) if batch.fate.done is None else batch.fate.done
        for line in order[:done]:
            self._make(batch, line)
        code = "batch_cancelled" if batch.status == "cancelled" else "batch_expired"
        rest = order[done + batch.fate.left_out :] if batch.fate.done is not None else []
        for line in rest:
            problem = {"code": code, "message": "This request could not be executed."}
            batch.faults.append(_result(line, None, problem))

    def _make(self, batch: Batch, line: Mapping[str, Any]) -> None:
        received = Received(
            index=len(self.asked),
            path=str(line["url"]),
            query={},
            headers={},
            body=json.loads(json.dumps(line["body"])),
        )
        self.asked.append(received)
        reply = self._reply_to(received)
        body = json.loads(_payload(received, reply))
        answer = {"status_code": reply.status, "request_id": f"req_{len(self.asked)}", "body": body}
        (batch.output if reply.status == 200 else batch.faults).append(_result(line, answer, None))
        if reply.status == 200:
            self.paid[line["custom_id"]] += 1
            if self._paid_file is not None:
                with self._paid_file.open("a", encoding="utf-8") as file:
                    file.write(f"{line['custom_id']}\n")


def _problem_with(batch: Batch) -> str | None:
    """Return what the API's own check of a file would find."""
    names = Counter(line["custom_id"] for line in batch.lines)
    if not batch.lines or len(batch.lines) > 50_000:
        return f"{len(batch.lines)} requests"
    if any(count > 1 for count in names.values()):
        return "custom_id is not unique"
    if any(line["url"] != batch.endpoint or line["method"] != "POST" for line in batch.lines):
        return "url or method differ from the endpoint"
    if len({line["body"].get("model") for line in batch.lines}) > 1:
        return "more than one model"
    if any("stream" in line["body"] for line in batch.lines):
        return "streams"
    return None


def _result(
    line: Mapping[str, Any], answer: Mapping[str, Any] | None, problem: Mapping[str, Any] | None
) -> dict[str, Any]:
    return {"id": f"batch_req_{line['custom_id'][:6]}", "custom_id": line["custom_id"], "response": answer} | {
        "error": problem
    }


def _describe(batch: Batch) -> dict[str, Any]:
    over = batch.status in {"completed", "expired", "cancelled"}
    errors = [{"code": code, "message": message, "line": None, "param": None} for code, message in batch.fate.errors]
    return {
        "id": batch.name,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": errors} if batch.status == "failed" else None,
        "input_file_id": batch.file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": f"file-output-{batch.number}" if over and batch.output else None,
        "error_file_id": f"file-error-{batch.number}" if over and batch.faults else None,
        "created_at": batch.created,
        "expires_at": batch.created + 86400,
        "request_counts": {"total": len(batch.lines), "completed": len(batch.output), "failed": len(batch.faults)},
        "metadata": dict(batch.metadata),
    }


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until killed, answering with the last user message; the base URL is the first line on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--paid-file", type=Path)
    parser.add_argument("--refuse", action="store_true", help="Refuse every request.")
    options = parser.parse_args(argv)

    def script(request: Received) -> Reply:
        return error(401, "no") if options.refuse else ok(request.last_user)

    with BatchServer(script, paid_file=options.paid_file) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
