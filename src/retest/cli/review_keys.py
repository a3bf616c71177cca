"""The keyboard of `retest review`: one key at a time on a terminal, one line at a time where input is piped."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rich.console import Console

    from retest.workflows.review_session import ReviewSession, Wanted


def run_session(session: ReviewSession, console: Console, language: str, keyboard: Keyboard) -> None:
    """Show one answer after the other and do what keys say, until the last one or ``q``."""
    from retest.report.terminal_review_card import WORDS, key_help, review_card

    words = WORDS[language]
    if not session.items:
        console.print(words["nothing"])
        return
    shown = -1
    while (item := session.item) is not None:
        if shown != session.place:
            console.print(review_card(item, (session.place + 1, len(session.items)), session.said, language))
            console.print(key_help(is_pair=item.subject.is_pair, scale=session.scale, language=language))
            shown = session.place
        outcome = _press(session, keyboard.read())
        if outcome == "quit":
            break
        if outcome == "saved":
            console.print(words["saved"], style="green")
            shown = -1 if session.said.is_empty else shown
        elif outcome == "unknown":
            console.print(words["unknown"], style="yellow")
        elif outcome == "help":
            shown = -1
    left = max(0, len(session.items) - session.place)
    console.print(words["done"].format(saved=session.saved, left=left), style="dim")


def _press(session: ReviewSession, key: str) -> str:
    from retest.cli.console import print_problems
    from retest.errors import UsageError

    if not key:  # the input has ended
        return "quit"
    try:
        return session.press(key)
    except UsageError as error:
        print_problems(error.problems)
        return "refused"


class Keyboard:
    """Keys and lines: on a terminal a key counts at once, where input is piped it is the first letter of a line."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        """Let keys count at once, where there is a terminal that can."""
        if sys.stdin.isatty() and os.name != "nt":
            import termios

            self._before = termios.tcgetattr(sys.stdin.fileno())
            self._set_keys()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._set_lines()

    def ask(self, wanted: Wanted) -> str:
        """Return a line of text; an input that has ended gives an empty one."""
        from retest.report.terminal_review_card import WORDS

        sys.stdout.write(WORDS[self._language][f"ask_{wanted}"])
        sys.stdout.flush()
        self._set_lines()
        try:
            return sys.stdin.readline().rstrip("\r\n")
        finally:
            self._set_keys()

    def read(self) -> str:
        """Return the next key; empty where the input has ended."""
        if self._before is not None:
            return _read_terminal_key(sys.stdin.fileno())
        if sys.stdin.isatty() and os.name == "nt":
            return _read_windows_key()
        return sys.stdin.readline()[:1]

    def _set_keys(self) -> None:
        if self._before is not None:
            import termios
            import tty

            # Ctrl-C still interrupts; what was typed already counts.
            tty.setcbreak(sys.stdin.fileno(), termios.TCSADRAIN)

    def _set_lines(self) -> None:
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)


def _read_terminal_key(number: int) -> str:
    byte = os.read(number, 1)
    if byte == b"\x1b":
        return _escape(number)
    if byte and byte[0] >= 0xC0:  # noqa: PLR2004 - the first byte of a longer character
        byte += os.read(number, 3)
    return byte.decode("utf-8", "replace")


def _escape(number: int) -> str:
    """Return ``n`` and ``p`` for the arrows; the escape key alone ends the session, as ``q`` does."""
    import select

    if not select.select([number], [], [], 0.05)[0]:
        return "\x1b"
    rest = os.read(number, 8)
    return {b"[C": "n", b"[B": "n", b"[D": "p", b"[A": "p"}.get(rest, "?")


def _read_windows_key() -> str:
    import msvcrt

    return str(msvcrt.getwch())  # type: ignore[attr-defined] # Windows only


def default_language() -> str:
    """Return the language of the terminal's locale: Japanese or else English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ja" if value.lower().startswith("ja") else "en"
    return "en"
