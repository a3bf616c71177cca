"""The reference set of the statistics: with few replicates always, with all of them where asked for."""

from __future__ import annotations

import pytest

from support.statistics_reference import CHECKS, DATA, Check


def _parameters(*marks: pytest.MarkDecorator) -> list[object]:
    return [
        pytest.param(
            check,
            id=f"{check.group}: {check.claim}",
            marks=[*marks, *([pytest.mark.data] if check.needs_data else [])],
        )
        for check in CHECKS
    ]


def _judge(check: Check, replicates: int) -> None:
    if check.needs_data and not DATA.exists():
        pytest.skip("the recorded data (../shared/data) are not here")
    low, high = check.widened(replicates)
    assert low <= check.measure(replicates) <= high


@pytest.mark.parametrize("check", _parameters())
def test_few_replicates(check: Check) -> None:
    """Each number lies where the design says, within the noise of few replicates."""
    _judge(check, check.fast)


@pytest.mark.parametrize("check", _parameters(pytest.mark.statistics_full))
def test_all_replicates(check: Check) -> None:
    """Each number lies where the design says."""
    _judge(check, check.full)


def test_every_group_is_measured() -> None:
    """All groups of the design have a check; group 4 (symmetry, order, seed) is in tests/unit/stats/test_compare.py."""
    assert {check.group for check in CHECKS} == set(range(1, 14)) - {4}
