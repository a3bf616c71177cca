"""Who may ask, and from where: the host asked for, the token, the origin of forms; and the policy of pages."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_COOKIE = "retest_token"  # noqa: S105 - a name
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with none at all, browsers leave the origin of our own forms out too
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
_READING = frozenset({"GET", "HEAD"})


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeper:
    """Decides about requests.

    Attributes:
        hosts: names under which the server may be asked for. Addresses are taken beside them where it listens to other
            machines: a page of another site can make a name of its own lead here, an address it cannot.
        takes_addresses: whether addresses of any kind are fine.
        token: needed for every page; None where only this machine can ask.
        form_key: what every form carries, known only to who could read a page.
    """

    hosts: frozenset[str]
    takes_addresses: bool = False
    token: str | None = None
    form_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def knows_host(self, header: str) -> bool:
        """Return whether a Host header names this server."""
        name = urlsplit(f"//{header}").hostname
        if name is None:
            return False
        if name in self.hosts:
            return True
        return self.takes_addresses and _is_address(name)

    def is_same_origin(self, headers: Headers) -> bool:
        """Return whether a form was sent by a page of this server."""
        site = headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return site == "same-origin"
        return urlsplit(origin).netloc == headers.get("host")

    def has_token(self, headers: Headers) -> bool:
        """Return whether a request carries the token, as a cookie or a bearer."""
        if self.token is None:
            return True
        cookie = SimpleCookie(headers.get("cookie", "")).get(TOKEN_COOKIE)
        given = [cookie.value] if cookie is not None else []
        given.append(headers.get("authorization", "").removeprefix("Bearer ").strip())
        return any(self.is_token(one) for one in given)

    def is_token(self, given: str) -> bool:
        """Return whether this is the token, in a time that says nothing about it."""
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def is_form_key(self, given: str) -> bool:
        """Return whether a form carries the key of the pages."""
        return secrets.compare_digest(given.encode("utf-8", "replace"), self.form_key.encode())


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """Lets through what the gatekeeper allows, and gives every answer the headers that keep pages to themselves."""

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        self._app, self._gatekeeper = app, gatekeeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refuse(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        keeper, headers = self._gatekeeper, Headers(scope=scope)
        if not keeper.knows_host(headers.get("host", "")):
            return PlainTextResponse("This is not the server that was asked for.", status_code=421)
        if not keeper.has_token(headers):
            return self._log_in(scope)
        if scope["method"] not in _READING and not keeper.is_same_origin(headers):
            return PlainTextResponse("This form was sent from another site.", status_code=403)
        return None

    def _log_in(self, scope: Scope) -> Response:
        """Take the token from the address once, into a cookie, so that it does not stay in the history."""
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        given = dict(query).get("token", "")
        if scope["method"] != "GET" or not self._gatekeeper.is_token(given):
            text = "Open the address that `retest view` printed: it carries the token."
            return PlainTextResponse(text, status_code=401)
        rest = _rest(query)
        answer = RedirectResponse(f"{_local_path(scope['path'])}{f'?{rest}' if rest else ''}", status_code=303)
        answer.set_cookie(TOKEN_COOKIE, given, httponly=True, samesite="strict", path="/")
        return answer


def _rest(query: Sequence[tuple[str, str]]) -> str:
    return urlencode([(name, value) for name, value in query if name != "token"])


def _local_path(path: str) -> str:
    """Return a path that leads nowhere else: ``//evil.example`` would be another host."""
    return "/" + path.lstrip("/\\")
