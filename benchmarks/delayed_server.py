"""A server that answers every request alike after a while: ``python -m benchmarks.delayed_server SECONDS``.

Bare asyncio streams of bytes, some 15 microseconds a request: it must not be what limits its client.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.completion import COMPLETION

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(COMPLETION)
) + COMPLETION
_LENGTH = b"content-length:"


class _Answering(asyncio.Protocol):
    """One connection; a request follows the answer to the one before."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if end and len(body) >= _length(head):
            self._received = b""
            self._loop.call_later(self._delay_s, self._answer)

    def _answer(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_ANSWER)


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.find(_LENGTH)
    return int(lower[start + len(_LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0


async def serve(delay_s: float) -> None:
    """Print the base URL and serve until killed."""
    server = await asyncio.get_running_loop().create_server(lambda: _Answering(delay_s), "127.0.0.1", 0, backlog=2048)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
