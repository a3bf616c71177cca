"""A process that uses a store, to be run several at a time, stopped and killed.

python store_worker.py claim URL LEASE_S KEY_COUNT SEED     prints each key it was given, then waits
python store_worker.py record URL NAME                      prints each key once it is durable, without end
"""

from __future__ import annotations

import asyncio
import random
import sys
from itertools import count

from retest.domain.sample import Response
from retest.store.base import LedgerEntry
from retest.store.database import Store, open_store


async def claim(store: Store, lease_s: float, key_count: int, seed: int) -> None:
    """Claim all keys in a random order, in batches of random size."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    keys = [f"key-{number}" for number in range(key_count)]
    rng.shuffle(keys)
    ledger = store.ledger("the same name for all", lease_s)
    while keys:
        size = rng.randint(1, 60)
        batch, keys = keys[:size], keys[size:]
        say(*await ledger.claim(batch))
    say("done")


async def record(store: Store, name: str) -> None:
    """Record responses from many tasks at once, and say of each when it is durable."""
    ledger = store.ledger()
    numbers = count()

    async def work() -> None:
        while True:
            keys = [f"{name}-{next(numbers)}" for _ in range(3)]
            entries = [LedgerEntry(key=key, response=Response(output=key * 20)) for key in keys]
            await ledger.record(entries)
            say(*keys)

    await asyncio.gather(*(work() for _ in range(8)))


def say(*words: str) -> None:
    """Print at once; the process may be killed at any moment."""
    if words:
        sys.stdout.write("".join(f"{word}\n" for word in words))
        sys.stdout.flush()


def main() -> None:
    """Do what the command line says."""
    kind, url, *rest = sys.argv[1:]
    with open_store(url) as store:
        if kind == "claim":
            asyncio.run(claim(store, float(rest[0]), int(rest[1]), int(rest[2])))
            sys.stdin.read()  # holds its claims until it is told to end
        else:
            asyncio.run(record(store, rest[0]))


if __name__ == "__main__":
    main()
