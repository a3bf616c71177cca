"""Everything that can go wrong, and the exit code it leads to.

::

    RetestError                 carries one or more Problems, an exit code
    ├── UsageError              2    wrong flag, unknown run id, unreadable setting
    │   ├── SettingsError       2    retest.toml, pyproject.toml, environment
    │   ├── SuiteError          2    suite, prompt, dataset: found before the first call
    │   └── MissingExtraError   2    an optional library is not installed; says the install line
    ├── StoreError              2    the store cannot be opened, is locked, too new, or damaged
    ├── IncompleteError         4    too many errors, a refused key, a spent budget, a full disk
    ├── InterruptedWorkError  130    Ctrl-C or SIGTERM while judges were asked
    └── NothingToJudgeError     5    no cases, no baseline, nothing comparable

Every problem has a slug; ``docs/errors.md`` has one heading per slug, and a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

Severity = Literal["error", "warning"]


class ExitCode(IntEnum):
    """What the process says to its caller; where several hold, see `worst_exit_code`."""

    PASSED = 0
    GATE_FAILED = 1
    USAGE = 2
    INTERNAL = 3
    INCOMPLETE = 4
    NOTHING_TO_JUDGE = 5
    INCONCLUSIVE = 6
    INTERRUPTED = 130


_PRECEDENCE = (
    ExitCode.INTERNAL,
    ExitCode.USAGE,
    ExitCode.INTERRUPTED,
    ExitCode.GATE_FAILED,
    ExitCode.INCOMPLETE,
    ExitCode.NOTHING_TO_JUDGE,
    ExitCode.INCONCLUSIVE,
    ExitCode.PASSED,
)


def worst_exit_code(*codes: ExitCode) -> ExitCode:
    """Return the code that wins where several hold (order in docs/ci.md); no code at all is NOTHING_TO_JUDGE."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.NOTHING_TO_JUDGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place a person can open: a path as the user would type it, line and column counted from 1."""

    path: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Return ``path:line:column`` as far as known."""
        parts = [self.path, *(str(n) for n in (self.line, self.column) if n is not None)]
        return ":".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: what, where, what was expected, how to fix it."""

    slug: str
    message: str
    where: Location | None = None
    details: tuple[str, ...] = ()
    fix: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        """Return the plain-text form (no colours); untrusted parts are escaped by whoever prints it."""
        lines = [f"{self.severity}: {self.message}"]
        if self.where is not None:
            lines.append(f"  {self.where}")
        lines.extend(f"  {detail}" for detail in self.details)
        if self.fix is not None:
            lines.append(f"  fix: {self.fix}")
        lines[-1] = f"{lines[-1]}  [{self.slug}]"
        return "\n".join(lines)


class RetestError(Exception):
    """Base of every error that retest raises on purpose."""

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class UsageError(RetestError):
    """The command, a flag or a name is wrong; found before any call."""

    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """retest.toml, pyproject.toml or an environment variable is wrong."""


class SuiteError(UsageError):
    """A suite, prompt or dataset is wrong; carries every problem found, not only the first."""


class MissingExtraError(UsageError):
    """An optional library is needed and absent."""


class StoreError(RetestError):
    """The store cannot be used."""

    exit_code = ExitCode.USAGE


class IncompleteError(RetestError):
    """The run stopped before all its samples were there; the same command resumes it."""

    exit_code = ExitCode.INCOMPLETE


class InterruptedWorkError(RetestError):
    """Ctrl-C or SIGTERM ended the work in order; the same command goes on."""

    exit_code = ExitCode.INTERRUPTED


class NothingToJudgeError(RetestError):
    """There is nothing to judge: no cases, no baseline, nothing comparable."""

    exit_code = ExitCode.NOTHING_TO_JUDGE


def missing_extra(extra: str, feature: str) -> MissingExtraError:
    """Return the error that names the exact install line for an optional extra."""
    return MissingExtraError(
        Problem(
            slug="missing-extra",
            message=f"{feature} needs the optional extra '{extra}'",
            fix=f"pip install 'retest[{extra}]'",
        )
    )
