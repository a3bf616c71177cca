"""Which cases of a comparison count as different."""

from __future__ import annotations

import pytest

from retest.workflows.page_pairs import scores_differ


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        ({"m": 1.0}, {"m": 1.0}, False),
        ({"m": 1.0}, {"m": 0.0}, True),
        ({"m": 1.0}, {"m": 1.0, "review": 0.5}, False),
        ({"m": 1.0, "review": None}, {"m": 1.0, "review": 0.5}, False),
        ({}, {"m": 1.0}, False),
    ],
)
def test_scores_differ_where_both_sides_have_them(
    before: dict[str, float | None], after: dict[str, float | None], *, differ: bool
) -> None:
    """A review of one side only says nothing of the answers."""
    assert scores_differ(before, after) is differ
