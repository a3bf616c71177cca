"""Work in portions: all of it, in order, with room for others in between."""

from __future__ import annotations

import asyncio

import pytest

from retest.runner.portions import PORTION, in_portions


@pytest.mark.parametrize("count", [0, 1, PORTION, PORTION + 1, 3 * PORTION])
def test_each_item_is_worked_on_once_in_order(count: int) -> None:
    """However many there are."""
    assert asyncio.run(in_portions(str, range(count))) == [str(number) for number in range(count)]


def test_others_run_between_portions() -> None:
    """What is ready when a portion is done does not wait for the next."""
    seen: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_soon(seen.append, "answer")
        await in_portions(lambda number: seen.append(str(number)), range(PORTION + 1))

    asyncio.run(work())
    assert seen.index("answer") == PORTION
