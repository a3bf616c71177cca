"""Sends what the `openai` package has built, without building it anew for every call.

Of a call through the package's typed layer nine tenths of the processor time go into work that comes out the same each
time: headers merged, the URL parsed, options copied and validated. So the package builds and signs one request for each
path, Azure's included, on a client whose transport goes nowhere; calls send that request with ever new bodies over
aiohttp. A refusal is given to the same client as the answer it was, so that the package makes its error of it.

Loads the `openai` package: import it where a connection is opened.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import aiohttp
import httpx2
from multidict import CIMultiDict
from openai import AsyncOpenAI
from yarl import URL

MakeClient = Callable[[httpx2.AsyncClient], AsyncOpenAI]

LARGEST_RESPONSE = 64 * 2**20  # bytes; an answer beyond it is a fault, and would be held in memory
_OK, _REDIRECTS, _REFUSED = 200, 300, 400
_PIECE = 2**16
_OWN_HEADERS = ("content-length", "connection", "transfer-encoding")  # aiohttp's part


class ResponseTooLargeError(Exception):
    """An answer is larger than what is held in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered: a status below 300, header names in any case, the decoded body."""

    status: int
    headers: Mapping[str, str]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """One path's request as the package sends it, in both libraries' forms."""

    request: httpx2.Request
    url: URL
    headers: CIMultiDict[str]


@dataclass(slots=True, kw_only=True)
class _Scene:
    """One request that goes nowhere, and what it is answered with."""

    answer: httpx2.Response
    request: httpx2.Request | None = None


_scene: ContextVar[_Scene] = ContextVar("scene")  # requests may be rehearsed side by side


class _Rehearsal(httpx2.AsyncBaseTransport):
    """Takes requests that go nowhere."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Keep the request; return the answer that was put down for it."""
        scene = _scene.get()
        scene.request = request
        return scene.answer


class Wire:
    """Connections to one endpoint, at most `concurrency` at a time.

    Args:
        make_client: makes the package's client of the endpoint over a given HTTP client.
        headers: for each request; None values as the package takes them.
        concurrency: connections held.
        idle_s: how long a connection may stay unused.
    """

    def __init__(
        self, make_client: MakeClient, headers: Mapping[str, object], *, concurrency: int, idle_s: float
    ) -> None:
        self._client = make_client(httpx2.AsyncClient(transport=_Rehearsal()))
        self._headers = headers
        self._concurrency = concurrency
        self._idle_s = idle_s
        self._prepared: dict[str, _Prepared] = {}
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes) -> Reply | None:
        """Return the answer to one request; None where the server sends the caller elsewhere (nothing was done).

        Raises:
            openai.APIStatusError: the server refused the request.
            ResponseTooLargeError: the answer, decoded, is beyond the limit.
            aiohttp.ClientError: the connection failed.
        """
        prepared = self._prepared.get(path) or await self._prepare(path)
        session = self._session or self._open_session(prepared.url)
        response = await session.post(prepared.url, data=body, headers=prepared.headers, allow_redirects=False)
        try:
            return await self._answer(path, prepared, response)
        except BaseException:
            response.close()
            raise

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        if self._session is not None:
            await self._session.close()
        await self._client.close()

    async def _prepare(self, path: str) -> _Prepared:
        """Return the request that the package builds for a path; nothing is sent."""
        request = await self._rehearse(path, httpx2.Response(_OK))
        kept = CIMultiDict((name, value) for name, value in request.headers.items() if name not in _OWN_HEADERS)
        prepared = _Prepared(request=request, url=URL(str(request.url), encoded=True), headers=kept)
        self._prepared[path] = prepared
        return prepared

    async def _rehearse(self, path: str, answer: httpx2.Response) -> httpx2.Request:
        """Let the package post to a path, and give it this answer; return what it would have sent."""
        scene = _Scene(answer=answer)
        _scene.set(scene)
        options: Any = {"headers": self._headers}
        answered = await self._client.post(path, cast_to=httpx2.Response, content=b"{}", options=options)
        return scene.request or answered.request

    def _open_session(self, url: URL) -> aiohttp.ClientSession:
        verified = httpx2.create_ssl_context() if url.scheme == "https" else True
        connector = aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=self._idle_s, ssl=verified)
        # The time limit is the caller's, over the whole call. No cookies: samples are independent of each other.
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        return self._session

    async def _answer(self, path: str, prepared: _Prepared, response: aiohttp.ClientResponse) -> Reply | None:
        if (response.content_length or 0) > LARGEST_RESPONSE:
            raise ResponseTooLargeError
        if response.status < _REDIRECTS and "Content-Encoding" not in response.headers:
            return Reply(status=response.status, headers=response.headers, content=await _read_plain(response))
        if _REDIRECTS <= response.status < _REFUSED:
            response.close()
            return None
        decoded = httpx2.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Pieces(response),
            request=prepared.request,
        )
        content = await read_decoded(decoded)
        if response.status >= _REFUSED:
            await self._rehearse(path, _refusal(response, content))
        return Reply(status=response.status, headers=decoded.headers, content=content)


class _Pieces(httpx2.AsyncByteStream):
    """The body of an answer as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._response.content.iter_chunked(_PIECE):
            yield piece

    async def aclose(self) -> None:
        self._response.release()


async def _read_plain(response: aiohttp.ClientResponse) -> bytes:
    if response.content_length is not None:
        return await response.read()
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > LARGEST_RESPONSE:
            raise ResponseTooLargeError
    return bytes(content)


async def read_decoded(response: httpx2.Response) -> bytes:
    """Return the decoded body, up to the limit.

    Raises:
        ResponseTooLargeError: it is larger.
    """
    content = bytearray()
    try:
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > LARGEST_RESPONSE:
                raise ResponseTooLargeError
    finally:
        await response.aclose()
    return bytes(content)


async def read_lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """Yield the lines of a body as they come, each with its end; they end at LF alone, for U+2028 may be in a text.

    The caller closes the response.

    Raises:
        ResponseTooLargeError: a line is larger than the limit.
    """
    pending = bytearray()
    async for piece in response.aiter_bytes():
        pending += piece
        if len(pending) > LARGEST_RESPONSE:
            raise ResponseTooLargeError
        if b"\n" in piece:
            *whole, pending = pending.split(b"\n")
            for line in whole:
                yield bytes(line) + b"\n"
    if pending:
        yield bytes(pending)


def _refusal(response: aiohttp.ClientResponse, content: bytes) -> httpx2.Response:
    """Return an answer with its body decoded already."""
    coded = {"content-encoding", "content-length", "transfer-encoding"}
    kept = [(name, value) for name, value in response.headers.items() if name.lower() not in coded]
    return httpx2.Response(response.status, headers=kept, content=content)


def goes_through_a_proxy() -> bool:
    """Return whether the system names a proxy, which the package knows how to use."""
    return any(getproxies().get(scheme) for scheme in ("http", "https", "all"))
