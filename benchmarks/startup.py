"""How long until something happens: help, check, a run of one case, the first call."""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import side_by_side
from benchmarks.table import Row
from support.project import Project

_ROUNDS = 7
_METRICS = (
    "exact_match",
    "rouge",
    "bleu",
    {"metric": "contains", "values": ["q"]},
    "json_valid",
    "numeric",
    "similarity",
    "readability",
    "length",
    "refusal",
)
_BARE_APP = Path(__file__).with_name("bare_app.py")


def measure(folder: Path, fewer: int) -> Iterator[Row]:
    """Yield the rows; `fewer` divides the rounds."""
    ten, one = _ten_suites(folder / "ten"), _one_case(folder / "one")
    python = [sys.executable]
    commands = {
        "python": ([*python, "-c", "pass"], folder),
        "bare": ([*python, str(_BARE_APP), "--help"], folder),
        "openai": ([*python, "-c", "import openai"], folder),
        "help": ([*python, "-m", "retest", "--help"], folder),
        "check": ([*python, "-m", "retest", "check"], ten.root),
        "run": ([*python, "-m", "retest", "run", "--fresh"], one.root),
        "show": ([*python, "-m", "retest", "show"], one.root),
    }
    used = side_by_side(commands, max(2, _ROUNDS // fewer))
    shown = {
        "python": ("`python -c pass`", ""),
        "help": ("`retest --help`", "ratio at most 1.3"),
        "check": ("`retest check`, ten suites with a metric each", "at most 0.6 s"),
        "run": ("`retest run`, one recorded case, whole", "at most 1.3 s"),
        "show": ("`retest show`", ""),
        "openai": ("`import openai` alone", ""),
    }
    bare = used["bare"]
    against = f"bare typer app: {bare.cpu_s:.2f} s CPU, {bare.wall_s:.2f} s"
    for name, (what, goal) in shown.items():
        cost = f"{used[name].cpu_s:.2f} s CPU, {used[name].wall_s:.2f} s"
        yield Row(what=what, measured=cost, against=against, ratio=used[name].cpu_s / bare.cpu_s, goal=goal)
    first_s = _first_call_s(folder / "first", max(2, _ROUNDS // fewer))
    yield Row(
        what="`retest run` with an `openai` target: from start to the first request on the wire",
        measured=f"{first_s:.2f} s",
        against=f"`import openai` alone: {used['openai'].wall_s:.2f} s",
        ratio=first_s / used["openai"].wall_s,
        goal="at most 1 s",
    )


def _ten_suites(root: Path) -> Project:
    root.mkdir(parents=True)
    project = Project(root)
    project.write_cases(50)
    suite = project.write_suite(gate={"block": "regression"})
    text = suite.read_text("utf-8")
    suite.unlink()
    for number, metric in enumerate(_METRICS):
        named = text.replace("name: qa", f"name: qa{number}").replace("- exact_match", f"- {_flow(metric)}")
        project.write(f"evals/qa{number}.yaml", named)
    return project


def _flow(metric: object) -> str:
    return metric if isinstance(metric, str) else "{metric: contains, values: [q]}"


def _one_case(root: Path) -> Project:
    root.mkdir(parents=True)
    project = Project(root)
    project.write_cases(1)
    project.write_rows("datasets/rec.jsonl", [{"case_id": "c0", "output": "q0"}])
    project.write_suite(
        targets=[{"name": "rec", "provider": "replay", "path": "../datasets/rec.jsonl"}], gate={"block": "regression"}
    )
    return project


def _first_call_s(root: Path, rounds: int) -> float:
    """Return the median time from the start of the process until a request arrives."""
    root.mkdir(parents=True)
    project = Project(root)
    project.write_cases(1)
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        project.write_suite(f"http://127.0.0.1:{server.getsockname()[1]}/v1")
        for _ in range(rounds + 1):
            start = time.perf_counter()
            with project.start("run", "-q") as process:
                connection, _ = server.accept()
                with connection:
                    connection.recv(1)
                    taken.append(time.perf_counter() - start)
                process.kill()
                process.communicate()
    return statistics.median(taken[1:])
