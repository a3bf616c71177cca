"""Problems of a dataset: the first twenty in full, the rest counted."""

from __future__ import annotations

from dataclasses import dataclass, field

from retest.errors import Location, Problem, SuiteError

MAX_PROBLEMS = 20


@dataclass(slots=True)
class ProblemList:
    """Collects problems; a file with a million broken rows still gives a readable message."""

    shown: list[Problem] = field(default_factory=list)
    count: int = 0

    def add(self, *problems: Problem) -> None:
        """Keep the first MAX_PROBLEMS."""
        self.count += len(problems)
        self.shown.extend(problems[: max(0, MAX_PROBLEMS - len(self.shown))])

    def raise_any(self) -> None:
        """Raise what was collected.

        Raises:
            SuiteError: there is a problem.
        """
        if not self.count:
            return
        more = self.count - len(self.shown)
        if more:
            self.shown.append(
                Problem(slug="dataset-more-problems", message=f"{more:,} more problems in the dataset's rows")
            )
        raise SuiteError(*self.shown)


def duplicate_id(case_id: str, first: Location | None, again: Location | None) -> Problem:
    """Return the problem of two rows with one id."""
    return Problem(
        slug="dataset-duplicate-id",
        message=f"the id '{case_id:.80}' is given twice",
        where=again,
        details=(f"first at {first}",),
        fix="make ids unique, or drop `id:` to use a hash of the content",
    )
