"""The versions of a prompt, each with what the suites that ran it came to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from retest.domain.comparison import MetricComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWish:
    """What to show of a prompt's history.

    Attributes:
        limit: versions, the newest.
        suite: results of suites whose name begins so.
        metrics: only these; none means all.
        label: only versions with this label.
        verdicts: compare each version with the one before, which reads the scores of both.
    """

    limit: int = 20
    suite: str | None = None
    metrics: tuple[str, ...] = ()
    label: str | None = None
    verdicts: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """What one arm of a run came to on a metric, and the verdict against the version before.

    Attributes:
        mean, low, high: with its 95% interval.
        comparison: None where no earlier version has a run that can be compared; `note` says why.
    """

    metric: str
    mean: float | None
    low: float | None
    high: float | None
    range_low: float | None = 0.0
    range_high: float | None = 1.0
    comparison: MetricComparison | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionResult:
    """The newest run of a suite that used a version, by one arm; `against` is the run of the version before."""

    suite: str
    run_id: str
    arm: str
    target: str
    started_at: datetime
    metrics: tuple[MetricResult, ...]
    against: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedVersion:
    """A prompt as one commit has it, or as it lies in the working tree (`commit` is None then).

    Attributes:
        prompt_hash: what runs know the version by; None where the text is no sound prompt.
        added, removed: lines against the version before.
        runs: how many finished runs used it.
        same_as: name of the version before, where this one only renamed or labelled it: the results are the same.
    """

    commit: str | None
    date: datetime | None
    author: str | None
    message: str
    path: str
    text: str
    prompt_hash: str | None
    renamed_from: str | None = None
    labels: tuple[str, ...] = ()
    added: int = 0
    removed: int = 0
    runs: int = 0
    same_as: str | None = None
    results: tuple[VersionResult, ...] = ()

    @property
    def name(self) -> str:
        """Return the commit as people write it."""
        return "uncommitted" if self.commit is None else self.commit[:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLog:
    """A prompt's versions, the newest first.

    Attributes:
        elsewhere: finished runs of this prompt's path that used a text which none of the versions has.
        left_out: versions that are older than the limit.
    """

    path: str
    versions: tuple[LoggedVersion, ...]
    elsewhere: int = 0
    left_out: int = 0
