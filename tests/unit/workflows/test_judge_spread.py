"""What votes say of the judges themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from retest.domain.run import RunMetric
from retest.domain.sample import Score
from retest.domain.summary import JudgeSpread
from retest.runner.table import MetricCells
from retest.workflows.judge_spread import judge_spread


def spread(votes: Sequence[Sequence[Sequence[float]]], judges: Sequence[str] = ("a",)) -> JudgeSpread | None:
    """Return the spread of cases x samples x votes."""
    cells = MetricCells()
    for case_index, samples in enumerate(votes):
        for sample_index, values in enumerate(samples):
            details = {"votes": [{"value": value} for value in values]}
            cells.put(case_index * len(samples) + sample_index, Score(value=float(np.mean(values)), details=details))
    metric = RunMetric(
        name="m",
        metric="judge_grade",
        signature="s",
        judging={"definition": {}, "judges": [{"name": name} for name in judges]},
    )
    return judge_spread(metric, cells, len(votes[0]))


def drawn(judge: float, sample: float, case: float, *, size: tuple[int, int, int] = (300, 4, 5)) -> JudgeSpread:
    """Return the spread of scores drawn with known standard deviations."""
    rng = np.random.default_rng(11)
    cases, samples, votes = size
    values = (
        3
        + rng.normal(0, case, (cases, 1, 1))
        + rng.normal(0, sample, (cases, samples, 1))
        + rng.normal(0, judge, (cases, samples, votes))
    )
    found = spread(values.tolist())
    assert found is not None
    return found


def test_the_three_sources_are_told_apart() -> None:
    """The judge's noise, the target's, and the cases' come out as they went in."""
    found = drawn(judge=0.5, sample=0.3, case=1.0)
    assert found.judge_sd == pytest.approx(0.5, abs=0.02)
    assert found.sample_sd == pytest.approx(0.3, abs=0.03)
    assert found.case_sd == pytest.approx(1.0, abs=0.1)
    assert found.judge_low is not None
    assert found.judge_high is not None
    assert found.judge_low < 0.5 < found.judge_high


def test_a_judge_that_never_wavers_has_no_noise() -> None:
    """All of the spread within a case is the target's."""
    found = drawn(judge=0.0, sample=0.4, case=1.0)
    assert (found.judge_sd, found.agreement) == (0.0, 1.0)
    assert found.sample_sd == pytest.approx(0.4, abs=0.03)


def test_a_jurys_levels_are_no_noise() -> None:
    """One judge is strict and the other lenient, always by as much: that is their level."""
    found = spread([[[2, 3]], [[3, 4]], [[4, 5]], [[1, 2]]], judges=("strict", "lenient"))
    assert found is not None
    assert found.judge_sd == 0.0
    assert found.levels == {"strict": -0.5, "lenient": 0.5}
    assert found.agreement == 0.0


def test_one_vote_says_nothing() -> None:
    """Without repeats there is no spread to tell."""
    assert spread([[[3.0]], [[4.0]]]) is None
