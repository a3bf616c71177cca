"""What a call costs beside the client library, how many there are in a second, and what a run keeps in memory."""

from __future__ import annotations

import re
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.processes import Used, median, pinned, run
from benchmarks.servers import delayed_server, fast_server, fast_server_name
from benchmarks.table import Row
from support.project import Project

_CONCURRENCY = 128
_CALLED, _REPLAYED, _FEW, _MANY, _HIT = 10_000, 10_000, 1_000, 100_000, 50_000
_HERE = Path(__file__).parent
_ROUNDS = 3
_METRICS = ["exact_match", {"metric": "contains", "values": ["42"]}]


def measure(folder: Path, fewer: int) -> Iterator[Row]:
    """Yield the rows; `fewer` divides the calls."""
    yield from _replay(folder, _REPLAYED // fewer)
    with fast_server() as url:
        yield from _beside_the_client(folder, url, _CALLED // fewer)
        yield from _memory(folder, url, _FEW // fewer, _MANY // fewer)
        yield from _hits(folder, url, _HIT // fewer)
        yield _stall(folder, url, _CALLED // fewer)
    yield _rate(folder, delay_s=0.2, concurrency=512, calls=20_000 // fewer, goal="at least 1,500 calls/s")
    yield _rate(folder, delay_s=0.5, concurrency=256, calls=20_000 // fewer, goal="at least 95%")


def _replay(folder: Path, samples: int) -> Iterator[Row]:
    start = _retest(_recorded(folder / "start", 1))
    project = _recorded(folder / "replay", samples)
    used = _retest(project)
    yield Row(
        what=f"replay: {samples:,} recorded samples, exact_match",
        measured=f"{_cost(used)}; {(used.cpu_s - start.cpu_s) / samples * 1000:.2f} ms CPU a sample",
        against=f"a run of one: {_cost(start)}",
        ratio=used.cpu_s / start.cpu_s,
    )


def _beside_the_client(folder: Path, url: str, calls: int) -> Iterator[Row]:
    """Compare whole runs with bare loops, in turn, all on the same core, the server on the other."""
    taken: dict[str, list[Used]] = {"loop": [], "floor": [], "run": [], "start": []}
    for number in range(_ROUNDS):
        taken["loop"].append(_loop("bare_loop.py", folder, url, calls))
        taken["floor"].append(_loop("floor_loop.py", folder, url, calls))
        taken["run"].append(_retest(_calling(folder / f"http{number}", url, calls)))
        taken["start"].append(_retest(_calling(folder / f"http{number}-1", url, 1)))
    loop, floor, whole, start = (median(runs) for runs in taken.values())
    name = f"{calls:,} calls, {_CONCURRENCY} in flight, {fast_server_name()}"
    yield Row(
        what=f"{name}: CPU of a whole run (load, render, key, ledger, call, score two metrics, store, report)",
        measured=f"{_per_call(whole, calls)}, {_per_call_ms(whole, start, calls):.2f} ms without the start",
        against=f"bare loop over `AsyncOpenAI`: {_per_call(loop, calls)}",
        ratio=whole.cpu_s / loop.cpu_s,
        goal="at most 0.7 ms",
    )
    yield Row(
        what=f"{name}: calls in a second, start and end included",
        measured=f"{calls / whole.wall_s:,.0f}",
        against=f"bare loop: {calls / loop.wall_s:,.0f}",
        ratio=loop.wall_s / whole.wall_s,
        goal="ratio at least 2",
    )
    yield Row(
        what=f"{name}: aiohttp and orjson alone",
        measured=_per_call(floor, calls),
        against=f"bare loop over `AsyncOpenAI`: {_per_call(loop, calls)}",
        ratio=floor.cpu_s / loop.cpu_s,
    )


def _memory(folder: Path, url: str, few: int, many: int) -> Iterator[Row]:
    small = _retest(_calling(folder / "few", url, few))
    large = _retest(_calling(folder / "many", url, many))
    yield Row(
        what=f"peak memory of {many:,} calls",
        measured=f"{large.peak_mb:.0f} MB, {large.peak_mb - small.peak_mb:+.0f} MB",
        against=f"{few:,} calls: {small.peak_mb:.0f} MB",
        ratio=large.peak_mb / small.peak_mb,
        goal="at most 60 MB more",
    )


def _hits(folder: Path, url: str, samples: int) -> Iterator[Row]:
    project = _calling(folder / "hits", url, samples)
    first = _retest(project)
    again = median([_retest(project) for _ in range(_ROUNDS)])
    yield Row(
        what=f"{samples:,} samples again: every answer from the ledger",
        measured=_cost(again),
        against=f"the first time: {_cost(first)}",
        ratio=again.cpu_s / first.cpu_s,
        goal="at most 6 s",
    )


def _stall(folder: Path, url: str, calls: int) -> Row:
    """Measure the longest that one step of the work holds up the event loop, while calls are in flight."""
    taken = [_longest_step(folder / f"stall{number}", url, calls) for number in range(2 * _ROUNDS)]
    return Row(
        what=f"{calls:,} calls: longest that one step holds up the event loop",
        measured=f"{statistics.median(taken):.1f} ms CPU (at most {max(taken):.1f} in {len(taken)} runs)",
        goal="at most 20 ms",
    )


def _longest_step(folder: Path, url: str, calls: int) -> float:
    """Return milliseconds; redaction is part of the work, for it looks at every text with regular expressions."""
    project = _calling(folder, url, calls)
    project.write_suite(url, metrics=_METRICS, redact=[r"[\w.+-]+@[\w.-]+", {"field": "question"}])
    argv = [*pinned(0), sys.executable, "-m", "benchmarks.watched", "run", "-q", "--concurrency", str(_CONCURRENCY)]
    env = project.env(PYTHONPATH=str(_HERE.parent))
    done = subprocess.run(argv, cwd=project.root, env=env, capture_output=True, text=True, check=True)
    found = re.search(r"longest step: ([\d.]+) ms", done.stderr)
    assert found is not None
    return float(found[1])


def _rate(folder: Path, *, delay_s: float, concurrency: int, calls: int, goal: str) -> Row:
    """Count calls a second, from when every worker has had an answer, and from the first answer on."""
    ideal = concurrency / delay_s
    with delayed_server(delay_s) as url:
        project = _calling(folder / f"rate{concurrency}", url, calls)
        _retest(project, concurrency)
    with closing(sqlite3.connect(project.root / ".retest" / "retest.db")) as store:
        stored_us = [moment for (moment,) in store.execute("SELECT created_us FROM responses ORDER BY created_us")]
    rate, with_start = ((calls - first) / (stored_us[-1] - stored_us[first - 1]) * 1e6 for first in (concurrency, 1))
    return Row(
        what=f"{delay_s * 1000:.0f} ms at the server, {concurrency} in flight, {calls:,} calls",
        measured=f"{rate:,.0f} calls/s ({with_start:,.0f} with the start), each durable before its worker goes on",
        against=f"ideal: {ideal:,.0f}",
        ratio=rate / ideal,
        goal=goal,
    )


def _cost(used: Used) -> str:
    return f"{used.cpu_s:.2f} s CPU, {used.wall_s:.2f} s"


def _per_call(used: Used, calls: int) -> str:
    return f"{used.cpu_s / calls * 1000:.2f} ms a call"


def _per_call_ms(used: Used, start: Used, calls: int) -> float:
    return (used.cpu_s - start.cpu_s) / calls * 1000


def _retest(project: Project, concurrency: int = _CONCURRENCY) -> Used:
    command = project.command("run", "-q", "--concurrency", str(concurrency))
    return run([*pinned(0), *command], project.root, project.env())


def _loop(script: str, folder: Path, url: str, calls: int) -> Used:
    return run([*pinned(0), sys.executable, str(_HERE / script), url, str(calls), str(_CONCURRENCY)], folder)


def _project(root: Path, cases: int) -> Project:
    root.mkdir(parents=True)
    project = Project(root)
    project.write_cases(cases)
    return project


def _recorded(root: Path, cases: int) -> Project:
    project = _project(root, cases)
    rows = [{"case_id": f"c{i}", "output": f"q{i}" if i % 3 else "no"} for i in range(cases)]
    project.write_rows("datasets/rec.jsonl", rows)
    project.write_suite(targets=[{"name": "rec", "provider": "replay", "path": "../datasets/rec.jsonl"}])
    return project


def _calling(root: Path, url: str, cases: int) -> Project:
    project = _project(root, cases)
    project.write_suite(url, metrics=_METRICS)
    return project
