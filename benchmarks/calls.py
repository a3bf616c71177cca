"""What a call costs beside the client library, and what a run keeps in memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import Used, median, model_server, pinned, run
from benchmarks.table import Row
from support.project import Project

_CONCURRENCY = 64
_REPLAYED, _CALLED, _FEW, _MANY = 10_000, 2_000, 1_000, 20_000
_BARE_LOOP = Path(__file__).with_name("bare_loop.py")
_ROUNDS = 3


def measure(folder: Path, fewer: int) -> Iterator[Row]:
    """Yield the rows; `fewer` divides the calls."""
    start = _retest(_recorded(folder / "start", 1))
    replayed = _REPLAYED // fewer
    project = _recorded(folder / "replay", replayed)
    first, again = _retest(project), _retest(project)
    yield _row(f"replay: {replayed:,} recorded samples, exact_match", first, start, replayed)
    yield _row("the same again: every answer from the ledger", again, start, replayed)
    with model_server() as url:
        yield from _beside_the_client(folder, url, _CALLED // fewer)
        yield from _memory(folder, url, _FEW // fewer, _MANY // fewer)


def _beside_the_client(folder: Path, url: str, calls: int) -> Iterator[Row]:
    """Compare whole runs with a bare loop, in turn, both on the same core, the server on the other."""
    loops, runs, starts, imports = [], [], [], []
    for number in range(_ROUNDS):
        loops.append(_bare_loop(folder, url, calls))
        runs.append(_retest(_calling(folder / f"http{number}", url, calls)))
        imports.append(_bare_loop(folder, url, 1))
        starts.append(_retest(_calling(folder / f"http{number}-1", url, 1)))
    loop, whole, loaded, started = median(loops), median(runs), median(imports), median(starts)
    name = f"{calls:,} calls, {_CONCURRENCY} in flight"
    yield Row(
        what=f"{name}: a whole run (render, key, ledger, call, score, store, report)",
        measured=f"{whole.cpu_s:.2f} s CPU, {calls / whole.wall_s:,.0f} calls/s, start included",
        against=f"bare loop over `AsyncOpenAI`: {loop.cpu_s:.2f} s CPU, {calls / loop.wall_s:,.0f} calls/s",
        ratio=whole.cpu_s / loop.cpu_s,
    )
    ours, theirs = (_per_call_ms(*pair, calls) for pair in ((whole, started), (loop, loaded)))
    yield Row(
        what=f"{name}: CPU per call, start taken off",
        measured=f"{ours:.2f} ms",
        against=f"bare loop: {theirs:.2f} ms",
        ratio=ours / theirs,
        goal="at most 0.7 ms",
    )


def _memory(folder: Path, url: str, few: int, many: int) -> Iterator[Row]:
    small = _retest(_calling(folder / "few", url, few))
    large = _retest(_calling(folder / "many", url, many))
    yield Row(
        what=f"peak memory of {many:,} calls",
        measured=f"{large.peak_mb:.0f} MB",
        against=f"{few:,} calls: {small.peak_mb:.0f} MB",
        ratio=large.peak_mb / small.peak_mb,
        goal="at most 60 MB more",
    )


def _row(what: str, used: Used, start: Used, samples: int) -> Row:
    own_s = used.cpu_s - start.cpu_s
    return Row(
        what=what,
        measured=f"{used.cpu_s:.2f} s CPU, {used.wall_s:.2f} s; {own_s / samples * 1000:.2f} ms CPU a sample",
        against=f"a run of one: {start.cpu_s:.2f} s CPU, {start.wall_s:.2f} s",
        ratio=used.cpu_s / start.cpu_s,
    )


def _per_call_ms(used: Used, start: Used, calls: int) -> float:
    return (used.cpu_s - start.cpu_s) / calls * 1000


def _retest(project: Project) -> Used:
    command = project.command("run", "-q", "--concurrency", str(_CONCURRENCY))
    return run([*pinned(0), *command], project.root, project.env())


def _bare_loop(folder: Path, url: str, calls: int) -> Used:
    return run([*pinned(0), sys.executable, str(_BARE_LOOP), url, str(calls), str(_CONCURRENCY)], folder)


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
    project.write_suite(url)
    return project
