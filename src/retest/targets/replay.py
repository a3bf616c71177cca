"""The `replay` provider: answers from a recording, so that outputs produced elsewhere are scored without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from retest.domain.catalog import ProviderInfo
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response, Usage
from retest.domain.suite import TargetSpec
from retest.targets.answers import amount
from retest.targets.base import Request
from retest.targets.openai_format import text_or_none
from retest.targets.recording import Recording, Row, Selection
from retest.targets.registry import Provider, TargetContext
from retest.targets.tool_calls import normalise_tool_calls
from retest.targets.wire_json import as_text


class ReplayFields(BaseModel):
    """Which field of the recording holds what; dotted paths reach into objects. Unset: common names are looked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    case: str | None = Field(default=None, description="case id; unset: case_id or id")
    sample: str | None = Field(default=None, description="number of the repeat; unset: sample_index, repeat or sample")
    prompt: str | None = Field(default=None, description="name of the prompt, where one recording holds several")
    output: str | None = Field(default=None, description="the answer; unset: output, response, completion or text")
    error: str | None = Field(default=None, description="why there is no answer")
    latency_ms: str | None = Field(default=None, description="latency in milliseconds")
    latency_s: str | None = Field(default=None, description="latency in seconds")
    cost_usd: str | None = Field(default=None, description="cost in USD")
    input_tokens: str | None = Field(default=None, description="prompt tokens")
    output_tokens: str | None = Field(default=None, description="completion tokens")
    tool_calls: str | None = Field(default=None, description="list of tool calls")
    model: str | None = Field(default=None, description="model that answered")
    finish_reason: str | None = Field(default=None, description="why the model stopped")


class ReplayOptions(BaseModel):
    """Options of the `replay` provider."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: str = Field(description="a JSONL recording, may be gzipped (.gz); relative to the file that names it")
    fields: ReplayFields = Field(default_factory=ReplayFields, description="names of the recording's fields")
    where: dict[str, Any] = Field(
        default_factory=dict, description="only rows with these values: field to value, or to a list of values"
    )


class ReplayTarget:
    """Answers each (case, sample) with what was recorded for it."""

    def __init__(self, recording: Recording, identity: Mapping[str, JsonValue]) -> None:
        self._recording = recording
        self._identity = identity

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The recording's content, which rows of it and which fields."""
        return self._identity

    async def call(self, request: Request) -> CallOutcome:
        """Return what was recorded; `missing_recording` where nothing was."""
        case_id, sample = request.case.case_id, request.sample_index
        try:
            row = self._recording.find(case_id, sample, request.prompt_name)
        except (OSError, ValueError) as error:
            return CallError(kind="missing_recording", message=f"the recording changed while in use: {error}")
        if row is None:
            name = self._recording.path.name
            message = f"{name} has no recorded output for case {case_id!r}, sample {sample}"
            return CallError(kind="missing_recording", message=message)
        return self._outcome(row)

    async def aclose(self) -> None:
        """Close the file."""
        self._recording.close()

    def _outcome(self, row: Row) -> CallOutcome:
        failure = self._recording.get(row, "error")
        output = self._recording.get(row, "output")
        tool_calls = normalise_tool_calls(self._recording.get(row, "tool_calls"))
        if failure:
            return _recorded_error(failure)
        if output is None and not tool_calls:
            return CallError(kind="missing_recording", message="the recorded output is null")
        return self._response(row, "" if output is None else as_text(output), tool_calls)

    def _response(self, row: Row, output: str, tool_calls: tuple[JsonValue, ...]) -> Response:
        get = self._recording.get
        return Response(
            output=output,
            tool_calls=tool_calls,
            finish_reason=text_or_none(get(row, "finish_reason")),
            model=text_or_none(get(row, "model")),
            usage=Usage(input_tokens=_count(get(row, "input_tokens")), output_tokens=_count(get(row, "output_tokens"))),
            latency_ms=_latency_ms(get(row, "latency_ms"), get(row, "latency_s")),
            cost_usd=amount(get(row, "cost_usd")),
        )


def _recorded_error(failure: Any) -> CallError:
    """Return a recorded error; an object may say its kind, as retest's own exports do."""
    if isinstance(failure, Mapping):
        message = failure.get("message") or failure.get("detail") or as_text(failure)
        return CallError(kind=str(failure.get("kind") or "target_error"), message=f"recorded error: {message}")
    return CallError(kind="target_error", message=f"recorded error: {as_text(failure)}")


def _count(value: Any) -> int | None:
    number = amount(value)
    return None if number is None else int(number)


def _latency_ms(milliseconds: Any, seconds: Any) -> float | None:
    exact, rough = amount(milliseconds), amount(seconds)
    if exact is not None or rough is None:
        return exact
    return rough * 1000


def _open_replay(spec: TargetSpec, context: TargetContext) -> ReplayTarget:  # noqa: ARG001 - the Opener protocol
    options = ReplayOptions.model_validate(dict(spec.options))
    named = {name: value for name, value in options.fields.model_dump().items() if value is not None}
    recording = Recording(spec.base_dir / options.path, Selection(fields=named, where=options.where))
    identity: dict[str, JsonValue] = {
        "provider": "replay",
        "recording": recording.digest[:32],
        "fields": named,
        "where": options.where,
    }
    return ReplayTarget(recording, identity)


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="replay",
            summary="answers from a JSONL recording; scores outputs produced elsewhere without running a model",
            options=lambda: ReplayOptions,
        ),
        open=_open_replay,
    ),
)
