"""A process that has imported what `retest` commands import, has run nothing, and forks itself for each command.

The imports are most of what a short command costs. `support.forked` starts this file, and sends it over a Unix socket,
for each command, a JSON document (`args`, `cwd`, `env`) with four file descriptors: where to say the process's id and
later how it ended, and its stdin, stdout and stderr.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any, TextIO

# What retest's functions import when they are called. Not `typer.rich_utils`: it looks at the environment.
_IMPORTED_LATER = (
    "aiohttp",
    "jinja2.sandbox",
    "jsonschema",
    "numpy.ma",
    "numpy.random",
    "orjson",
    "rapidfuzz.distance",
    "regex",
    "retest.cli",
    "rich._emoji_codes",
    "rich.console",
    "rich.table",
    "scipy.stats",
    "sqlalchemy.dialects.sqlite",
    "typer._adapters",
    "yaml",
)
# Programs, the files that `retest init` writes, and what loads pytest.
_LEFT_OUT = ("retest.__main__", "retest.integrations", "retest.metrics.python_worker", "retest.scaffold")


def main() -> None:
    """Serve until nobody is left who could ask; each fork leaves the loop, and is a command."""
    interrupt = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the commands and for whoever started them
    requests = socket.socket(fileno=int(sys.argv[1]))
    _import_all()
    command = _serve(requests)
    if command is not None:
        signal.signal(signal.SIGINT, interrupt)
        _become(**command)


def _import_all() -> None:
    import retest
    from retest.targets.openai_import import load_openai

    load_openai()
    for name in (*_modules(Path(retest.__path__[0])), *_IMPORTED_LATER):
        with suppress(Exception):  # what is broken fails in the commands that need it, as it does without this server
            import_module(name)
    gc.collect()
    gc.freeze()  # else each fork's first collection would copy every page
    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"{threads} threads: a fork would have the locks of all and the threads of one"


def _modules(package: Path) -> Iterator[str]:
    for file in sorted(package.rglob("*.py")):
        name = ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
        if not name.startswith(_LEFT_OUT):
            yield name


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Return, in a forked process, what it is to run; None in this one, when nobody is left to ask."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.data is not None:
                    waiting.unregister(key.fileobj)
                    _say_end(key.fd, *key.data)
                    continue
                document, descriptors, *_ = socket.recv_fds(requests, 2**20, 4)
                if not document:
                    return None
                says = socket.socket(fileno=descriptors[0])
                pid = os.fork()
                if pid == 0:
                    requests.close()
                    return {**json.loads(document), "says": says, "streams": descriptors[1:]}
                for descriptor in descriptors[1:]:
                    os.close(descriptor)
                says.send(str(pid).encode())
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, says))


def _become(*, args: list[str], cwd: str, env: dict[str, str], streams: list[int], says: socket.socket) -> None:
    """Be `python -m retest` with these arguments, there, with these streams and this environment; does not return.

    It ends as an interpreter does, but for taking every module apart, which would cost more than most commands.
    """
    says.close()
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        setattr(sys, name, _opened_again(getattr(sys, name), mode))
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[0] = str(Path.cwd())
    sys.argv = ["-m", *args]
    try:
        runpy.run_module("retest", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = _code_of(end)
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads, as the interpreter does at its end
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _code_of(end: SystemExit) -> int:
    """Return the exit code, as the interpreter reads it: anything but a number is said, and is a failure."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def _opened_again(stream: TextIO, mode: str) -> IO[str]:
    """Return a standard stream as an interpreter makes it, by what its descriptor is by now."""
    buffering = 1 if stream.line_buffering else -1
    return os.fdopen(stream.fileno(), mode, buffering, stream.encoding, stream.errors, closefd=False)


def _say_end(pidfd: int, pid: int, says: socket.socket) -> None:
    """Reap a process that has ended, and say how; whoever asked may be gone."""
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with says, suppress(BrokenPipeError):
        says.send(str(code).encode())


if __name__ == "__main__":
    main()
