"""The consoles of the command line, in a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

PRINT = "from retest.cli.console import stdout; stdout().print('[bold red]word[/bold red] ' * 60)"


def printed(columns: int, **env: str) -> str:
    """Return what a process prints into a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    done = subprocess.run(
        [sys.executable, "-c", PRINT], stdin=theirs, stdout=theirs, stderr=theirs, env={**kept, **env}, check=False
    )
    os.close(theirs)
    shown = drained(ours)
    assert done.returncode == 0, shown
    return shown


def drained(terminal: int) -> str:
    """Return what a terminal holds whose other end is closed; it may come in parts."""
    parts = []
    with suppress(OSError):  # so Linux says that there is no more
        while part := os.read(terminal, 65_536):
            parts.append(part)
    os.close(terminal)
    return b"".join(parts).decode()


@pytest.mark.parametrize("columns", [60, 100])
def test_a_dumb_terminal_has_its_own_width_and_no_sequences(columns: int) -> None:
    """Not the 80 columns that are supposed of every dumb one."""
    shown = printed(columns, TERM="dumb")
    assert "\x1b" not in shown
    assert columns - 6 < max(len(line) for line in shown.split("\r\n")) <= columns


def test_no_color_takes_the_colours_out() -> None:
    """What is left is bold, which is no colour."""
    assert "\x1b[1;31m" in printed(60, TERM="xterm-256color")
    assert "\x1b[1;31m" not in printed(60, TERM="xterm-256color", NO_COLOR="1")
