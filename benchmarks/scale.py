"""What one more sample costs each command: processor time, memory, disk. From two sizes, so that starts do not count.

The slope between a small and a large run is what grows with a suite; `docs/scale.md` goes on from it to 10^8 samples.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.processes import Used, run
from benchmarks.table import Cost
from support.postgres import PostgresServer, find_programs, running_server
from support.project import Project

_SAMPLES = 5
_SMALL, _LARGE = 20_000, 200_000  # samples
_AIM = 100_000_000  # samples
_MODEL = "recorded"
_ASK = "以下の問い合わせの意図を一語で答えてください。Answer with the intent in one word.\n\n{{ question }}\n"
_WORDS = (
    "返品",
    "配送",
    "注文",
    "請求",
    "please",
    "find",
    "the",
    "order",
    "number",
    "thank",
    "you",
    "confirm",
    "refund",
)
_PARTS: Mapping[str, tuple[str, ...]] = {
    "answers with their keys": ("responses",),
    "samples": ("samples",),
    "scores, one metric": ("scores",),
    "cases and rendered messages (one of five samples has its own)": ("blobs", "run_cases"),
}
_COMMANDS: Mapping[str, Sequence[str]] = {
    "`run`, answers from a recording": ("run", "-q"),
    "`run` again, answers from the ledger": ("run", "-q", "--run-tag", "again"),
    "`show`": ("show",),
    "`rescore` by one metric more": ("rescore", "--metric", "length"),
    "`run` of the changed prompt": ("run", "-q"),
    "`diff`": ("diff",),
    "`export` as JSON lines": ("export", "-o", "samples.jsonl"),
    "`report`, one run as a page": ("report", "-o", "report.html"),
    "`verify`": ("verify",),
    "`gc`": ("gc",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the commands used for a run of so many samples, and how large the tables were after the first."""

    samples: int
    used: Mapping[str, Used]
    table_bytes: Mapping[str, int]


def measure(folder: Path, fewer: int) -> Iterator[Cost]:
    """Yield the rows; `fewer` divides the samples."""
    small, large = (_take(folder / str(samples), samples // fewer) for samples in (_SMALL, _LARGE))
    more = large.samples - small.samples
    for name, used in large.used.items():
        first = small.used[name]
        cpu_s = (used.cpu_s - first.cpu_s) / more
        memory = max(0.0, used.peak_mb - first.peak_mb) * 2**20 / more
        yield Cost(
            what=name,
            each=f"{cpu_s * 1e6:,.0f} us CPU, {memory:,.0f} bytes of memory",
            start=f"{first.peak_mb:.0f} MB",
            large=f"{cpu_s * _AIM / 3600:,.1f} h CPU, {memory * _AIM / 1e9:,.0f} GB of memory",
        )
    for name, tables in _PARTS.items():
        grown = sum(large.table_bytes[table] - small.table_bytes[table] for table in tables) / more
        yield Cost(what=f"SQLite: {name}", each=f"{grown:,.0f} bytes on disk", large=f"{grown * _AIM / 1e9:,.0f} GB")
    yield from _postgres_rows(folder / "postgres", [samples // fewer for samples in (_SMALL, _LARGE // 2)])


def _postgres_rows(folder: Path, sizes: Sequence[int]) -> Iterator[Cost]:
    """Yield what a team's database takes, where PostgreSQL is installed."""
    programs = find_programs()
    if programs is None:
        yield Cost(what="PostgreSQL", each="not installed: not measured", large="")
        return
    with running_server(programs) as server:
        small, large = (_take_postgres(folder / str(samples), samples, server) for samples in sizes)
    more = sizes[1] - sizes[0]
    client, database, size = ((b - a) / more for a, b in zip(small, large, strict=True))
    yield Cost(
        what="PostgreSQL: `run`, answers from a recording",
        each=f"{client * 1e6:,.0f} us CPU, {database * 1e6:,.0f} us of the server, {size:,.0f} bytes on disk",
        large=f"{client * _AIM / 3600:,.1f} h CPU, {database * _AIM / 3600:,.1f} h of the server,"
        f" {size * _AIM / 1e9:,.0f} GB",
    )


def _take_postgres(folder: Path, samples: int, server: PostgresServer) -> tuple[float, float, float]:
    """Return the client's and the server's CPU seconds for a run, and the bytes of its tables with their indexes."""
    project, url = _project(folder, samples), server.url(server.create_schema())
    before = _server_cpu_s(server)
    used = run(project.command("run", "-q"), folder, project.env(RETEST_STORE=url))
    taken = _server_cpu_s(server) - before
    with psycopg.connect(url) as connection:
        size = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        ).fetchone()
    return used.cpu_s, taken, float(size[0]) if size else 0.0


def _server_cpu_s(server: PostgresServer) -> float:
    """Return the CPU seconds of the server so far: its own, its children's that ended, and those that live."""
    pid = (server.folder / "data" / "postmaster.pid").read_text("utf-8").split("\n", 1)[0]
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # a process that ended meanwhile
            number, rest = stat.read_text("utf-8", errors="replace").split(" ", 1)
            fields = rest.rsplit(")", 1)[1].split()
            if number == pid:
                ticks += sum(int(value) for value in fields[11:15])
            elif fields[1] == pid:
                ticks += sum(int(value) for value in fields[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _take(folder: Path, samples: int) -> Taken:
    project = _project(folder, samples)
    used: dict[str, Used] = {}
    table_bytes: dict[str, int] = {}
    for name, arguments in _COMMANDS.items():
        if name.endswith("changed prompt"):
            project.write("prompts/ask.md", f"Please.\n{_ASK}")
        used[name] = run(project.command(*arguments), project.root, project.env())
        table_bytes = table_bytes or _table_bytes(project.root / ".retest" / "retest.db")
    return Taken(samples=samples, used=used, table_bytes=table_bytes)


def _table_bytes(store: Path) -> dict[str, int]:
    """Return the bytes of each table with its indexes, free pages left out."""
    with closing(sqlite3.connect(store)) as database:
        owners = dict(database.execute("SELECT name, tbl_name FROM sqlite_schema"))
        sizes: dict[str, int] = {}
        for name, size in database.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"):
            table = owners.get(name, name)
            sizes[table] = sizes.get(table, 0) + size
    return sizes


def _project(root: Path, samples: int) -> Project:
    """Write a suite of cases with five recorded answers each; texts are about as long as in a support suite."""
    root.mkdir(parents=True)
    project, rng = Project(root), random.Random(samples)  # noqa: S311 - made-up texts
    cases = range(samples // _SAMPLES)
    _write_rows(
        root / "datasets" / "qa.jsonl",
        ({"id": f"c{i}", "question": f"{i} {_text(rng, 20)}", "expected": rng.choice(_WORDS)} for i in cases),
    )
    _write_rows(
        root / "datasets" / "recorded.jsonl",
        ({"case_id": f"c{i}", "output": _text(rng, 12)} for i in cases for _ in range(_SAMPLES)),
    )
    project.write("prompts/ask.md", _ASK)
    project.write_suite(
        prompts=["../prompts/ask.md"],
        samples=_SAMPLES,
        targets=[{"name": _MODEL, "provider": "replay", "path": "../datasets/recorded.jsonl"}],
        metrics=["contains"],
    )
    return project


def _write_rows(path: Path, rows: Iterator[Mapping[str, str]]) -> None:
    """Write JSON lines one by one: a child's peak of memory is never below what its parent had when it started it."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words))
