"""What a gate decides: pass or fail, with every reason, and what is shown beside it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from retest.domain.comparison import RunComparison
from retest.domain.pages import ReportPage
from retest.domain.run import Run
from retest.domain.summary import RunSummary

Outcome = Literal["passed", "failed", "inconclusive", "incomplete", "nothing_to_judge", "interrupted"]
ReasonKind = Literal[
    "regressed",
    "limit",
    "case_rule",
    "cost",
    "latency",
    "errors",
    "unproven",
    "not_comparable",
    "baseline",
    "judge",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReason:
    """One thing that counted: `blocking` ones decide the outcome, the others are only said.

    Attributes:
        arm, metric, case_id: what it is about; None where it is about the run as a whole.
        message: one sentence with the numbers in it.
        waived_by: the waiver that lifts it, None where none does.
    """

    kind: ReasonKind
    message: str
    blocking: bool
    arm: str | None = None
    metric: str | None = None
    case_id: str | None = None
    waived_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A committed, reviewable exception for one metric of one suite, until it expires."""

    suite: str
    metric: str
    reason: str
    expires: date
    author: str = ""
    created: date | None = None

    def is_active(self, today: date) -> bool:
        """Return whether it still lifts something: through the day that it names, in UTC."""
        return today <= self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """Everything a gate's reports show for one suite.

    Attributes:
        run: the candidate; `summary` is what it adds up to.
        comparison: with the baseline; None where there is no baseline (then the gate says so).
        baseline_label: such as a run id, ``evals/support.baseline.jsonl`` or ``git:origin/main``.
        exit_code: by the documented table.
        reproduce: the command that repeats the decision.
        waivers: of this suite, the expired ones too.
        calls_saved: calls that an early stop did not make; None where every planned call was made.
        judged_on: the day by which waivers expire.
        page: cases and answers, where a report wants them.
        folder: in which the paths of suite and prompts start, below the repository's root: empty, or ending in a slash.
    """

    suite: str
    suite_path: str
    outcome: Outcome
    exit_code: int
    reasons: tuple[GateReason, ...]
    run: Run | None = None
    summary: RunSummary | None = None
    comparison: RunComparison | None = None
    baseline_label: str | None = None
    waivers: tuple[Waiver, ...] = ()
    reproduce: str = ""
    calls_saved: int | None = None
    judged_on: date | None = None
    page: ReportPage | None = None
    folder: str = ""
