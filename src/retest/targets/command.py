"""The `command` provider: a program of the user's own, given the request as JSON on standard input."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from retest.domain.catalog import ProviderInfo
from retest.domain.code_files import code_hash
from retest.domain.json_value import JsonValue
from retest.domain.sample import CallError, CallOutcome, Response
from retest.domain.suite import TargetSpec
from retest.errors import Problem, UsageError
from retest.targets.answers import prompt_text, read_answer, target_error
from retest.targets.base import Request
from retest.targets.prices import PriceTable
from retest.targets.registry import Provider, TargetContext
from retest.targets.wire_json import dump_json, parse_json

_LARGEST_OUTPUT = 64 * 2**20  # bytes
_STDERR_TAIL = 2000  # bytes shown of what the program complained
_CHUNK = 2**16
_TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: the program says that another attempt may succeed


class CommandOptions(BaseModel):
    """Options of the `command` provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    argv: list[str] = Field(min_length=1, description="program and arguments; no shell is involved")
    output: Literal["text", "json"] = Field(
        default="text", description="text: standard output is the answer; json: it is an object with `output`"
    )
    timeout_s: float = Field(default=120.0, gt=0, description="limit for one call, seconds; then the program is killed")
    version: str | None = Field(default=None, description="change it when something outside the files has changed")


class CommandTarget:
    """Starts the program once per call, in the folder of the file that names it."""

    def __init__(
        self, argv: list[str], folder: Path, options: CommandOptions, *, env: Mapping[str, str], prices: PriceTable
    ) -> None:
        self._argv = argv
        self._folder = folder
        self._options = options
        self._env = dict(env.items()) or None  # all at once: a mapping may note each variable that is asked for
        self._prices = prices
        self._identity: dict[str, JsonValue] = {
            "provider": "command",
            "argv": list(options.argv),
            "files": _file_hashes(options.argv, folder),
            "output": options.output,
            "version": options.version,
        }

    @property
    def identity(self) -> Mapping[str, JsonValue]:
        """The arguments, and the content of those that are files beside the suite's."""
        return self._identity

    async def call(self, request: Request) -> CallOutcome:
        """Return what the program prints."""
        started = time.perf_counter()
        try:
            process = await self._start()
        except (OSError, ValueError) as error:
            return target_error(f"cannot start {self._argv[0]}: {error}")
        try:
            async with asyncio.timeout(self._options.timeout_s):
                stdout, stderr = await _exchange(process, dump_json(_request_json(request)))
                status = await process.wait()
        except TimeoutError:
            message = f"{self._argv[0]} gave no answer within {self._options.timeout_s:g} s and was stopped"
            return CallError(kind="timeout", message=message, retryable=True)
        finally:
            await _end(process)
        if len(stdout) > _LARGEST_OUTPUT:
            return target_error(f"{self._argv[0]} wrote more than {_LARGEST_OUTPUT >> 20} MB")
        outcome = self._outcome(status, stdout, stderr)
        if isinstance(outcome, Response) and outcome.latency_ms is None:
            return replace(outcome, latency_ms=(time.perf_counter() - started) * 1000)
        return outcome

    async def aclose(self) -> None:
        """Do nothing: each call ends its own process."""

    async def _start(self) -> asyncio.subprocess.Process:
        # A group of its own, so that stopping it also stops what it has started.
        group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x200}
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *self._argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self._folder, env=self._env, **group
        )

    def _outcome(self, status: int, stdout: bytes, stderr: bytes) -> CallOutcome:
        if status != 0:
            message = f"{self._argv[0]} {_describe_status(status)}"
            tail = stderr.decode("utf-8", "replace").strip()
            return target_error(f"{message}: {tail}" if tail else message, retryable=status == _TRY_AGAIN)
        if self._options.output == "text":
            return Response(output=_without_last_newline(stdout.decode("utf-8", "replace")))
        try:
            value = parse_json(stdout)
        except ValueError:
            shown = stdout[:200].decode("utf-8", "replace")
            return target_error(f"{self._argv[0]} printed no JSON: {shown!r}")
        return read_answer(value, self._prices)


def _request_json(request: Request) -> dict[str, Any]:
    """Return what the program reads; docs/targets.md describes each field."""
    case = request.case
    return {
        "messages": list(request.messages),
        "prompt": prompt_text(request.messages),
        "prompt_name": request.prompt_name,
        "model": request.model,
        "params": dict(request.params),
        "case": {"id": case.case_id, "vars": dict(case.vars), "tags": list(case.tags), "meta": dict(case.meta)},
        "sample_index": request.sample_index,
    }


async def _exchange(process: asyncio.subprocess.Process, data: bytes) -> tuple[bytes, bytes]:
    """Write the request, read both outputs to their end; of standard error only the tail is kept."""
    assert process.stdin is not None  # noqa: S101 - started with pipes
    assert process.stdout is not None  # noqa: S101 - the same
    assert process.stderr is not None  # noqa: S101 - the same
    async with asyncio.TaskGroup() as group:
        group.create_task(_write(process.stdin, data))
        stdout = group.create_task(_read_all(process.stdout, process))
        stderr = group.create_task(_read_tail(process.stderr))
    return stdout.result(), stderr.result()


async def _write(stdin: asyncio.StreamWriter, data: bytes) -> None:
    # A program may answer without reading its input.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        stdin.write(data + b"\n")
        await stdin.drain()
    stdin.close()


async def _read_all(stream: asyncio.StreamReader, process: asyncio.subprocess.Process) -> bytes:
    """Return the output; a program that writes too much is killed, and the excess tells the caller."""
    content = bytearray()
    while len(content) <= _LARGEST_OUTPUT and (chunk := await stream.read(_CHUNK)):
        content += chunk
    if len(content) > _LARGEST_OUTPUT:
        _kill(process)
    return bytes(content)


async def _read_tail(stream: asyncio.StreamReader) -> bytes:
    tail = b""
    while chunk := await stream.read(_CHUNK):
        tail = (tail + chunk)[-_STDERR_TAIL:]
    return tail


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill whatever is left of the program's group, and wait for the program itself."""
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform != "win32":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _describe_status(status: int) -> str:
    if status > 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


def _without_last_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _file_hashes(argv: list[str], folder: Path) -> dict[str, JsonValue]:
    """Return the hash of each relative argument that is a file, so that an edited script is another target.

    Of a Python script with what it imports from beside it.
    """
    paths = {argument: folder / argument for argument in argv}
    return {
        argument: (code_hash(path) if path.suffix == ".py" else hashlib.sha256(path.read_bytes()).hexdigest())[:32]
        for argument, path in paths.items()
        if argument and not Path(argument).is_absolute() and path.is_file()
    }


def _resolve_program(program: str, spec: TargetSpec, env: Mapping[str, str]) -> str:
    """Return the program's path: one with a slash is relative to the suite's file, another is looked up in PATH.

    Raises:
        UsageError: there is no such program.
    """
    name = str(spec.base_dir / program) if "/" in program or os.sep in program else program
    found = shutil.which(name, path=env.get("PATH"))
    if found is None:
        raise UsageError(
            Problem(
                slug="target-command",
                message=f"cannot run '{program}': no such program, or not executable",
                where=spec.where,
                fix="give a program in PATH, or a path relative to the file that names it",
            )
        )
    return str(Path(found).absolute())


def _open_command(spec: TargetSpec, context: TargetContext) -> CommandTarget:
    options = CommandOptions.model_validate(dict(spec.options))
    program = _resolve_program(options.argv[0], spec, context.env)
    return CommandTarget([program, *options.argv[1:]], spec.base_dir, options, env=context.env, prices=context.prices)


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        info=ProviderInfo(
            name="command",
            summary="a program of your own: JSON on standard input, the answer on standard output",
            options=lambda: CommandOptions,
            runs_code=True,
        ),
        open=_open_command,
    ),
)
