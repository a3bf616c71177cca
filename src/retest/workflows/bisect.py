"""Finds the commit at which a metric regressed: a binary search whose every question is a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from retest.domain.comparison import MetricComparison, RunComparison, Verdict
from retest.errors import ExitCode, IncompleteError, NothingToJudgeError, Problem, UsageError
from retest.revisions.git import find_repository
from retest.revisions.history import first_parents
from retest.workflows.compare_revisions import Contender, common_suites, compare_pair, exit_code
from retest.workflows.revision_sides import RevisionSide, open_sides
from retest.workflows.workspace import Workspace

Judgement = Literal["good", "bad", "unknown"]
RunSides = Callable[[Sequence[RevisionSide], str], list[Contender]]
"""Samples the sides of the suite named, in step, until the search knows which way to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit that was asked about; `why` is what the judgement rests on."""

    commit: str
    judgement: Judgement
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        suspects: the commit that regressed; several, oldest first, where those between could not be judged.
        comparison: of the last good commit with the first bad one.
    """

    suspects: tuple[str, ...]
    steps: tuple[Step, ...]
    comparison: RunComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to search for: on which metric of which suite `bad` is worse than `good`."""

    good: str
    bad: str
    metric: str
    selectors: tuple[str, ...] = ()


def find_first_bad(count: int, judge: Callable[[int], Judgement]) -> tuple[int, ...]:
    """Return the index of the first bad item of a line that begins good and ends bad; several where that stays open.

    Args:
        count: of items; the last is bad, and what stands before the first is good.
        judge: of one item. What is unknown is stepped around.
    """
    low, high = -1, count - 1  # the last known to be good, the first known to be bad
    unknown: set[int] = set()
    while open_ := [index for index in range(low + 1, high) if index not in unknown]:
        middle = min(open_, key=lambda index: abs(2 * index - low - high))
        judgement = judge(middle)
        if judgement == "good":
            low = middle
        elif judgement == "bad":
            high = middle
        else:
            unknown.add(middle)
    return tuple(range(low + 1, high + 1))


@dataclass(slots=True, kw_only=True)
class Bisection:
    """One search: `run` makes the calls, everything else is here."""

    question: Question
    workspace: Workspace
    run: RunSides
    _known: dict[str, Step] = field(default_factory=dict)  # by the suite's fingerprint

    def search(self) -> Found:
        """Return the commit that regressed.

        Raises:
            NothingToJudgeError: `bad` is not worse than `good`.
            UsageError: a name is wrong, or the two are on no one line of commits.
            IncompleteError: a run did not come to its end.
        """
        repository = find_repository(self.workspace.cwd)
        good, bad = (repository.resolve(name) for name in (self.question.good, self.question.bad))
        commits = first_parents(repository, good, bad)
        last = self._ask(bad.commit)
        if last.judgement != "bad":
            raise NothingToJudgeError(_no_regression(self.question, last))
        steps: list[Step] = []

        def judge(index: int) -> Judgement:
            steps.append(self._ask(commits[index]))
            return steps[-1].judgement

        found = find_first_bad(len(commits), judge)
        before = good.commit if found[0] == 0 else commits[found[0] - 1]
        return Found(
            suspects=tuple(commits[index] for index in found),
            steps=tuple(steps),
            comparison=self._compare(before, commits[found[-1]]),
        )

    def _ask(self, commit: str) -> Step:
        """Judge a commit by its comparison with both ends; one whose suite is like one judged before is not run."""
        names = [self.question.good, commit, self.question.bad]
        try:
            with open_sides(names, self.question.selectors, self.workspace) as sides:
                suite = self._suite(sides)
                fingerprints = [side.suites[suite].fingerprint for side in sides]
                if fingerprints[1] == fingerprints[0]:
                    return Step(commit=commit, judgement="good", why=f"nothing changed since {self.question.good}")
                known = self._known.get(fingerprints[1])
                if known is not None:
                    return Step(commit=commit, judgement=known.judgement, why=f"as {known.commit[:8]}: nothing changed")
                step = self._measure(sides, suite, commit)
        except (UsageError, NothingToJudgeError) as error:
            if not self._known:  # it is one of the ends: there is nothing to search between
                raise
            return Step(commit=commit, judgement="unknown", why=f"it cannot run: {error.problems[0].message}")
        self._known[fingerprints[1]] = step
        return step

    def _measure(self, sides: Sequence[RevisionSide], suite: str, commit: str) -> Step:
        """Sample a commit beside both ends until a drop is seen before it or after it."""
        contenders = self._run(sides, suite)
        with self.workspace.open_store(read_only=True) as store:
            before = _metric_verdicts(compare_pair(store, contenders[0], contenders[1]), self.question.metric)
            # The one and the other end of the line are one commit where the bad end itself is asked about.
            ends = contenders[1:] if sides[1].commit != sides[2].commit else ()
            after = _metric_verdicts(compare_pair(store, *ends), self.question.metric) if ends else []
        judgement, why = _judge([metric.verdict for metric in before], [metric.verdict for metric in after])
        return Step(commit=commit, judgement=judgement, why=why)

    def _run(self, sides: Sequence[RevisionSide], suite: str) -> list[Contender]:
        contenders = self.run(sides, suite)
        code = exit_code(contenders, ())
        if code is ExitCode.INTERRUPTED:
            raise KeyboardInterrupt
        if code is not ExitCode.PASSED:
            labels = ", ".join(each.label for each in contenders)
            message = f"a run of {labels} did not come to its end, so the search cannot go on"
            raise IncompleteError(
                Problem(slug="bisect-incomplete", message=message, fix="the same command goes on from there")
            )
        return contenders

    def _suite(self, sides: Sequence[RevisionSide]) -> str:
        """Return the one suite, in common, that has the metric."""
        names, _ = common_suites(sides)
        having = [
            name
            for name in names
            if all(self.question.metric in {metric.name for metric in side.suites[name].metrics} for side in sides)
        ]
        if len(having) == 1:
            return having[0]
        known = sorted({metric.name for side in sides for suite in side.suites.values() for metric in suite.metrics})
        several = f"several suites have the metric '{self.question.metric}': {', '.join(having)}"
        raise UsageError(
            Problem(
                slug="bisect-which-suite",
                message=several if having else f"no suite has the metric '{self.question.metric}' at every commit",
                details=(f"metrics: {', '.join(known)}",),
                fix="choose one with --suite" if having else "name one of them with --metric",
            )
        )

    def _compare(self, before: str, after: str) -> RunComparison:
        with open_sides([before, after], self.question.selectors, self.workspace) as sides:
            contenders = self._run(sides, self._suite(sides))
            with self.workspace.open_store(read_only=True) as store:
                return compare_pair(store, contenders[0], contenders[1])


def _metric_verdicts(comparison: RunComparison, metric: str) -> list[MetricComparison]:
    return [each for arm in comparison.arms for each in arm.metrics if each.metric == metric]


def _judge(before: Sequence[Verdict], after: Sequence[Verdict]) -> tuple[Judgement, str]:
    """Return the judgement of a commit from the verdicts, one an arm, on the way to it and on the way to the bad end.

    Few data often cannot show a commit to be as good as the good end, and yet show that the drop comes after it.
    """
    if "regressed" in before:
        return "bad", "regressed"
    if before and all(verdict in {"improved", "unchanged", "not_worse"} for verdict in before):
        return "good", "not regressed"
    if "regressed" in after:
        return "good", "the drop comes later"
    return "unknown", "inconclusive with all samples"


def _no_regression(question: Question, last: Step) -> Problem:
    return Problem(
        slug="bisect-no-regression",
        message=f"{question.bad} is not shown to be worse than {question.good} on {question.metric}",
        details=(f"the comparison says: {last.why}",),
        fix=f"look at it: retest compare {question.good} {question.bad}; more --samples see smaller drops",
    )
