"""A real HTTP server on loopback that speaks three endpoints of GitHub's REST API: comments listed, created, updated.

In a test::

    with GitHubServer(token="secret") as server:
        server.comments.append(stored(1, "someone", "hello"))
        server.failures.append(Failure(method="POST", status=502))       # the next POST fails so
        ...                                                             # point the client at server.url

It keeps comments in memory, gives pages of `per_page` (at most `page_size`) with a ``Link`` header as GitHub does, and
refuses requests without the token (401). Every request is in `requests` as (method, path).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

LOGIN = "github-actions[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The next request of `method` is answered so; with `after`, it takes effect all the same."""

    method: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"message": "no"}'
    after: bool = False


def stored(number: int, login: str | None, body: str) -> dict[str, Any]:
    """Return a comment in GitHub's form."""
    user = None if login is None else {"login": login, "type": "User"}
    return {"id": number, "user": user, "body": body, "html_url": f"https://github.test/c/{number}"}


class GitHubServer:
    def __init__(self, *, token: str, page_size: int = 100) -> None:
        self.token, self.page_size = token, page_size
        self.comments: list[dict[str, Any]] = []
        self.failures: list[Failure] = []
        self.requests: list[tuple[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self, "GET")

            def do_POST(self) -> None:
                server.answer(self, "POST")

            def do_PATCH(self) -> None:
                server.answer(self, "PATCH")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        """Return the root of the API."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        """Answer one request, as the next failure of its method says, else as GitHub would."""
        content = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        self.requests.append((method, handler.path))
        failure = next((failure for failure in self.failures if failure.method == method), None)
        if failure is not None:
            self.failures.remove(failure)
            if failure.after:
                self._reply(method, handler.path, content)
            send(handler, failure.status, failure.body, failure.headers)
        elif handler.headers.get("authorization") != f"Bearer {self.token}":
            send(handler, 401, '{"message": "Bad credentials"}', {})
        else:
            status, document, headers = self._reply(method, handler.path, content)
            send(handler, status, json.dumps(document), headers)

    def _reply(self, method: str, path: str, content: bytes) -> tuple[int, object, Mapping[str, str]]:
        place = urlsplit(path)
        if place.path == "/repos/o/r/issues/7/comments":
            if method == "GET":
                return self._page({name: int(values[0]) for name, values in parse_qs(place.query).items()})
            if method == "POST":
                made = stored(max((c["id"] for c in self.comments), default=0) + 1, LOGIN, json.loads(content)["body"])
                self.comments.append(made)
                return 201, made, {}
        for comment in self.comments:
            if method == "PATCH" and place.path == f"/repos/o/r/issues/comments/{comment['id']}":
                comment["body"] = json.loads(content)["body"]
                return 200, comment, {}
        return 404, {"message": "Not Found"}, {}

    def _page(self, query: Mapping[str, int]) -> tuple[int, object, Mapping[str, str]]:
        size = min(query.get("per_page", 30), self.page_size)
        page = query.get("page", 1)
        more = len(self.comments) > page * size
        link = {"Link": f'<{self.url}/x?page={page + 1}>; rel="next", <{self.url}/x>; rel="last"'} if more else {}
        return 200, self.comments[(page - 1) * size : page * size], link


def send(handler: BaseHTTPRequestHandler, status: int, body: str, headers: Mapping[str, str]) -> None:
    data = body.encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(data)
