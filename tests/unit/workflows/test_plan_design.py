"""Drops as people write them."""

from __future__ import annotations

import pytest

from retest.errors import UsageError
from retest.workflows.plan_design import parse_drop


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("5pt", 0.05),
        ("5 pts", 0.05),
        ("1 point", 0.01),
        ("2.5%", 0.025),
        ("0.05", 0.05),
        (".05", 0.05),
        ("1", 1.0),  # the whole scale, not a point
        ("100pt", 1.0),
        (" 5pt ", 0.05),
    ],
)
def test_a_drop_becomes_a_share_of_the_scale(text: str, share: float) -> None:
    """Points and per cent are hundredths; a bare number is the share itself."""
    assert parse_drop(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["5", "0", "0pt", "-5pt", "1e-3", "inf", "nan", "", "5 euro", "５pt\u2028x", "100.1pt"]
)
def test_what_is_no_drop_is_refused(text: str) -> None:
    """A bare 5 would be five times the scale: it is asked about, not guessed."""
    with pytest.raises(UsageError) as caught:
        parse_drop(text)
    assert caught.value.problems[0].slug == "plan-detect"
