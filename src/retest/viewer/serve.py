"""Runs the viewer until it is interrupted."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import uvicorn

from retest.errors import Problem, UsageError
from retest.report.html.words import Language
from retest.store.database import Store
from retest.viewer.app import build_app
from retest.viewer.guard import Gatekeeper, is_loopback
from retest.viewer.review_desk import StoredDesk
from retest.viewer.site import Site
from retest.workflows.pairwise_sides import PairwiseOnDemand
from retest.workflows.view_compare import Comparisons
from retest.workflows.workspace import Workspace

_SWITCH_S = 0.001  # so that a comparison on its own thread does not make pages wait
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Where to listen, and for whom.

    Attributes:
        port: 0 for any that is free.
        token: needed beyond this machine; None makes one up where one is needed.
        names: further host names under which the server is asked for.
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    names: tuple[str, ...] = ()
    language: Language | None = None


def serve(store: Store, workspace: Workspace, options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Serve until interrupted; `tell` is given the address once it answers.

    Raises:
        UsageError: the address cannot be listened to.
    """
    sys.setswitchinterval(_SWITCH_S)
    listening = _listen(options)
    gatekeeper = make_gatekeeper(options)
    comparisons = Comparisons(
        store,
        workspace.cwd,
        workspace.clock,
        run_code=workspace.untrusted is None,
        pairwise=PairwiseOnDemand(workspace, offline=True),  # what is paid for is shown; a page asks nobody
    )
    site = Site(
        store=store,
        workspace=workspace,
        gatekeeper=gatekeeper,
        comparisons=comparisons,
        language=options.language,
        reviews=StoredDesk(store),
    )
    # No reload, no access log, no proxy headers: what a client says of itself is believed by nobody.
    config = uvicorn.Config(
        build_app(site), log_level="warning", proxy_headers=False, server_header=False, lifespan="off"
    )
    opened = address(options, listening.getsockname()[1], gatekeeper.token)
    try:
        with suppress(KeyboardInterrupt):  # that is how a person ends it
            _Server(config, lambda: tell(opened)).run(sockets=[listening])
    finally:
        comparisons.close()
        listening.close()


class _Server(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, then say so."""
        await super().startup(sockets=sockets)
        if self.started:
            self._ready()


def make_gatekeeper(options: ServeOptions) -> Gatekeeper:
    """Return who is let in: beyond this machine only with a token."""
    local = is_loopback(options.host)
    token = options.token or (None if local else secrets.token_urlsafe(24))
    hosts = {*options.names, options.host, *(_LOOPBACK_HOSTS if local else {socket.gethostname().lower()})}
    return Gatekeeper(hosts=frozenset(name.lower() for name in hosts), takes_addresses=not local, token=token)


def address(options: ServeOptions, port: int, token: str | None) -> str:
    """Return what to open; it carries the token where one is needed."""
    try:
        found = ipaddress.ip_address(options.host)
        host = socket.gethostname() if found.is_unspecified else f"[{found}]" if found.version == 6 else options.host  # noqa: PLR2004
    except ValueError:
        host = options.host
    return f"http://{host}:{port}/{f'?token={token}' if token else ''}"


def _listen(options: ServeOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise UsageError(
            Problem(
                slug="view-cannot-listen",
                message=f"cannot listen on {options.host}:{options.port}: {error.strerror or error}",
                fix="another program may have the port: --port 0 takes any that is free",
            )
        ) from None
    return listening
