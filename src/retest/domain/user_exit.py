"""Keeps code of the user that runs in this process from ending it with an exit code of its own choice."""

from __future__ import annotations

import os
from functools import cache


@cache
def forbid_exit() -> None:
    """Have `os._exit` raise SystemExit in this process; children that were forked end as ever.

    ``os._exit(0)`` in a metric would otherwise end a gate with exit code 0, whatever the verdict.
    """
    end, own = os._exit, os.getpid()

    def refuse(status: int) -> None:
        if os.getpid() != own:
            end(status)
        raise SystemExit(status)

    os._exit = refuse  # type: ignore[assignment]  # what it promises, never to come back, holds
