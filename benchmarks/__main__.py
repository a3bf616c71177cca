"""Measure and write the tables of docs/performance.md and docs/scale.md: ``python -m benchmarks``, or ``make bench``.

Loopback only. Ten minutes on two idle cores; ``--quick`` takes one, with a tenth of the calls, and writes nothing. Each
group of measurements has its own table, with what it was measured on.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks import calls, comparisons, metrics, pacing, scale, startup, view  # noqa: E402 - they use tests' support
from benchmarks.table import Cost, Row, conditions, markdown, write_into  # noqa: E402 - as above

DOCUMENT = ROOT / "docs" / "performance.md"
DOCUMENTS = {"scale": ROOT / "docs" / "scale.md"}
GROUPS: dict[str, Callable[[Path, int], Iterator[Row | Cost]]] = {
    "startup": startup.measure,
    "calls": calls.measure,
    "metrics": metrics.measure,
    "comparisons": comparisons.measure,
    "pacing": pacing.measure,
    "view": view.measure,
    "scale": scale.measure,
}


def main() -> int:
    """Measure what is asked for, print each row as it comes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls; the document is left alone")
    parser.add_argument("--only", choices=sorted(GROUPS), action="append", help="the other tables stay as they are")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="retest-bench-") as folder:
        for name in options.only or GROUPS:
            text = _measured(name, Path(folder) / name, 10 if options.quick else 1)
            if not options.quick:
                write_into(DOCUMENTS.get(name, DOCUMENT), name, text)
    return 0


def _measured(name: str, folder: Path, fewer: int) -> str:
    """Print each row of a group as it comes; return the table with what it was measured on."""
    load_before = os.getloadavg()[0]
    rows: list[Row | Cost] = []
    for row in GROUPS[name](folder, fewer):
        print(row.line(), flush=True)
        rows.append(row)
    about = conditions(load_before)
    print(about, flush=True)
    return f"{markdown(rows)}\n\n{about}"


if __name__ == "__main__":
    sys.exit(main())
