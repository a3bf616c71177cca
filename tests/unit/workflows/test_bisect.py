"""The search for the first bad commit, without any run."""

from __future__ import annotations

import pytest

from retest.workflows.bisect import Judgement, find_first_bad


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_the_first_bad_one_is_found_wherever_it_is(count: int) -> None:
    """Every place of the first bad item is found, in no more steps than halving takes."""
    for first in range(count):
        asked: list[int] = []

        def judge(index: int, first: int = first, asked: list[int] = asked) -> Judgement:
            asked.append(index)
            return "bad" if index >= first else "good"

        assert find_first_bad(count, judge) == (first,)
        assert len(asked) <= count.bit_length()
        assert len(set(asked)) == len(asked)


@pytest.mark.parametrize(
    ("line", "suspects"),
    [
        ("g?b", (1, 2)),  # the unknown one, or the one after it
        ("?gb", (2,)),  # unknown before a good one does not matter
        ("gb?b", (1,)),
        ("???b", (0, 1, 2, 3)),
        ("g??bb", (1, 2, 3)),
    ],
)
def test_what_cannot_be_judged_is_stepped_around(line: str, suspects: tuple[int, ...]) -> None:
    """Only where the unknown stands right before the first bad one does it stay open."""
    meaning: dict[str, Judgement] = {"g": "good", "b": "bad", "?": "unknown"}
    assert find_first_bad(len(line), lambda index: meaning[line[index]]) == suspects
