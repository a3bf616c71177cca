"""Batches on OpenAI-compatible endpoints: ``/files`` and ``/batches``, through the `openai` package.

The package's low-level requests are used, as for calls: they sign, and know Azure's paths and versions. Results are
read in pieces, for a file of them may be larger than what should be held in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote

from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response
from retest.targets.base import Request
from retest.targets.batching import BatchCallError, BatchFault, BatchState
from retest.targets.call_errors import bad_response, describe_error, status_error
from retest.targets.openai_client import Connection
from retest.targets.wire_json import as_text, dump_json, parse_json

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

_WINDOW = "24h"  # the only one there is
_TOKEN = "retest"  # noqa: S105 - the name of a field in a batch's metadata
_PAGE = 100  # batches in one page of their list, at most
_MOST_PAGES = 100
_CLOCKS_DIFFER = timedelta(hours=1)
_FILE_IN_WORK = frozenset({"pending", "running", "notrunning"})  # Azure's; elsewhere a file may be used at once
_FILE_LOOK_S = 2.0
_OK, _REDIRECTS, _SERVER_ERROR = 200, 300, 500
_EXPIRED, _CANCELLED = "batch_expired", "batch_cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFormat:
    """What the calls of a target look like in a batch.

    Attributes:
        url: of each call.
        body: from a request to the body that a direct call would have.
        parse: from the body of an answer to its outcome.
        price: from a response, and the model that was asked for, to its cost in a batch.
    """

    url: str
    body: Callable[[Request], Mapping[str, JsonValue]]
    parse: Callable[[Any], Response | CallError]
    price: Callable[[Response, str | None], float | None]


class OpenAIBatcher:
    """Batches of one target's calls; satisfies `Batcher`."""

    def __init__(self, connection: Connection, batch_format: BatchFormat) -> None:
        self._connection = connection
        self._format = batch_format
        self._client: AsyncOpenAI | None = None

    @property
    def place(self) -> str:
        """Return where batches go."""
        return self._connection.shown_url

    @property
    def endpoint(self) -> str:
        """Return what the calls in them are to."""
        return self._format.url

    # -- lines -----------------------------------------------------------------------------------------------------

    def line(self, request: Request, custom_id: str) -> bytes:
        """Return one call as a line of a batch's file."""
        call = {"custom_id": custom_id, "method": "POST", "url": self._format.url, "body": self._format.body(request)}
        return dump_json(call) + b"\n"

    def outcome(self, line: Any, model: str | None, batch_id: str) -> tuple[str, CallOutcome] | None:
        """Return the name and outcome of the call that a line of results is about."""
        name = line.get("custom_id") if isinstance(line, Mapping) else None
        if not isinstance(name, str):
            return None
        answer = line.get("response")
        if not isinstance(answer, Mapping):
            return name, self._connection.scrub(_not_done(line))
        status = answer.get("status_code")
        if type(status) is int and not _OK <= status < _REDIRECTS:
            return name, self._connection.scrub(status_error(status, describe_error(answer.get("body")), {}, 0.0))
        found = self._format.parse(answer.get("body"))
        if isinstance(found, CallError):
            return name, self._connection.scrub(found)
        meta: dict[str, JsonValue] = {**found.meta, "batch": batch_id}
        if isinstance(answer.get("request_id"), str):
            meta["request_id"] = answer["request_id"]
        return name, replace(found, cost_usd=self._format.price(found, model), meta=meta)

    # -- requests --------------------------------------------------------------------------------------------------

    async def upload(self, file: IO[bytes], name: str) -> str:
        """Hand a file over; return its name there once it may be used."""
        file.seek(0)
        data = await self._post(
            "/files",
            {"purpose": "batch"},
            files=[("file", (name, file, "application/jsonl"))],
            kind="multipart/form-data",
        )
        file_id = _text(data, "id", "a file")
        while str(data.get("status", "")).lower() in _FILE_IN_WORK:
            await asyncio.sleep(_FILE_LOOK_S)
            data = await self._get(f"/files/{_part(file_id)}")
        if data.get("status") == "error":
            why = as_text(data.get("status_details") or "the file was refused")
            raise self._error(CallError(kind="bad_request", message=f"file {file_id}: {why}"))
        return file_id

    async def create(self, file_id: str, token: str) -> BatchState:
        """Start a batch of a file."""
        body = {
            "input_file_id": file_id,
            "endpoint": self._format.url,
            "completion_window": _WINDOW,
            "metadata": {_TOKEN: token},
        }
        return self._state(await self._post("/batches", body))

    async def find(self, token: str, file_id: str, since: datetime) -> BatchState | None:
        """Return the batch of that name, or of that file; the list has the newest first."""
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = await self._get("/batches", {"limit": _PAGE, **({} if after is None else {"after": after})})
            found = page.get("data")
            states = [self._state(item) for item in found] if isinstance(found, list) else []
            ours = next((state for state in states if state.token == token or state.file_id == file_id), None)
            if ours is not None or not states or not page.get("has_more"):
                return ours
            oldest = states[-1]
            if oldest.created_at is not None and oldest.created_at < since - _CLOCKS_DIFFER:
                return None
            after = oldest.batch_id
        return None

    async def state(self, batch_id: str) -> BatchState:
        """Return how a batch is doing."""
        return self._state(await self._get(f"/batches/{_part(batch_id)}"))

    async def cancel(self, batch_id: str) -> BatchState:
        """Ask for a batch to end."""
        return self._state(await self._post(f"/batches/{_part(batch_id)}/cancel", {}))

    async def lines(self, file_id: str) -> AsyncIterator[Any]:
        """Yield the parsed lines of a file of results; None for what is no JSON."""
        from retest.targets.openai_wire import read_lines

        response = await self._send("get", f"/files/{_part(file_id)}/content")
        try:
            async for line in read_lines(response):
                if line.strip():
                    yield _parse(line)
        except Exception as error:
            raise self._failed(error) from error
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    def _state(self, data: Any) -> BatchState:
        """Return a batch as described, without credentials: a server may repeat them in its reasons."""
        state = _state(data)
        return replace(state, faults=tuple(self._scrubbed(fault) for fault in state.faults))

    def _scrubbed(self, fault: BatchFault) -> BatchFault:
        return replace(fault, message=self._connection.scrub(CallError(kind="", message=fault.message)).message)

    async def _get(self, path: str, params: Mapping[str, object] | None = None) -> Mapping[str, Any]:
        return await self._read(self._send("get", path, params=params))

    async def _post(
        self, path: str, body: Mapping[str, object], *, files: Any = None, kind: str = "application/json"
    ) -> Mapping[str, Any]:
        return await self._read(self._send("post", path, body=body, files=files, kind=kind))

    async def _read(self, sending: Any) -> Mapping[str, Any]:
        """Return the JSON object that answers a request."""
        from retest.targets.openai_wire import read_decoded

        response = await sending
        try:
            content = await read_decoded(response)
            data = parse_json(content)
        except ValueError as error:
            raise self._error(bad_response(f"{response.url.path}: the server's answer is no JSON")) from error
        except Exception as error:
            raise self._failed(error) from error
        if not isinstance(data, Mapping):
            raise self._error(bad_response(f"{response.url.path}: the server's answer is no JSON object"))
        return data

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        kind: str = "application/json",
        **content: Any,
    ) -> httpx2.Response:
        """Return the beginning of a response; its body is still to be read."""
        import httpx2

        if self._client is None:
            self._client = self._connection.open_client()
        options: dict[str, Any] = {"headers": {**self._connection.headers, "Content-Type": kind}}
        if params:
            options["params"] = params
        try:
            sent: httpx2.Response = await getattr(self._client, method)(
                path, cast_to=httpx2.Response, options=options, stream=True, stream_cls=None, **content
            )
        except Exception as error:
            raise self._failed(error) from error
        return sent

    def _error(self, error: CallError) -> BatchCallError:
        """Return an error to raise, without credentials: an address may have one in its path."""
        return BatchCallError(self._connection.scrub(error))

    def _failed(self, error: Exception) -> BatchCallError:
        return error if isinstance(error, BatchCallError) else BatchCallError(self._connection.failure(error))


def _not_done(line: Mapping[str, Any]) -> CallError:
    """Return why a call of a batch was not made."""
    found = describe_error(line)
    if _EXPIRED in found.codes:
        return CallError(kind="timeout", message="the batch expired before this call was made", retryable=True)
    if _CANCELLED in found.codes:
        return CallError(kind="timeout", message="the batch was cancelled before this call was made", retryable=True)
    error = status_error(found.status or _SERVER_ERROR, found, {}, 0.0)
    return replace(error, message=f"the batch did not make this call: {found.message}")


def _parse(line: bytes) -> Any:
    try:
        return parse_json(line)
    except ValueError:
        return None


def _state(data: Any) -> BatchState:
    if not isinstance(data, Mapping):
        raise BatchCallError(bad_response("the server's answer describes no batch"))
    counts = data.get("request_counts")
    counted = counts if isinstance(counts, Mapping) else {}
    names = data.get("metadata")
    return BatchState(
        batch_id=_text(data, "id", "a batch"),
        status=_status(_text(data, "status", "a batch").lower()),
        token=names.get(_TOKEN) if isinstance(names, Mapping) else None,
        file_id=_optional_text(data, "input_file_id"),
        output_file_id=_optional_text(data, "output_file_id"),
        error_file_id=_optional_text(data, "error_file_id"),
        created_at=_moment(data.get("created_at")),
        expires_at=_moment(data.get("expires_at")),
        answered=_count(counted, "completed"),
        failed=_count(counted, "failed"),
        faults=_faults(data.get("errors")),
    )


def _status(said: str) -> str:
    """Return a status as the public API spells it."""
    return "cancelled" if said == "canceled" else said


def _faults(errors: Any) -> tuple[BatchFault, ...]:
    found = errors.get("data") if isinstance(errors, Mapping) else errors
    if not isinstance(found, list):
        return ()
    return tuple(_fault(item) for item in found if isinstance(item, Mapping))


def _fault(item: Mapping[str, Any]) -> BatchFault:
    line = item.get("line")
    described = describe_error(item)
    return BatchFault(
        code=as_text(item.get("code") or ""), message=described.message, line=line if type(line) is int else None
    )


def _part(name: str) -> str:
    """Return a name that a server gave as one part of a path."""
    return quote(name, safe="")


def _text(data: Mapping[str, Any], name: str, what: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise BatchCallError(bad_response(f"the server's answer describes {what} without '{name}'"))
    return value


def _optional_text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def _count(counts: Mapping[str, Any], name: str) -> int:
    value = counts.get(name)
    return value if type(value) is int and value >= 0 else 0


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if type(value) is int and value > 0 else None
    except (OverflowError, OSError, ValueError):
        return None
