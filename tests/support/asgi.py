"""Asks an ASGI application as a browser would, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.types import ASGIApp

HOST = "127.0.0.1:8321"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8")


@dataclass(slots=True, kw_only=True)
class Browser:
    """Asks one application; `headers` go with every request."""

    app: ASGIApp
    headers: dict[str, str] = field(default_factory=lambda: {"host": HOST})

    def get(self, address: str, **headers: str | None) -> Answer:
        """Ask for a page."""
        return asyncio.run(self._ask("GET", address, b"", headers))

    def post(self, address: str, fields: Mapping[str, Any], **headers: str | None) -> Answer:
        """Send a form as one of the server's own pages does; further headers take the place of the usual ones."""
        usual = {"origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded"}
        return asyncio.run(self._ask("POST", address, urlencode(fields, doseq=True).encode(), usual | headers))

    async def _ask(self, method: str, address: str, body: bytes, extra: Mapping[str, str | None]) -> Answer:
        path, _, query = address.partition("?")
        headers = {**self.headers, **extra}
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
                if value is not None
            ],
            "scheme": "http",
            "root_path": "",
            "server": ("127.0.0.1", 8321),
            "client": ("127.0.0.1", 50000),
            "state": {},
        }
        sent: list[Any] = []
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start = sent[0]
        return Answer(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=b"".join(message.get("body", b"") for message in sent[1:]),
        )
