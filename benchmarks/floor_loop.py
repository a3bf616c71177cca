"""The same calls with aiohttp and orjson alone: about what a call costs in Python at all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import aiohttp
import orjson


async def main(base_url: str, calls: int, concurrency: int) -> None:
    """Make the calls with so many workers and keep the answers' texts."""
    numbers = iter(range(calls))
    outputs: list[str] = []
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

        async def work(mine: Iterator[int]) -> None:
            for number in mine:
                body = {
                    "model": "test-model",
                    "messages": [{"role": "user", "content": f"q{number}"}],
                    "temperature": 0.7,
                }
                async with session.post(f"{base_url}/chat/completions", data=orjson.dumps(body)) as response:
                    answer = orjson.loads(await response.read())
                outputs.append(answer["choices"][0]["message"]["content"])

        await asyncio.gather(*(work(numbers) for _ in range(concurrency)))
    assert len(outputs) == calls


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
