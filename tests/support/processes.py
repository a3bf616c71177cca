"""Which processes there are."""

from __future__ import annotations

from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process runs."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and ") Z" not in status.read_text("utf-8")
