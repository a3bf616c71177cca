"""One connection to an OpenAI-compatible endpoint through the `openai` package: posts JSON, reports failures as data.

Bytes go in and the raw response comes out: the package's typed layer costs three times the processor time per call, and
would hide fields that compatible servers add. Its own retries are off. Calls take the short way of `openai_wire`, where
the package builds each kind of request once; what that way does not know (streams, proxies, redirects) goes through the
package's low-level ``post`` over its aiohttp transport.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError
from retest.targets.call_errors import bad_response, beginning, read_error_body, shorten, status_error
from retest.targets.credentials import Scrubber
from retest.targets.openai_import import load_openai
from retest.targets.wire_json import dump_json, parse_json

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

    from retest.targets.openai_wire import MakeClient, Reply

_IDLE_S = 4.0  # common servers hang up after 5: a call on a connection just closed would fail for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to connect and as whom. `api_key` None sends no Authorization header; `key_source` is for messages."""

    base_url: str = field(repr=False)
    shown_url: str
    api_key: str | None = field(default=None, repr=False)
    key_source: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    organization: str | None = None
    project: str | None = None
    timeout_s: float = 120.0
    concurrency: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A parsed JSON body, with how long it took and the server's name for the request."""

    data: Any
    latency_ms: float
    request_id: str | None = None


class Connection:
    """Posts to one endpoint over pooled connections. Failures are returned, never raised.

    Attributes:
        last_headers: of the last answer, or refusal; names in any case.

    Args:
        make_client: makes the package's client of the endpoint over a given HTTP client.
        endpoint: where to connect.
        scrubber: takes credentials out of messages.
    """

    def __init__(self, make_client: MakeClient, endpoint: Endpoint, scrubber: Scrubber) -> None:
        from retest.targets.openai_wire import Wire, goes_through_a_proxy

        self._make_client = make_client
        self._headers = _request_headers(endpoint)
        self._endpoint = endpoint
        self._scrubber = scrubber
        self._client: AsyncOpenAI | None = None
        self._wire = Wire(make_client, self._headers, concurrency=endpoint.concurrency, idle_s=_IDLE_S)
        self._is_direct = not goes_through_a_proxy()
        self.last_headers: Mapping[str, str] = {}

    async def post(self, path: str, body: Mapping[str, JsonValue]) -> Answer | CallError:
        """Return the parsed answer to one request, or the error; raises only on cancellation."""
        import asyncio  # not loaded where suites are only checked

        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._endpoint.timeout_s):
                reply = await self._exchange(path, dump_json(body))
        except Exception as error:  # noqa: BLE001 - every failure of a call is data
            return self.failure(error)
        self.last_headers = reply.headers
        return self._parse(reply, (time.perf_counter() - started) * 1000)

    async def events(self, path: str, body: Mapping[str, JsonValue]) -> AsyncIterator[Any | CallError]:
        """Yield the parsed server-sent events of one request; an error is the last item."""
        try:
            response = await self._send(path, dump_json(body))
            async for event in _events(response):
                yield event
        except Exception as error:  # noqa: BLE001 - every failure of a call is data
            yield self.failure(error)

    @property
    def shown_url(self) -> str:
        """Return where it leads, without credentials."""
        return self._endpoint.shown_url

    @property
    def headers(self) -> Mapping[str, Any]:
        """Return the headers of each request, as the package takes them."""
        return self._headers

    def open_client(self) -> AsyncOpenAI:
        """Return a client of the package for what is no call; whoever asks for it closes it."""
        from openai import DefaultAsyncHttpxClient

        return self._make_client(DefaultAsyncHttpxClient(timeout=timeout(self._endpoint)))

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        await self._wire.aclose()
        if self._client is not None:
            await self._client.close()

    async def _exchange(self, path: str, body: bytes) -> Reply:
        reply = await self._wire.post(path, body) if self._is_direct else None
        return await self._exchange_by_the_package(path, body) if reply is None else reply

    async def _exchange_by_the_package(self, path: str, body: bytes) -> Reply:
        """Return the answer by the long way, which knows proxies and redirects; calls to come take it too."""
        from retest.targets.openai_wire import Reply, read_decoded

        self._is_direct = False
        response = await self._send(path, body)
        return Reply(status=response.status_code, headers=response.headers, content=await read_decoded(response))

    async def _send(self, path: str, body: bytes) -> httpx2.Response:
        import httpx2

        if self._client is None:
            self._client = self._make_client(_http_client(self._endpoint))
        # As a stream, so that the size of the body can be watched while it arrives.
        return await self._client.post(
            path,
            cast_to=httpx2.Response,
            content=body,
            options={"headers": self._headers},
            stream=True,
            stream_cls=None,
        )

    def _parse(self, reply: Reply, latency_ms: float) -> Answer | CallError:
        if not reply.content.strip():
            return bad_response("the server answered with an empty body", status=reply.status)
        try:
            data = parse_json(reply.content)
        except ValueError:
            kind = reply.headers.get("content-type", "no content type")
            shown = self._scrubber.scrub(beginning(reply.content))
            return bad_response(f"the server's answer is no JSON ({kind}): {shown}", status=reply.status)
        return Answer(data=data, latency_ms=latency_ms, request_id=reply.headers.get("x-request-id"))

    def failure(self, error: Exception) -> CallError:
        """Return what an exception of the client library means, without credentials."""
        found = describe_failure(error, self._endpoint)
        refusal = getattr(error, "response", None)
        if refusal is not None:
            self.last_headers = refusal.headers
        return self.scrub(found)

    def scrub(self, error: CallError) -> CallError:
        """Return the error with every credential taken out of its message."""
        return replace(error, message=self._scrubber.scrub(error.message))


def describe_failure(error: Exception, endpoint: Endpoint) -> CallError:
    """Return what an exception of the client library means."""
    import aiohttp
    import httpx2
    import openai

    from retest.targets.openai_wire import LARGEST_RESPONSE, ResponseTooLargeError

    if isinstance(error, openai.APIStatusError):
        return _refusal(error, endpoint)
    if isinstance(error, ResponseTooLargeError):
        return replace(bad_response(f"the answer is larger than {LARGEST_RESPONSE >> 20} MB"), retryable=False)
    if isinstance(error, TimeoutError):
        message = f"no answer from {endpoint.shown_url} within {endpoint.timeout_s:g} s"
        return CallError(kind="timeout", message=message, retryable=True)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError | aiohttp.ClientError | OSError):
        return _connection_error(error, endpoint)
    return CallError(kind="bad_request", message=f"the request could not be sent: {type(error).__name__}: {error}")


def _refusal(error: Any, endpoint: Endpoint) -> CallError:
    response: httpx2.Response = error.response
    body = read_error_body(response.content)
    found = status_error(response.status_code, body, response.headers, time.time())
    if found.kind in {"authentication", "permission"}:
        whose = f"the key in {endpoint.key_source}" if endpoint.key_source else "a call without a key (see api_key_env)"
        return replace(found, message=f"{endpoint.shown_url} refused {whose}: {found.message}")
    if found.kind == "not_found":
        return replace(found, message=f"{response.request.url.path} at {endpoint.shown_url}: {found.message}")
    return found


def _connection_error(error: Exception, endpoint: Endpoint) -> CallError:
    """Tell time-outs from broken connections by the root cause: the layers between confuse the two."""
    import aiohttp

    causes = _causes(error)
    told = next((cause for cause in causes if isinstance(cause, aiohttp.ClientError)), causes[-1])
    if any(isinstance(cause, aiohttp.ServerTimeoutError | TimeoutError) for cause in causes):
        message = f"no answer from {endpoint.shown_url} within {endpoint.timeout_s:g} s"
        return CallError(kind="timeout", message=message, retryable=True)
    reason = shorten(str(told)) or type(told).__name__
    return CallError(kind="connection", message=f"connection to {endpoint.shown_url}: {reason}", retryable=True)


def _causes(error: BaseException) -> list[BaseException]:
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain


async def _events(response: httpx2.Response) -> AsyncIterator[Any]:
    """Yield the JSON of each whole ``data:`` line."""
    from retest.targets.openai_wire import read_lines

    try:
        async for line in read_lines(response):
            is_data = line.startswith(b"data:") and line.endswith(b"\n")
            data = line.strip().removeprefix(b"data:").strip() if is_data else b""
            if data == b"[DONE]":
                return
            if data:
                yield parse_json(data)
    finally:
        await response.aclose()


def _request_headers(endpoint: Endpoint) -> dict[str, Any]:
    from openai import omit

    headers: dict[str, Any] = {"Content-Type": "application/json"}
    if endpoint.api_key is None and "authorization" not in {name.lower() for name in endpoint.headers}:
        headers["Authorization"] = omit
    return headers


def _http_client(endpoint: Endpoint) -> httpx2.AsyncClient:
    """Return a client over aiohttp with one pooled connection per concurrent call."""
    import httpx2
    from openai import DefaultAioHttpClient

    limits = httpx2.Limits(
        max_connections=endpoint.concurrency,
        max_keepalive_connections=endpoint.concurrency,
        keepalive_expiry=_IDLE_S,
    )
    return DefaultAioHttpClient(timeout=timeout(endpoint), limits=limits, event_hooks={"response": [_limit_body]})


def timeout(endpoint: Endpoint) -> httpx2.Timeout:
    """Return the time limits; waiting for a free connection is bounded by the whole call's limit alone."""
    import httpx2

    return httpx2.Timeout(endpoint.timeout_s, pool=None)


async def _limit_body(response: httpx2.Response) -> None:
    """Refuse a body that announces too large a size; error bodies are read whole by the library."""
    from retest.targets.openai_wire import LARGEST_RESPONSE, ResponseTooLargeError

    length = response.headers.get("content-length", "")
    if length.isdigit() and int(length) > LARGEST_RESPONSE:
        await response.aclose()
        raise ResponseTooLargeError


def connect(endpoint: Endpoint, scrubber: Scrubber) -> Connection:
    """Return a connection to an endpoint that takes a bearer key, or none."""
    load_openai()
    from openai import AsyncOpenAI

    def make_client(http_client: httpx2.AsyncClient) -> AsyncOpenAI:
        client = AsyncOpenAI(
            api_key=endpoint.api_key or "none",
            base_url=endpoint.base_url,
            organization=endpoint.organization or "",
            project=endpoint.project or "",
            timeout=timeout(endpoint),
            max_retries=0,
            default_headers=endpoint.headers,
            http_client=http_client,
        )
        # Given as "" above, for None would make the library read the process's environment on its own.
        client.organization = endpoint.organization
        client.project = endpoint.project
        return client

    return Connection(make_client, endpoint, scrubber)
