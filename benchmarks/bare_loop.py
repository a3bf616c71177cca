"""A loop over the `openai` client as one would write it: no template, key, ledger, metric, store or report."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

from openai import AsyncOpenAI


async def main(base_url: str, calls: int, concurrency: int) -> None:
    """Make the calls with so many workers and keep the answers' texts."""
    client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    numbers = iter(range(calls))
    outputs: list[str] = []

    async def work(mine: Iterator[int]) -> None:
        for number in mine:
            answer = await client.chat.completions.create(
                model="test-model", messages=[{"role": "user", "content": f"q{number}"}], temperature=0.7
            )
            outputs.append(answer.choices[0].message.content or "")

    await asyncio.gather(*(work(numbers) for _ in range(concurrency)))
    assert len(outputs) == calls


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
