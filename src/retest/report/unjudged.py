"""A suite that an error kept from being judged, as a report: so that no report of a gate reads as if it had passed."""

from __future__ import annotations

from retest.domain.gate import GateReason, GateReport, Outcome
from retest.errors import ExitCode, RetestError


def unjudged_report(suite: str, suite_path: str, error: RetestError, *, reproduce: str = "") -> GateReport:
    """Return a report whose reasons are the error's problems, with the error's exit code.

    An error that carries no problem still has one reason.
    """
    outcome: Outcome = "nothing_to_judge" if error.exit_code is ExitCode.NOTHING_TO_JUDGE else "incomplete"
    messages = [
        problem.message if problem.where is None else f"{problem.where}: {problem.message}"
        for problem in error.problems
        if problem.severity == "error"
    ]
    reasons = tuple(
        GateReason(kind="errors", message=f"not judged: {message}", blocking=True)
        for message in messages or [type(error).__name__]
    )
    return GateReport(
        suite=suite,
        suite_path=suite_path,
        outcome=outcome,
        exit_code=int(error.exit_code),
        reasons=reasons,
        reproduce=reproduce,
    )
