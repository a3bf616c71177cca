"""Outputs of a model that never stops: every rule metric is done with them in time proportional to their length."""

from __future__ import annotations

import time
from typing import Any

import pytest

from retest.metrics.match import ExactMatch
from retest.metrics.numeric import Numeric
from retest.metrics.structured import JsonValid
from support.scoring import built, scored

LENGTH = 100_000
OUTPUTS = {
    "digits": "1" * LENGTH,
    "groups": "1" + ",11" * (LENGTH // 3),
    "spaces in a fence": "``` " + " " * LENGTH + "x",
    "hyphens": "-" * LENGTH + "x",
    "full stops": "答え" + "。" * LENGTH,
    "line breaks": "x" + "\n" * LENGTH + "x",
    "kanji numerals": "一" * LENGTH,
    "units": "1" + "万" * LENGTH,
    "brackets": "[" * LENGTH,
    "open objects": '{"a":' * (LENGTH // 5),
    "fences": "```json\n~~~\n" * (LENGTH // 12),
}


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize(
    "metric",
    [
        built(Numeric),
        built(ExactMatch, casefold=True, punctuation="trim", whitespace="collapse"),
        built(ExactMatch, punctuation="remove", whitespace="remove"),
        built(JsonValid),
        built(JsonValid, strict=False),
    ],
    ids=["numeric", "trim", "remove", "json", "json in text"],
)
def test_no_output_takes_for_ever(metric: Any, output: str) -> None:
    """A quadratic pattern would take minutes here."""
    started = time.process_time()
    assert scored(metric, output, "18").value == 0
    assert time.process_time() - started < 10
