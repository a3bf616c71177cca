"""The short way of the openai provider: what it sends and understands, against real servers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import httpx2
import openai
import pytest

from retest.domain.sample import Response
from retest.targets.openai_wire import LARGEST_RESPONSE, Reply, ResponseTooLargeError, Wire, read_lines
from support.openai_server import OpenAIServer, Received, error, ok, rate_limited, unauthorized
from support.openai_server import Reply as ServerReply
from support.targets import make_request, open_with

PATH = "/chat/completions"
BODY = b'{"model": "m", "messages": []}'


def client_of(server: OpenAIServer) -> Callable[[httpx2.AsyncClient], openai.AsyncOpenAI]:
    """Return what makes the package's client of a server."""
    return lambda http_client: openai.AsyncOpenAI(
        api_key="key-1",
        base_url=server.base_url,
        default_headers={"X-Team": "qa"},
        organization="org",
        max_retries=0,
        http_client=http_client,
    )


def with_wire(server: OpenAIServer, use: Callable[[Wire], Awaitable[Reply | None]]) -> Reply | None:
    async def scenario() -> Reply | None:
        wire = Wire(client_of(server), {"Content-Type": "application/json"}, concurrency=4, idle_s=1.0)
        try:
            return await use(wire)
        finally:
            await wire.aclose()

    return asyncio.run(scenario())


def seen(received: Received) -> tuple[str, dict[str, str], object]:
    """Return what of a request does not depend on the library that carries it."""
    carried = {"connection", "host"}
    return (
        received.path,
        {name: value for name, value in received.headers.items() if name not in carried},
        received.body,
    )


def test_a_request_is_what_the_package_sends() -> None:
    """Path, body and every header, the key and the team's own among them, are those of the package's own way."""

    async def by_the_package(server: OpenAIServer) -> None:
        client = client_of(server)(openai.DefaultAioHttpClient())
        await client.post(
            PATH, cast_to=httpx2.Response, content=BODY, options={"headers": {"Content-Type": "application/json"}}
        )
        await client.close()

    with OpenAIServer() as server:
        asyncio.run(by_the_package(server))
        with_wire(server, lambda wire: wire.post(PATH, BODY))
        theirs, ours = server.requests
        assert seen(ours) == seen(theirs)
        assert ours.headers["authorization"] == "Bearer key-1"


def test_only_calls_reach_the_server() -> None:
    """Building the request sends nothing."""

    async def three(wire: Wire) -> Reply | None:
        await wire.post(PATH, BODY)
        await wire.post("/responses", BODY)
        return await wire.post(PATH, BODY)

    with OpenAIServer() as server:
        with_wire(server, three)
        assert [request.path for request in server.requests] == [f"/v1{PATH}", "/v1/responses", f"/v1{PATH}"]


def test_first_calls_at_the_same_time_keep_their_paths() -> None:
    """Two requests that are built at once do not take each other's place."""

    async def both(wire: Wire) -> None:
        await asyncio.gather(*(wire.post(f"/path{i}", b'{"i": %d}' % i) for i in range(8)))

    with OpenAIServer() as server:
        with_wire(server, both)
        assert all(request.path == f"/v1/path{request.body['i']}" for request in server.requests)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (unauthorized("who is it"), openai.AuthenticationError),
        (rate_limited("3"), openai.RateLimitError),
        (replace(error(500, "oh"), compress=True), openai.InternalServerError),
        (ServerReply(status=418, raw=b"\xff"), openai.APIStatusError),
    ],
)  # fmt: skip
def test_a_refusal_is_the_packages_own_error(reply: ServerReply, kind: type[openai.APIStatusError]) -> None:
    """It holds status, headers and body as they came."""
    with OpenAIServer([reply]) as server, pytest.raises(kind) as caught:
        with_wire(server, lambda wire: wire.post(PATH, BODY))
    assert caught.value.status_code == reply.status
    assert caught.value.response.content == reply.raw
    assert caught.value.response.headers.get("Retry-After") == reply.headers.get("Retry-After")


def test_a_compressed_answer_is_decoded() -> None:
    """The package announces that it takes compressed answers, and real endpoints send them."""
    with OpenAIServer([replace(ok("x" * 5000), compress=True)]) as server:
        reply = with_wire(server, lambda wire: wire.post(PATH, BODY))
    assert reply is not None
    assert b"x" * 5000 in reply.content


def test_an_answer_without_a_length_is_read_to_its_end() -> None:
    """Chunks are put together."""
    reply = asyncio.run(_against_raw_server(_chunked([b'{"a"', b": 1", b"}"])))
    assert reply is not None
    assert reply.content == b'{"a": 1}'


def test_an_answer_without_a_length_has_a_limit_too() -> None:
    """What is beyond it is not held in memory."""
    piece = b"x" * 2**20
    with pytest.raises(ResponseTooLargeError):
        asyncio.run(_against_raw_server(_chunked([piece] * (LARGEST_RESPONSE // len(piece) + 2))))


def test_lines_end_at_lf_alone_wherever_the_pieces_end() -> None:
    """Each comes with its end; the last may have none."""
    assert asyncio.run(_lines(["あ\u2028b\r".encode(), b"\n\nc", b"d"])) == ["あ\u2028b\r\n".encode(), b"\n", b"cd"]


def test_a_line_has_a_limit() -> None:
    """What never ends is not held in memory."""
    piece = bytes(LARGEST_RESPONSE // 2)
    with pytest.raises(ResponseTooLargeError):
        asyncio.run(_lines([piece, piece, b"x"]))


async def _lines(pieces: list[bytes]) -> list[bytes]:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return [line async for line in read_lines(httpx2.Response(200, content=body()))]


def _chunked(pieces: list[bytes]) -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


async def _against_raw_server(answer: list[bytes]) -> Reply | None:
    """Make one call to a server that sends these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for piece in answer:
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def make_client(http_client: httpx2.AsyncClient) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(api_key="k", base_url=f"http://127.0.0.1:{port}/v1", http_client=http_client)

    wire = Wire(make_client, {}, concurrency=1, idle_s=1.0)
    try:
        return await wire.post(PATH, BODY)
    finally:
        await wire.aclose()
        server.close()


def test_redirects_are_followed() -> None:
    """A gateway that moved answers all calls; each costs the detour, none is sent twice to where it ends."""

    def script(request: Received) -> ServerReply:
        if request.path.startswith("/v1"):
            return ServerReply(status=307, raw=b"", headers={"Location": request.path.replace("/v1", "/v2")})
        return ok("moved")

    async def scenario(server: OpenAIServer) -> list[object]:
        target = open_with("openai", {"base_url": server.base_url}, env={})
        answers = [await target.call(make_request()) for _ in range(2)]
        await target.aclose()
        return [answer.output if isinstance(answer, Response) else answer for answer in answers]

    with OpenAIServer(script) as server:
        assert asyncio.run(scenario(server)) == ["moved", "moved"]
        assert [request.path[:3] for request in server.requests].count("/v2") == 2


def test_the_systems_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment names a proxy, calls go through it."""

    async def scenario() -> object:
        target = open_with("openai", {"base_url": "http://models.invalid/v1"}, env={})
        answer = await target.call(make_request())
        await target.aclose()
        return answer

    with OpenAIServer(["by proxy"]) as server:
        monkeypatch.setenv("http_proxy", server.origin)
        answer = asyncio.run(scenario())
        assert isinstance(answer, Response), answer
        assert (answer.output, server.requests[0].headers["host"]) == ("by proxy", "models.invalid")
