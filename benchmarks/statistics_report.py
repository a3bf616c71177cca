"""Measure the whole reference set of the statistics and write the table into docs/statistics.md.

Run from anywhere: ``python benchmarks/statistics_report.py``. One to three minutes on one core. Exits 1 where a number
lies outside its limits; the table is written all the same.
"""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.statistics_reference import CHECKS, DATA, Check  # noqa: E402 - found only after the path is set

DOCUMENT = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def main() -> int:
    """Measure, print each number as it comes, write the table; return the exit code."""
    rows, missed = [], 0
    start = time.perf_counter()
    for check in CHECKS:
        if check.needs_data and not DATA.exists():
            rows.append(f"| {check.group} | {check.claim} | recorded data not here | {_limits(check)} | |")
            continue
        value = check.measure(check.full)
        held = check.limits[0] <= value <= check.limits[1]
        missed += not held
        rows.append(f"| {check.group} | {check.claim} | {_number(value)} | {_limits(check)} | {_replicates(check)} |")
        print(("ok    " if held else "MISSED"), rows[-1])
    head = ["| group | what | measured | must lie | replicates |", "|---|---|---|---|---|"]
    _write("\n".join([*head, *rows]))
    print(
        f"{len(CHECKS)} numbers, {missed} outside their limits, {time.perf_counter() - start:.0f} s -> {DOCUMENT.name}"
    )
    return 1 if missed else 0


def _number(value: float) -> str:
    return f"{value:.4g}"


def _limits(check: Check) -> str:
    low, high = check.limits
    if low == high:
        return f"= {_number(low)}"
    if math.isinf(low):
        return f"<= {_number(high)}"
    if math.isinf(high):
        return f">= {_number(low)}"
    return f"{_number(low)} to {_number(high)}"


def _replicates(check: Check) -> str:
    return f"{check.full:,}" if check.full > 1 else ""


def _write(table: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
