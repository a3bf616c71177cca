"""The `local` provider: a GGUF file, run inside this process by llama.cpp (extra `local`)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retest.domain.catalog import ProviderInfo
from retest.domain.embedding import EMBEDDINGS_API
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome
from retest.domain.suite import TargetSpec
from retest.errors import missing_extra
from retest.targets.base import Request, Target
from retest.targets.credentials import Scrubber
from retest.targets.local_embedding import PACKAGED_EMBEDDINGS, open_embeddings
from retest.targets.local_weights import Weights, cache_folder, find_weights
from retest.targets.openai_client import Endpoint, connect
from retest.targets.openai_embedding import EmbeddingFormat
from retest.targets.openai_format import ChatFormat
from retest.targets.openai_target import OpenAITarget, Pricing
from retest.targets.prices import Price
from retest.targets.registry import Provider, TargetContext
from retest.targets.streaming import StreamError

# For a base model, which knows no roles: the prompt's own text and nothing else.
PLAIN_TEMPLATE = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}"
_DEFAULT_MAX_TOKENS = 512  # a base model rarely stops by itself
_PROMPT_CACHE_MIB = 256


class LocalOptions(BaseModel):
    """Options of the `local` provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    api: Literal["chat", "embeddings"] = Field(
        default="chat", description="chat completions, or embeddings (for the judge of `embedding_similarity`)"
    )
    pooling: Literal["mean", "cls", "last"] | None = Field(
        default=None, description="with `api: embeddings`: how a text's vectors become one; unset: as the file says"
    )
    path: str | None = Field(default=None, description="a GGUF file; unset: `model` names a packaged model")
    cache_dir: str | None = Field(
        default=None, description="where a packaged model is unpacked; unset: retest's folder in the user's cache"
    )
    chat_template: str | None = Field(
        default=None, description="Jinja chat template; unset: the file's own, else the messages' text put together"
    )
    n_ctx: int = Field(default=2048, ge=64, description="context length of one call, tokens")
    parallel: int = Field(default=2, ge=1, le=64, description="calls answered at the same time")
    threads: int | None = Field(default=None, ge=1, description="processor threads; unset: llama.cpp's choice")
    timeout_s: float = Field(default=600.0, gt=0, description="limit for one call, seconds")


class LocalTarget:
    """Loads the model at the first call, and answers through its server on a loopback port of its own."""

    def __init__(self, weights: Weights, options: LocalOptions, *, concurrency: int) -> None:
        self._weights = weights
        self._options = options
        self._embeds = options.api == EMBEDDINGS_API
        self._concurrency = concurrency
        self._lock = asyncio.Lock()
        # The latency of a call is the model's time on it: what waits for a turn waits here, before the clock starts.
        self._turns = asyncio.Semaphore(options.parallel)
        self._server: Any = None
        self._target: OpenAITarget | None = None
        self._identity: dict[str, JsonValue] = {
            "provider": "local",
            "weights": weights.fingerprint,
            "chat_template": _template(weights, options),
            "n_ctx": options.n_ctx,
            **({"api": options.api, "pooling": options.pooling} if self._embeds else {}),
        }

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The weights, the chat template and the context length."""
        return self._identity

    async def call(self, request: Request) -> CallOutcome:
        """Return the model's answer."""
        target = await self._ready()
        if isinstance(target, CallError):
            return target
        async with self._turns:
            return await target.call(request)

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """Yield the answer's text as it is written.

        Raises:
            StreamError: the model cannot be loaded, or the call failed.
        """
        target = await self._ready()
        if isinstance(target, CallError):
            raise StreamError(target)
        async with self._turns:
            async for piece in target.stream(request):
                yield piece

    async def aclose(self) -> None:
        """Stop the server and free the model; may be called twice."""
        async with self._lock:
            target, self._target = self._target, None
            server, self._server = self._server, None
            if target is not None:
                await target.aclose()
            if server is not None:
                held = [server]
                del server
                await asyncio.to_thread(held.clear)  # the last reference: waits for the server's threads to end

    async def _ready(self) -> OpenAITarget | CallError:
        async with self._lock:
            if self._target is None:
                try:
                    key = secrets.token_hex(16)
                    self._server = await asyncio.to_thread(_start_server, self._weights, self._options, key)
                    self._target = self._connect(key)
                except Exception as error:  # noqa: BLE001 - whatever llama.cpp reports, every call would fail alike
                    message = f"cannot load the local model {self._weights.path}: {error}"
                    return CallError(kind="target_error", message=message, fatal=True)
            return self._target

    def _connect(self, key: str) -> OpenAITarget:
        endpoint = Endpoint(
            base_url=f"{self._server.listening_address}/v1",
            shown_url=f"the local model {self._weights.name}",
            api_key=key,
            timeout_s=self._options.timeout_s,
            concurrency=self._concurrency,
        )
        return OpenAITarget(
            connect(endpoint, Scrubber([key])),
            EmbeddingFormat() if self._embeds else ChatFormat(),
            identity=self._identity,
            pricing=Pricing(own=Price(input=0, output=0)),  # known: one's own machine charges nothing per token
            extra_body={},
        )


def _template(weights: Weights, options: LocalOptions) -> str | None:
    """Return the chat template to use, None for the file's own."""
    if options.chat_template is not None:
        return options.chat_template
    return None if weights.has_template else PLAIN_TEMPLATE


def _start_server(weights: Weights, options: LocalOptions, key: str) -> Any:
    """Load the model; it listens on a free loopback port and answers only to the key."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(weights.path)
    params.model_alias = {weights.name}
    params.n_parallel = options.parallel
    params.n_ctx = options.n_ctx * options.parallel
    params.n_predict = _DEFAULT_MAX_TOKENS
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    # Models with a sliding window forget the shared beginning of a prompt otherwise, and read it anew at every call:
    # measured with Gemma, 456 ms of processor time a call against 113.
    params.swa_full = True
    params.api_keys = [key]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.warmup = False
    params.verbosity = 0
    if options.api == EMBEDDINGS_API:
        params.embedding = True
        if options.pooling is not None:
            pooling = f"LLAMA_POOLING_TYPE_{options.pooling.upper()}"
            params.pooling_type = getattr(xllamacpp.llama_pooling_type, pooling)
        params.n_ubatch = params.n_batch = options.n_ctx  # a text is embedded whole, in one step
    if options.threads is not None:
        params.cpuparams.n_threads = options.threads
        params.cpuparams_batch.n_threads = options.threads
    template = _template(weights, options)
    if template is not None:
        params.chat_template = template
        params.force_pure_content_parser = template == PLAIN_TEMPLATE
    return xllamacpp.Server(params)


def _open_local(spec: TargetSpec, context: TargetContext) -> Target:
    options = LocalOptions.model_validate(dict(spec.options))
    packaged = spec.model if options.path is None and options.api == EMBEDDINGS_API else None
    if packaged is not None and packaged in PACKAGED_EMBEDDINGS:
        return open_embeddings(packaged)
    if find_spec("xllamacpp") is None:
        raise missing_extra("local", "a local model")
    folder = cache_folder(options.cache_dir, spec.base_dir, context.env)
    path = None if options.path is None else spec.base_dir / options.path
    weights = find_weights(path, spec.model, folder, spec.where)
    return LocalTarget(weights, options, concurrency=context.concurrency)


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="local",
            summary="a GGUF model run on this machine, without a key or a network (extra 'local')",
            options=lambda: LocalOptions,
        ),
        open=_open_local,
    ),
)
