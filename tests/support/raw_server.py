"""A TCP server that answers requests with bytes of the test's choice: what no well-behaved server would send."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from support.openai_wire import chat_body
from support.threaded_server import ThreadedServer

# What to do with a request: bytes to send, then how to end ("close", "reset", "hang").
Answer: TypeAlias = tuple[bytes, str]
Script: TypeAlias = Callable[[str, int], Answer]


def completion(text: str) -> bytes:
    """Return the body of a sound completion."""
    return json.dumps(chat_body({"content": text}, "stop", "test-model", None)).encode()


def http(body: bytes, *, content_type: str = "application/json", version: str = "1.1", **headers: str) -> bytes:
    """Return a whole 200 response."""
    lines = [f"HTTP/{version} 200 OK", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def gzip_bomb(size: int) -> bytes:
    """Return a response that is small on the wire and grows to so many bytes."""
    return http(gzip.compress(b" " * size, mtime=0), Content_Encoding="gzip")


class RawServer(ThreadedServer):
    """The server; `asked` counts the requests by their last message."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self._script = script
        self._server: asyncio.Server | None = None
        self._port = 0
        self._open: set[asyncio.Task[Any]] = set()

    @property
    def base_url(self) -> str:
        """Return what a client takes as its base URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def port(self) -> int:
        """Return where it listens."""
        return self._port

    @property
    def count(self) -> int:
        """Return the number of requests received."""
        return self.asked.total()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            question = await _read_question(reader)
            if question is not None:
                self.asked[question] += 1
                await _answer(writer, *self._script(question, self.asked[question]))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()


async def _read_question(reader: asyncio.StreamReader) -> str | None:
    """Return the last message of a request; None where no request came."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-l"))
        body = json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, StopIteration, ValueError):
        return None
    return str(body["messages"][-1]["content"])


async def _answer(writer: asyncio.StreamWriter, data: bytes, end: str) -> None:
    for start in range(0, len(data), 2**20):
        writer.write(data[start : start + 2**20])
        await writer.drain()
    if end == "hang":
        await asyncio.sleep(3600)
    if end == "reset":
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    writer.close()
    await writer.wait_closed()
