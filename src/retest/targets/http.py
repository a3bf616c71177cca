"""The `http` provider: any JSON endpoint, with a templated body and a path to the answer in what comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic import JsonValue as AnyJson

from retest.domain.catalog import ProviderInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response
from retest.domain.suite import TargetSpec
from retest.targets.answers import read_answer
from retest.targets.base import RateLimits, Request
from retest.targets.call_errors import bad_response, beginning, read_error_body, shorten, status_error
from retest.targets.credentials import (
    Headers,
    Scrubber,
    check_url,
    expand,
    expand_headers,
    hide_sensitive,
    public_url,
    url_secrets,
)
from retest.targets.http_body import BodyTemplate, TemplateFailure, request_values
from retest.targets.json_path import JsonPath, parse_path
from retest.targets.prices import PriceTable
from retest.targets.rate_headers import RateOptions, read_limits
from retest.targets.registry import Provider, TargetContext
from retest.targets.wire_json import dump_json, parse_json

if TYPE_CHECKING:
    import aiohttp

_LARGEST_RESPONSE = 64 * 2**20  # bytes
_CHUNK = 2**16
_IDLE_S = 4.0  # common servers hang up after 5: a call on a connection just closed would fail for nothing
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400
_DEFAULT_BODY: AnyJson = {"prompt": "{{ prompt }}"}


class PickFields(BaseModel):
    """Where in the answer each part is; paths like ``$.choices[0].text``."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    output: str = Field(description="the answer's text")
    tool_calls: str | None = Field(default=None, description="list of tool calls")
    finish_reason: str | None = Field(default=None, description="why the model stopped")
    model: str | None = Field(default=None, description="model that answered")
    input_tokens: str | None = Field(default=None, description="prompt tokens")
    output_tokens: str | None = Field(default=None, description="completion tokens")
    cost_usd: str | None = Field(default=None, description="cost in USD")


class HttpOptions(RateOptions):
    """Options of the `http` provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    url: str = Field(description="address of the endpoint; ${VAR} is filled in")
    method: Literal["POST", "PUT", "PATCH", "GET"] = Field(default="POST", description="HTTP method; GET sends no body")
    headers: dict[str, str] = Field(default_factory=dict, description="extra HTTP headers; ${VAR} is filled in")
    query: dict[str, str] = Field(default_factory=dict, description="query fields; values are templates")
    body: AnyJson = Field(
        default=_DEFAULT_BODY,
        description="JSON body; its strings are templates over prompt, messages, vars, params, model, case_id, "
        "sample_index",
    )
    pick: str | PickFields | None = Field(
        default=None, description="where the answer is, such as $.choices[0].text; unset: the whole body as text"
    )
    timeout_s: float = Field(default=120.0, gt=0, description="limit for one attempt, seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """The checked options."""

    url: str = field(repr=False)
    shown_url: str
    headers: Headers
    options: HttpOptions
    body: BodyTemplate
    query: BodyTemplate
    picks: Mapping[str, JsonPath]
    scrubber: Scrubber
    concurrency: int
    prices: PriceTable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes


class HttpTarget:
    """Sends one request per call."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._session: aiohttp.ClientSession | None = None
        self._last_headers: Mapping[str, str] = {}
        options = plan.options
        self._identity: dict[str, JsonValue] = {
            "provider": "http",
            "url": plan.shown_url,
            "method": options.method,
            "headers": dict(plan.headers.shown),
            "query": hide_sensitive(options.query),
            "body": hide_sensitive(options.body),
            "pick": options.pick.model_dump() if isinstance(options.pick, PickFields) else options.pick,
        }

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Address, method, headers, body template and picks; never a credential."""
        return self._identity

    @property
    def rate_limits(self) -> RateLimits:
        """The suite's limits, and what the endpoint's headers last said."""
        return read_limits(self._last_headers, self._plan.options.rate_limits)

    async def call(self, request: Request) -> CallOutcome:
        """Return the picked answer, or the error."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._plan.options.timeout_s):
                reply = await self._send(request)
        except TemplateFailure as error:
            return CallError(kind="bad_request", message=str(error))
        except Exception as error:  # noqa: BLE001 - every failure of a call is data
            return self._scrubbed(self._failure(error))
        self._last_headers = reply.headers
        outcome = self._outcome(reply)
        if isinstance(outcome, CallError):
            return self._scrubbed(outcome)
        return replace(outcome, latency_ms=(time.perf_counter() - started) * 1000)

    async def aclose(self) -> None:
        """Close the connections; may be called twice."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, request: Request) -> _Reply:
        plan = self._plan
        values = request_values(request)
        query = {name: str(value) for name, value in plan.query.render(values).items()}
        body = None if plan.options.method == "GET" else dump_json(plan.body.render(values))
        headers = {"Accept": "application/json", **plan.headers.values}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        session = self._open_session()
        # Redirects are not followed: custom headers with keys would go along to wherever they lead.
        async with session.request(
            plan.options.method, plan.url, params=query, data=body, headers=headers, allow_redirects=False
        ) as response:
            content = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                content += chunk
                if len(content) > _LARGEST_RESPONSE:
                    break
            return _Reply(status=response.status, headers=response.headers, content=bytes(content))

    def _open_session(self) -> aiohttp.ClientSession:
        """Return the one session, opened inside the event loop."""
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(limit=self._plan.concurrency, keepalive_timeout=_IDLE_S)
            self._session = aiohttp.ClientSession(
                connector=connector, trust_env=True, timeout=aiohttp.ClientTimeout(total=None)
            )
        return self._session

    def _failure(self, error: Exception) -> CallError:
        import aiohttp

        plan = self._plan
        if isinstance(error, TimeoutError):
            message = f"no answer from {plan.shown_url} within {plan.options.timeout_s:g} s"
            return CallError(kind="timeout", message=message, retryable=True)
        if isinstance(error, aiohttp.ClientError | OSError):
            reason = shorten(str(error)) or type(error).__name__
            return CallError(kind="connection", message=f"connection to {plan.shown_url}: {reason}", retryable=True)
        return CallError(kind="bad_request", message=f"the request could not be sent: {type(error).__name__}: {error}")

    def _scrubbed(self, error: CallError) -> CallError:
        return replace(error, message=self._plan.scrubber.scrub(error.message))

    def _outcome(self, reply: _Reply) -> CallOutcome:
        if len(reply.content) > _LARGEST_RESPONSE:
            return replace(bad_response(f"the answer is larger than {_LARGEST_RESPONSE >> 20} MB"), retryable=False)
        if reply.status >= _FIRST_ERROR:
            found = status_error(reply.status, read_error_body(reply.content), reply.headers, time.time())
            return replace(found, message=f"{self._plan.shown_url}: {found.message}") if found.fatal else found
        if reply.status >= _FIRST_REDIRECT:
            message = f"HTTP {reply.status}: {self._plan.shown_url} redirects to {reply.headers.get('Location', '?')}"
            return CallError(kind="not_found", message=message, status=reply.status, fatal=True)
        if not self._plan.picks:
            return Response(output=reply.content.decode("utf-8", "replace"))
        try:
            data = parse_json(reply.content)
        except ValueError:
            kind = reply.headers.get("Content-Type", "no content type")
            shown = beginning(reply.content)
            return bad_response(f"the server's answer is no JSON ({kind}): {shown}", status=reply.status)
        return self._picked(data, reply.status)

    def _picked(self, data: Any, status: int) -> CallOutcome:
        found = {name: path.find(data) for name, path in self._plan.picks.items()}
        if found["output"] is None and not found.get("tool_calls"):
            where = self._plan.picks["output"].text
            shown = beginning(dump_json(data))
            return bad_response(f"nothing at {where} in the server's answer: {shown}", status=status)
        usage = {name: found.pop(name, None) for name in ("input_tokens", "output_tokens")}
        return read_answer({**found, "usage": usage}, self._plan.prices)


def _open_http(spec: TargetSpec, context: TargetContext) -> HttpTarget:
    options = HttpOptions.model_validate(dict(spec.options))
    url = expand(options.url, context.env, setting="url", where=spec.where)
    check_url(url.value, "url", spec.where)
    headers = expand_headers(options.headers, context.env, where=spec.where)
    return HttpTarget(
        _Plan(
            url=url.value,
            shown_url=public_url(url.shown),
            headers=headers,
            options=options,
            body=BodyTemplate(options.body, "body", spec.where),
            query=BodyTemplate(dict(options.query), "query", spec.where),
            picks=_paths(options.pick, spec),
            scrubber=Scrubber([*url.secrets, *url_secrets(url.value), *headers.secrets]),
            concurrency=context.concurrency,
            prices=context.prices,
        )
    )


def _paths(pick: str | PickFields | None, spec: TargetSpec) -> dict[str, JsonPath]:
    if pick is None:
        return {}
    texts = {"output": pick} if isinstance(pick, str) else pick.model_dump(exclude_none=True)
    return {name: parse_path(text, spec.where) for name, text in texts.items()}


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="http",
            summary="any JSON endpoint: a templated body, and a path to the answer",
            options=lambda: HttpOptions,
            paid=True,
        ),
        open=_open_http,
    ),
)
