"""Measure and write the tables of docs/performance.md and docs/scale.md: ``python -m benchmarks``, or ``make bench``.

Loopback only. Ten minutes on two idle cores; ``--quick`` takes one, with a tenth of the calls, and writes nothing. Each
group of measurements has its own table, with what it was measured on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks.table import Cost, Row, conditions, markdown, write_into  # noqa: E402 - as tests' support, which groups use

DOCUMENT = ROOT / "docs" / "performance.md"
DOCUMENTS = {"scale": ROOT / "docs" / "scale.md"}
GROUPS = ("startup", "calls", "metrics", "comparisons", "pacing", "view", "scale")


def main() -> int:
    """Measure what is asked for, print each row as it comes, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls; the document is left alone")
    parser.add_argument("--only", choices=sorted(GROUPS), action="append", help="the other tables stay as they are")
    options = parser.parse_args()
    names: Sequence[str] = options.only or GROUPS
    if len(names) > 1:
        # What is measured never has less memory than who starts it: each group has a process that loads little else.
        return max(_in_a_process(name, quick=options.quick) for name in names)
    (name,) = names
    with tempfile.TemporaryDirectory(prefix="retest-bench-") as folder:
        text = _measured(name, Path(folder) / name, 10 if options.quick else 1)
    if not options.quick:
        write_into(DOCUMENTS.get(name, DOCUMENT), name, text)
    return 0


def _in_a_process(name: str, *, quick: bool) -> int:
    command = [sys.executable, "-m", "benchmarks", "--only", name, *(["--quick"] if quick else [])]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _measured(name: str, folder: Path, fewer: int) -> str:
    """Print each row of a group as it comes; return the table with what it was measured on."""
    load_before = os.getloadavg()[0]
    measure: Callable[[Path, int], Iterator[Row | Cost]] = import_module(f"benchmarks.{name}").measure
    rows: list[Row | Cost] = []
    for row in measure(folder, fewer):
        print(row.line(), flush=True)
        rows.append(row)
    about = conditions(load_before)
    print(about, flush=True)
    return f"{markdown(rows)}\n\n{about}"


if __name__ == "__main__":
    sys.exit(main())
