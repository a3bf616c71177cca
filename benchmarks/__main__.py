"""Measure and write the table into docs/performance.md: ``python -m benchmarks``, or ``make bench``.

Loopback only. Four to ten minutes on two cores; ``--quick`` takes one, with a tenth of the calls, and writes nothing.
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

from benchmarks import calls, comparisons, metrics, startup, view  # noqa: E402 - they use what the tests support
from benchmarks.table import Row, conditions, markdown, write_into  # noqa: E402 - as above

DOCUMENT = ROOT / "docs" / "performance.md"
GROUPS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "startup": startup.measure,
    "calls": calls.measure,
    "metrics": metrics.measure,
    "comparisons": comparisons.measure,
    "view": view.measure,
}


def main() -> int:
    """Measure what is asked for, print each row as it comes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls; the document is left alone")
    parser.add_argument("--only", choices=sorted(GROUPS), action="append", help="leaves the document alone")
    options = parser.parse_args()
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="retest-bench-") as folder:
        for name in options.only or GROUPS:
            for row in GROUPS[name](Path(folder) / name, 10 if options.quick else 1):
                print(row.line(), flush=True)
                rows.append(row)
    text = f"{markdown(rows)}\n\n{conditions(load_before)}"
    if options.quick or options.only:
        print(text)
    else:
        write_into(DOCUMENT, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
