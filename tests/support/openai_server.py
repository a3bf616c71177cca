"""A real HTTP server on loopback that speaks the OpenAI wire format, for tests and benchmarks.

In a test::

    from support.openai_server import OpenAIServer, error, ok, rate_limited, reset, unauthorized

    with OpenAIServer([rate_limited(retry_after="0"), ok("Paris")]) as server:
        ...                                # point a target at server.base_url ("http://127.0.0.1:PORT/v1")
        server.requests[0].body["messages"], server.requests[0].headers["authorization"]
        server.count, server.peak          # requests received, most in flight at once

The script says what to answer: a list (the i-th request gets the i-th reply, later ones `default`, an ``ok``), or a
function from the `Received` request to a `Reply` (or simply a string), which may look at ``request.index`` (from 0),
``request.body``, ``request.headers`` and ``request.last_user`` (the last user message's text).

    OpenAIServer(lambda request: unauthorized() if request.index >= 19 else ok("yes"))

Replies: `ok`, `tool_call`, `error`, `rate_limited`, `unauthorized`, `malformed`, `error_in_200`, `html`, `empty_body`,
`reset` (before a byte is sent), `reset_midway` (after half the body), `hang`, `huge`; any of them slowed or compressed:
``replace(ok("x"), delay_s=0.2)``, ``replace(ok("x"), compress=True)``. Chat completions, streamed chat completions
(``"stream": true``), the responses API, embeddings, Azure deployment paths and the models list are all answered.

As a process of its own, for tests that kill their client::

    python -m support.openai_server --port 0 --count-file calls.jsonl --delay 0.05

prints its base URL on the first line, then appends one JSON line per request received to the count file. With
``--echo`` the answer is the last user message; `--fail-from N` answers 401 from the N-th request on (counted from 1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from aiohttp import web

from support.openai_wire import chat_body, chat_chunks, embeddings_body, models_body, responses_body
from support.threaded_server import ThreadedServer

Fault = Literal["none", "reset", "reset_midway", "hang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it arrived; header names in lower case."""

    index: int
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    @property
    def last_user(self) -> str:
        """Return the text of the last user message (of the chat or the responses format)."""
        body: dict[str, Any] = self.body if isinstance(self.body, dict) else {}
        messages = body.get("messages") or body.get("input") or []
        if isinstance(messages, str):
            return messages
        if self.path.endswith("/embeddings"):
            return str(messages[-1])
        texts = [str(item["content"]) for item in messages if item.get("role") == "user"]
        return texts[-1] if texts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the server does with one request; `raw` replaces the body that would be built from `message`.

    The answer is held back for `delay_s`, then until `until` holds.
    """

    message: Mapping[str, Any] = field(default_factory=lambda: {"content": "ok"})
    finish_reason: str = "stop"
    model: str | None = None
    usage: Mapping[str, Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    content_type: str = "application/json"
    delay_s: float = 0.0
    until: Callable[[], bool] | None = None
    fault: Fault = "none"
    compress: bool = False


Script: TypeAlias = Callable[[Received], "Reply | str"] | Sequence["Reply | str"]


def ok(text: str = "ok", **changes: Any) -> Reply:
    """Answer with a text; `changes` are fields of `Reply`."""
    return Reply(message={"content": text}, **changes)


def tool_call(name: str, arguments: str, call_id: str = "call_1") -> Reply:
    """Answer with one tool call; `arguments` is the JSON text as a model writes it."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return Reply(message={"content": None, "tool_calls": [call]}, finish_reason="tool_calls")


def error(status: int, message: str = "something went wrong", code: str | None = None, **changes: Any) -> Reply:
    """Answer with an HTTP error in OpenAI's form."""
    body = {"error": {"message": message, "type": "error", "param": None, "code": code}}
    return Reply(status=status, raw=json.dumps(body).encode(), **changes)


def rate_limited(retry_after: str | None = None, code: str = "rate_limit_exceeded") -> Reply:
    """Answer 429, with a Retry-After header where given."""
    return error(429, "Rate limit reached", code, headers={} if retry_after is None else {"Retry-After": retry_after})


def unauthorized(message: str = "Incorrect API key provided") -> Reply:
    """Answer 401."""
    return error(401, message, "invalid_api_key")


def malformed() -> Reply:
    """Answer 200 with JSON that breaks off."""
    return Reply(raw=b'{"choices": [{"message": {"content": "hel')


def error_in_200(message: str = "upstream failed", code: str | int | None = None) -> Reply:
    """Answer 200 with an error object, as some gateways do."""
    return replace(error(200, message), raw=json.dumps({"error": {"message": message, "code": code}}).encode())


def html() -> Reply:
    """Answer 200 with a web page, as a proxy's login page does."""
    return Reply(raw=b"<html><body>Please log in</body></html>", content_type="text/html")


def empty_body() -> Reply:
    """Answer 200 with nothing."""
    return Reply(raw=b"")


def reset() -> Reply:
    """Reset the connection before anything is sent."""
    return Reply(fault="reset")


def reset_midway() -> Reply:
    """Reset the connection when half the body is sent."""
    return Reply(fault="reset_midway")


def hang() -> Reply:
    """Never answer."""
    return Reply(fault="hang")


def huge(size: int) -> Reply:
    """Answer with a JSON text of `size` characters in one message."""
    return ok("x" * size)


class OpenAIServer(ThreadedServer):
    """The server; a context manager. `requests`, `count` and `peak` say what it saw."""

    def __init__(
        self, script: Script = (), *, default: Reply | str = "ok", port: int = 0, count_file: Path | None = None
    ) -> None:
        super().__init__()
        self.requests: list[Received] = []
        self.in_flight = 0
        self.peak = 0
        self._script = script
        self._default = default
        self._port = port
        self._count_file = count_file
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """Return what a client takes as its base URL."""
        return f"{self.origin}/v1"

    @property
    def origin(self) -> str:
        """Return scheme, host and port (an Azure endpoint, for one)."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def count(self) -> int:
        """Return the number of requests received."""
        return len(self.requests)

    async def _start(self) -> None:
        app = web.Application(client_max_size=256 * 2**20)
        app.router.add_get("/{prefix:.*}models", self._models)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response(models_body())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            received = await self._receive(request)
            reply = self._reply_to(received)
            await asyncio.sleep(reply.delay_s)
            while reply.until is not None and not reply.until():  # noqa: ASYNC110 - what holds is the test's own affair
                await asyncio.sleep(0.01)
            return await _send(request, received, reply)
        finally:
            self.in_flight -= 1

    async def _receive(self, request: web.Request) -> Received:
        text = await request.text()
        received = Received(
            index=len(self.requests),
            path=request.path,
            query=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=_json_or_text(text),
        )
        self.requests.append(received)
        if self._count_file is not None:
            line = json.dumps({"index": received.index, "path": received.path, "last_user": received.last_user})
            with self._count_file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        return received

    def _reply_to(self, received: Received) -> Reply:
        if callable(self._script):
            chosen = self._script(received)
        else:
            chosen = self._script[received.index] if received.index < len(self._script) else self._default
        return ok(chosen) if isinstance(chosen, str) else chosen


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def _send(request: web.Request, received: Received, reply: Reply) -> web.StreamResponse:
    if reply.fault == "hang":
        await asyncio.sleep(3600)
    if reply.fault == "reset":
        return _reset_connection(request)
    wants_stream = isinstance(received.body, dict) and received.body.get("stream") is True
    if wants_stream and reply.raw is None and reply.status == 200:
        return await _send_stream(request, received, reply)
    payload = _payload(received, reply)
    if reply.fault == "reset_midway":
        return await _send_half(request, payload)
    response = web.Response(
        body=payload, status=reply.status, headers=dict(reply.headers), content_type=reply.content_type
    )
    if reply.compress:
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _payload(received: Received, reply: Reply) -> bytes:
    if reply.raw is not None:
        return reply.raw
    asked = received.body.get("model") if isinstance(received.body, dict) else None
    if received.path.endswith("/embeddings"):
        return json.dumps(embeddings_body(received.body["input"], reply.model or asked or "test-model")).encode()
    build = responses_body if received.path.endswith("/responses") else chat_body
    body = build(reply.message, reply.finish_reason, reply.model or asked or "test-model", reply.usage)
    return json.dumps(body).encode()


async def _send_stream(request: web.Request, received: Received, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    chunks = chat_chunks(reply.message, reply.finish_reason, received.body.get("model") or "test-model")
    half = len(chunks) // 2
    for chunk in chunks[:half] if reply.fault == "reset_midway" else chunks:
        await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    if reply.fault == "reset_midway":
        _reset_connection(request)
    else:
        await response.write(b"data: [DONE]\n\n")
    return response


async def _send_half(request: web.Request, payload: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(payload))})
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])
    await asyncio.sleep(0.01)
    _reset_connection(request)
    return response


def _reset_connection(request: web.Request) -> web.Response:
    """Close with a TCP reset rather than a polite end."""
    if request.transport is not None:
        sock = request.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until killed; the base URL is the first line on stdout."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--count-file", type=Path)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--text", default="ok")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--fail-from", type=int)
    options = parser.parse_args(argv)

    def script(request: Received) -> Reply:
        if options.fail_from is not None and request.index + 1 >= options.fail_from:
            return unauthorized()
        return ok(request.last_user if options.echo else options.text, delay_s=options.delay)

    with OpenAIServer(script, port=options.port, count_file=options.count_file) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
