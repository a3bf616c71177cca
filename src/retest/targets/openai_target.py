"""A target behind an OpenAI-compatible endpoint, whichever the request format and the kind of endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic import JsonValue as AnyJson

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.targets.base import RateLimits, Request
from retest.targets.batching import Batcher
from retest.targets.openai_client import Answer, Connection
from retest.targets.openai_embedding import EmbeddingFormat
from retest.targets.openai_format import ChatFormat, Format
from retest.targets.openai_moderation import ModerationFormat
from retest.targets.openai_responses import ResponsesFormat
from retest.targets.prices import Price, PriceTable
from retest.targets.rate_headers import RateOptions, read_limits
from retest.targets.streaming import StreamError

Api = Literal["chat", "responses", "moderations", "embeddings"]


class EndpointOptions(RateOptions):
    """Options that every OpenAI-compatible endpoint takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    api: Api = Field(default="chat", description="chat completions, or the responses, moderations or embeddings API")
    headers: dict[str, str] = Field(default_factory=dict, description="extra HTTP headers; ${VAR} is filled in")
    extra_body: dict[str, AnyJson] = Field(default_factory=dict, description="added to every request body as it is")
    timeout_s: float = Field(default=120.0, gt=0, description="limit for one attempt, seconds")
    price: Price | None = Field(default=None, description="price of this target's model, before any price table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """How calls of one target are priced: its own price, else the table's price of the model."""

    table: PriceTable = field(default_factory=PriceTable)
    own: Price | None = None

    def cost(self, usage: Usage, *models: str | None, by_batch: bool = False) -> float | None:
        """Return USD, None where unknown."""
        price = self.own or self.table.first(*models)
        if price is None:
            return None
        return (price.by_batch() if by_batch else price).cost(usage)


_BATCHED = (ChatFormat.path, ResponsesFormat.path)


class OpenAITarget:
    """Answers through one connection; also streams, and takes batches."""

    batch_prefix = "/v1"  # of the paths of calls in a batch, whatever the base URL is

    def __init__(
        self,
        connection: Connection,
        request_format: Format,
        *,
        identity: Mapping[str, JsonValue],
        pricing: Pricing,
        extra_body: Mapping[str, JsonValue],
        limits: RateLimits | None = None,
    ) -> None:
        self._connection = connection
        self._format = request_format
        self._identity = identity
        self._pricing = pricing
        self._extra_body = extra_body
        self._limits = limits or RateLimits()

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """Endpoint, format, headers and body additions; no credential, and no model (a request's own)."""
        return self._identity

    @property
    def rate_limits(self) -> RateLimits:
        """The suite's limits, and what the endpoint's headers last said."""
        return read_limits(self._connection.last_headers, self._limits)

    async def call(self, request: Request) -> CallOutcome:
        """Return the response or the error of one attempt."""
        answer = await self._connection.post(self._path(request), self._body(request))
        if isinstance(answer, CallError):
            return answer
        found = self._format.parse(answer.data)
        return self._connection.scrub(found) if isinstance(found, CallError) else self._complete(found, answer, request)

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """Yield the answer's text as it arrives.

        Raises:
            StreamError: the call failed, at the start or midway.
        """
        async for event in self._connection.events(self._path(request), {**self._body(request), "stream": True}):
            piece = event if isinstance(event, CallError) else self._format.delta(event)
            if isinstance(piece, CallError):
                raise StreamError(self._connection.scrub(piece))
            if piece:
                yield piece

    def batcher(self) -> Batcher | None:
        """Return what sends calls in batches; None for kinds of calls that are not tried in them."""
        if self._format.path not in _BATCHED:
            return None
        from retest.targets.openai_batch import BatchFormat, OpenAIBatcher

        return OpenAIBatcher(
            self._connection,
            BatchFormat(
                url=f"{self.batch_prefix}{self._format.path}",
                body=self._body,
                parse=self._format.parse,
                price=lambda found, model: self._pricing.cost(found.usage, found.model, model, by_batch=True),
            ),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    def _path(self, request: Request) -> str:  # noqa: ARG002 - Azure's path depends on the request
        return self._format.path

    def _body(self, request: Request) -> dict[str, JsonValue]:
        body = {**self._format.body(request), **self._extra_body}
        body.pop("stream", None)  # whether to stream is the caller's choice, by method
        return body

    def _complete(self, response: Response, answer: Answer, request: Request) -> Response:
        meta = dict(response.meta) if answer.request_id is None else {**response.meta, "request_id": answer.request_id}
        cost_usd = self._pricing.cost(response.usage, response.model, request.model)
        return replace(response, latency_ms=answer.latency_ms, cost_usd=cost_usd, meta=meta)


def choose_format(api: Api) -> Format:
    """Return the request format of that name."""
    formats: dict[Api, type[Format]] = {
        "responses": ResponsesFormat,
        "moderations": ModerationFormat,
        "embeddings": EmbeddingFormat,
    }
    return formats.get(api, ChatFormat)()
