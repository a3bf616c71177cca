"""Connects to a Ray cluster, or starts one on this machine, and leaves nothing of it behind."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from typing import Any, Final

from retest.errors import Problem, UsageError, missing_extra

_HOST_AND_PORT = re.compile(r"\[?(?P<host>[^\s/\[\]]+?)\]?:(?P<port>\d{1,5})")
_TCP_S = 5.0
_CONNECT_S = 40.0
_OBJECT_STORE_BYTES: Final = 200_000_000  # of a cluster of our own: it holds what is on its way, nothing else
# Before Ray is imported, which reads them then. It must report to nobody; send no folder of the user's anywhere, which
# it does by itself under `uv run`; and keep its own noise from the terminal.
_RAY_ENVIRONMENT: Final[Mapping[str, str]] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


def import_ray() -> Any:
    """Return the library.

    Raises:
        MissingExtraError: it is not installed.
    """
    for name, value in _RAY_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise missing_extra("ray", "a run on a Ray cluster") from None
    return ray


def check_address(address: str) -> None:
    """Refuse what is no address of a cluster, and one where nobody listens.

    Raises:
        UsageError: it is neither 'local' nor 'auto' nor host:port, or nothing can be reached there.
    """
    if address in {"local", "auto"}:
        return
    parts = _HOST_AND_PORT.fullmatch(address)
    if parts is None or int(parts["port"]) > 65535:  # noqa: PLR2004 - the highest port there is
        problem = Problem(
            slug="ray-address",
            message=f"'{address}' is no address of a Ray cluster",
            details=("expected: local (a cluster on this machine alone), auto (the one that runs here), or host:port",),
            fix="--address host:6379, as `ray start --head` showed it",
        )
        raise UsageError(problem)
    try:
        socket.create_connection((parts["host"], int(parts["port"])), timeout=_TCP_S).close()
    except OSError as error:
        raise unreachable(address, error.strerror or str(error)) from None


def unreachable(address: str, reason: str) -> UsageError:
    """Return the error for a cluster that does not answer."""
    where = "no Ray cluster runs on this machine" if address == "auto" else f"no Ray cluster answers at {address}"
    return UsageError(
        Problem(
            slug="ray-unreachable",
            message=where,
            details=(reason,),
            fix="start one with `ray start --head`, join it on this machine with `ray start --address host:port`, or "
            "use --address local",
        )
    )


def connect(address: str) -> Callable[[], None]:
    """Connect this process to a cluster; return what ends the connection, with the cluster where it is our own.

    Runs that take place at the same time share a connection, which ends with the last of them.

    Raises:
        UsageError: it cannot be reached.
    """
    ray = import_ray()
    with _shared.lock:
        if _shared.connection is None:
            if ray.is_initialized():  # by the program that uses us
                return lambda: None
            check_address(address)
            connection = _Connection(ray, address)
            connection.open()
            _shared.connection = connection
        _shared.users += 1
    return _disconnect


def _disconnect() -> None:
    with _shared.lock:
        _shared.users -= 1
        if _shared.users == 0 and _shared.connection is not None:
            _shared.connection.close()
            _shared.connection = None


class _Connection:
    """A connection with a thread of its own, which lives as long.

    Ray's processes on this machine end with the thread that started them. And nobody waits for it: what listens at a
    port may be no Ray, which Ray tries to talk to for minutes.
    """

    def __init__(self, ray: Any, address: str) -> None:
        self._ray = ray
        self._address = address
        self._answer: Queue[BaseException | None] = Queue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="retest-ray")

    def open(self) -> None:
        """Connect.

        Raises:
            UsageError: it cannot be reached.
        """
        self._thread.start()
        try:
            failed = self._answer.get(timeout=_CONNECT_S)
        except Empty:
            raise unreachable(self._address, f"no answer within {_CONNECT_S:g} s") from None
        if failed is not None:
            raise unreachable(self._address, " ".join(str(failed).split())[:300]) from failed

    def close(self) -> None:
        """End the connection."""
        self._over.set()
        self._thread.join(_CONNECT_S)

    def _run(self) -> None:
        if self._address != "local":
            self._connected({})
            return
        with TemporaryDirectory(prefix="retest-ray-", dir=_short_folder(), ignore_cleanup_errors=True) as folder:
            own = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES, "_temp_dir": folder}
            self._connected(own)

    def _connected(self, own: Mapping[str, Any]) -> None:
        """Connect, and stay so until it is over; `own` is how a cluster of our own is started."""
        try:
            with _nameless():
                self._ray.init(
                    address=self._address,
                    namespace="retest",
                    log_to_driver=False,
                    logging_level="CRITICAL",
                    **own,
                )
        except BaseException as error:  # noqa: BLE001 - it is told by whoever waits
            self._answer.put(error)
            return
        self._answer.put(None)
        self._over.wait()
        with suppress(Exception):
            self._ray.shutdown()


def _short_folder() -> str | None:
    """Return where folders have short names, for the paths of Ray's sockets are below; None is the system's own."""
    return "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108 - the folder made there is nobody else's


@dataclass(slots=True)
class _Shared:
    """The connection of this process, and how many runs use it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    connection: _Connection | None = None
    users: int = 0


_shared = _Shared()  # a process has one connection at most, as Ray has it


@contextmanager
def _nameless() -> Iterator[None]:
    """Keep this process's command line, which may hold a store's password, out of what Ray writes down of a job."""
    from ray._private import utils

    before = utils.get_entrypoint_name
    utils.get_entrypoint_name = lambda: "retest"
    try:
        yield
    finally:
        utils.get_entrypoint_name = before
