"""The user's own functions, in this process and in a worker."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from retest.domain.case import Case
from retest.domain.sample import MetricFailure, Response, Score, ScoreOutcome, Usage
from retest.errors import Location, SuiteError
from retest.metrics.python_metric import PythonMetric, PythonOptions
from retest.metrics.python_wire import call_message, message_of, message_read, read_call
from support.processes import alive
from support.scoring import built

CODE = """\
import asyncio, json, os, sys, time
from dataclasses import dataclass

import beside

@dataclass
class Odd:
    x: int = 1

def full(output, expected):
    return {"score": 1, "reason": "半分", "details": {"odd": Odd()}, "more": 2}

def value(sample): return {"value": 0.25}
def number(output): return len(output) / 10
def boolean(case, response) -> bool: return response.output == case.expected
def everything(**given): return len(given) / 10
def positional(output, vars, /, *, meta): return float(output + vars["v"] + meta["m"])
def imported(output): return beside.ANSWER
def with_args(output, limit, factor=2): return limit * factor
def ready_made(case, sample):
    from retest.domain.sample import Score
    return Score(value=0.5, reason="mine")
async def later(output):
    await asyncio.sleep(0)
    return True
async def later_bad(output):
    raise ValueError("後で")

def none(output): pass
def text(output): return "good"
def nan(output): return float("nan")
def outside(output): return 7
def listed(output): return [1]
def nameless(output): return {"points": 1}

def raises(output):
    return inner(output)

def inner(output):
    return json.loads("{bad")  # the line that matters

def leaves(output): sys.exit(3)
def dies(output): os.kill(os.getpid(), 9)
def vanishes(output): os._exit(0)
def loops(output):
    while True: pass
def prints(output):
    print("noise on standard output")
    return 1
def listens(output): return len(sys.stdin.read())
def stateful(output):
    global calls
    calls = globals().get("calls", 0) + 1
    return calls / 10
def once(output):
    if output == "loop":
        while True: pass
    return 1

def rated(output): return 4
rated.range = (1, 5)
rated.direction = "lower"
def upside_down(output): return 1
upside_down.range = (5, 1)
def sideways(output): return 1
sideways.direction = "up"
def unknown(ouput): return 1
not_a_function = 5
"""

CASE = Case(case_id="c1", vars={"v": "2"}, content_hash="0", expected="x", meta={"m": "3"})
ISOLATION = pytest.mark.parametrize("isolate", [False, True], ids=["in_process", "isolated"])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with metric code; what it put on the import path is taken off again."""
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "mine.py").write_text(CODE, "utf-8")
    (tmp_path / "beside.py").write_text("ANSWER = 0.75\n", "utf-8")
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name == "beside" or name.startswith("retest_metric_"):
            del sys.modules[name]


def outcome(folder: Path, function: str, output: str = "x", **options: Any) -> ScoreOutcome:
    """Return what a function makes of an output."""
    metric = built(PythonMetric, folder, path=f"mine.py:{function}", **options)
    try:
        result = metric.score(CASE, Response(output=output))
        return asyncio.run(_settled(result)) if inspect.isawaitable(result) else result
    finally:
        metric.close()


async def _settled(pending: Any) -> ScoreOutcome:
    result: ScoreOutcome = await pending
    return result


@pytest.mark.parametrize(
    ("function", "score"),
    [
        ("full", Score(value=1, reason="半分", details={"odd": "Odd(x=1)", "more": 2})),
        ("value", Score(value=0.25)),
        ("number", Score(value=0.1)),
        ("boolean", Score(value=1)),
        ("everything", Score(value=1)),
        ("imported", Score(value=0.75)),
        ("ready_made", Score(value=0.5, reason="mine")),
        ("later", Score(value=1)),
        ("prints", Score(value=1)),
    ],
)
@ISOLATION
def test_scores(folder: Path, function: str, score: Score, *, isolate: bool) -> None:
    """Numbers, bools, objects and scores, from functions that ask for what they want, sync or async."""
    assert outcome(folder, function, isolate=isolate) == score


@ISOLATION
def test_arguments_by_position_and_name(folder: Path, *, isolate: bool) -> None:
    """Positional-only parameters are filled by their names too."""
    assert outcome(folder, "positional", output="1", isolate=isolate, range=[0, 1000]) == Score(value=123)


def test_arguments_from_the_suite(folder: Path) -> None:
    """`args` fills further parameters."""
    assert outcome(folder, "with_args", args={"limit": 3}, range=[0, 9]) == Score(value=6)


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        ("none", "bad_result", "returned None"),
        ("text", "bad_result", "returned 'good' of type str"),
        ("nan", "bad_result", "returned nan"),
        ("outside", "bad_result", "returned 7, outside its range 0..1"),
        ("listed", "bad_result", "returned [1] of type list"),
        ("nameless", "bad_result", "without 'score'"),
        ("later_bad", "raised", "ValueError: 後で"),
        ("leaves", "raised", "SystemExit: 3"),
    ],
)
@ISOLATION
def test_failures(folder: Path, function: str, kind: str, message: str, *, isolate: bool) -> None:
    """What is no score is a failure that names what came; sys.exit ends nothing."""
    failure = outcome(folder, function, isolate=isolate)
    assert isinstance(failure, MetricFailure)
    assert (failure.kind, message in failure.message) == (kind, True), failure.message


@ISOLATION
def test_the_users_own_line_comes_first(folder: Path, *, isolate: bool) -> None:
    """Not the line of the library in which it ended."""
    failure = outcome(folder, "raises", isolate=isolate)
    assert isinstance(failure, MetricFailure)
    line = CODE.split("\n").index('    return json.loads("{bad")  # the line that matters') + 1
    assert failure.message.startswith(f"{folder / 'mine.py'}:{line}: JSONDecodeError:")
    assert "the line that matters" in failure.message


@pytest.mark.parametrize(
    ("function", "options", "declared"),
    [
        ("number", {}, (0, 1, "higher", False)),
        ("rated", {}, (1, 5, "lower", False)),
        ("rated", {"range": [0, 10], "direction": "higher"}, (0, 10, "higher", False)),
        ("rated", {"range": [0, None]}, (0, None, "lower", False)),
        ("boolean", {}, (0, 1, "higher", True)),
        ("boolean", {"binary": False}, (0, 1, "higher", False)),
    ],
)
@ISOLATION
def test_declarations(folder: Path, function: str, options: Any, declared: Any, *, isolate: bool) -> None:
    """The suite's options win over the function's attributes; without either it is 0..1, higher."""
    metric = built(PythonMetric, folder, path=f"mine.py:{function}", isolate=isolate, **options)
    metric.close()
    assert (metric.low, metric.high, metric.direction, metric.binary) == declared


def test_declarations_of_the_module(folder: Path) -> None:
    """Constants of the file hold for all its functions."""
    (folder / "const.py").write_text("RANGE = (0, 100)\nDIRECTION = 'lower'\ndef f(output): return 50\n", "utf-8")
    metric = built(PythonMetric, folder, path="const.py:f")
    assert (metric.low, metric.high, metric.direction) == (0, 100, "lower")


@pytest.mark.parametrize(
    ("path", "slug", "fix"),
    [
        ("mine.py:ful", "metric-python-function", "did you mean 'full'?"),
        ("mine.py:not_a_function", "metric-python-function", None),
        ("mine.py:unknown", "metric-python-signature", "did you mean 'output'?"),
        ("mine.py:upside_down", "metric-python-declaration", None),
        ("mine.py:sideways", "metric-python-declaration", None),
        ("mime.py:full", "metric-file-missing", "did you mean 'mine.py'?"),
        ("mine.py", "metric-python-path", "path: mine.py:score"),
        ("syntax.py:f", "metric-python-syntax", None),
        ("import.py:f", "metric-python-import", None),
        ("exit.py:f", "metric-python-import", None),
    ],
)
@ISOLATION
def test_mistakes_are_found_before_any_call(
    folder: Path, path: str, slug: str, fix: str | None, *, isolate: bool
) -> None:
    """Each with its slug, and the name that was probably meant."""
    (folder / "syntax.py").write_text("def f(:\n", "utf-8")
    (folder / "import.py").write_text("import nowhere_to_be_found\n", "utf-8")
    (folder / "exit.py").write_text("import sys\nsys.exit(0)\n", "utf-8")
    with pytest.raises(SuiteError) as caught:
        built(PythonMetric, folder, path=path, isolate=isolate)
    problem = caught.value.problems[0]
    assert (problem.slug, problem.fix) == (slug, fix)


def test_args_that_nobody_takes_are_found(folder: Path) -> None:
    """A typing error in `args` is no silent default."""
    with pytest.raises(SuiteError, match="'limt'"):
        built(PythonMetric, folder, path="mine.py:with_args", args={"limit": 1, "limt": 3})


def test_an_endless_loop_ends(folder: Path) -> None:
    """The call fails after its time-out, and the next one is answered by a new worker."""
    metric = built(PythonMetric, folder, path="mine.py:once", isolate=True, timeout_s=0.5)
    started = time.monotonic()
    failure = metric.score(CASE, Response(output="loop"))
    elapsed = time.monotonic() - started
    after = metric.score(CASE, Response(output="x"))
    metric.close()
    assert isinstance(failure, MetricFailure)
    assert (failure.kind, elapsed < 30, after) == ("timeout", True, Score(value=1))


def test_a_dying_worker_is_replaced(folder: Path) -> None:
    """Being killed takes the worker along, not the run."""
    failure = outcome(folder, "dies", isolate=True)
    assert isinstance(failure, MetricFailure)
    assert "exit code -9" in failure.message


@pytest.mark.parametrize("isolate", [False, True], ids=["in process", "isolated"])
def test_a_function_cannot_end_the_process_with_a_code_of_its_own(folder: Path, *, isolate: bool) -> None:
    """os._exit(0) is a failure of the metric, not the end of a gate that passes."""
    failure = outcome(folder, "vanishes", isolate=isolate)
    assert isinstance(failure, MetricFailure)
    assert "SystemExit: 0" in failure.message


def test_one_worker_serves_all_calls(folder: Path) -> None:
    """What the function keeps between calls is still there."""
    metric = built(PythonMetric, folder, path="mine.py:stateful", isolate=True)
    values = [metric.score(CASE, Response(output="x")) for _ in range(3)]
    metric.close()
    assert values == [Score(value=0.1), Score(value=0.2), Score(value=0.3)]


def test_a_worker_outlives_the_thread_that_wanted_it(folder: Path) -> None:
    """On Linux a worker ends with the thread that started it; metrics are built in threads that end long before."""
    with ThreadPoolExecutor(1) as pool:
        metric = pool.submit(built, PythonMetric, folder, path="mine.py:number", isolate=True).result()
    try:
        assert [metric.score(CASE, Response(output="x")) for _ in range(2)] == [Score(value=0.1)] * 2
    finally:
        metric.close()


def test_an_isolated_function_cannot_take_the_requests(folder: Path) -> None:
    """Standard input is empty for the user's code."""
    assert outcome(folder, "listens", isolate=True) == Score(value=0)


def test_closing_twice_is_fine(folder: Path) -> None:
    """Also for a metric without worker."""
    for isolate in (True, False):
        metric = built(PythonMetric, folder, path="mine.py:number", isolate=isolate)
        metric.close()
        metric.close()


def test_a_worker_ends_with_its_parent(folder: Path) -> None:
    """Even in an endless loop, and even when the parent is killed."""
    script = textwrap.dedent(f"""
        import os, signal, threading
        from pathlib import Path
        from retest.domain.case import Case
        from retest.domain.sample import Response
        from retest.metrics.base import MetricContext
        from retest.metrics.python_metric import PythonMetric, PythonOptions
        options = PythonOptions(path="mine.py:loops", isolate=True, timeout_s=60)
        metric = PythonMetric(options, MetricContext(name="m", base_dir=Path({str(folder)!r})))
        print(metric._isolated._worker.pid, flush=True)
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
        metric.score(Case(case_id="c", vars={{}}, content_hash=""), Response(output="x"))
    """)
    parent = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    pid = int(parent.stdout)
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.1)
    pytest.fail("the worker outlives its parent")


def test_a_time_out_needs_isolation() -> None:
    """Only a process of its own can be ended."""
    with pytest.raises(ValueError, match="isolate: true"):
        PythonOptions(path="mine.py:f", timeout_s=3)


def test_the_signature_follows_the_code(folder: Path) -> None:
    """An edited function makes another metric."""
    before = built(PythonMetric, folder, path="mine.py:number").signature()
    (folder / "mine.py").write_text(CODE + "\n# edited\n", "utf-8")
    assert built(PythonMetric, folder, path="mine.py:number").signature() != before


def test_everything_travels_to_the_worker() -> None:
    """A case and a response are the same on the other side, lone surrogates and all."""
    case = Case(
        case_id="c#2",
        vars={"q": "猫\ud800\u2028", "n": [1, {"a": None}]},
        content_hash="h",
        expected=["a"],
        cluster="k",
        tags=("ja",),
        meta={"m": 1},
        where=Location(path="d.jsonl", line=3),
    )
    response = Response(
        output="\ud83d",
        tool_calls=({"name": "f", "arguments": {}},),
        refusal="no",
        usage=Usage(input_tokens=1),
        latency_ms=2.5,
        meta={"x": True},
    )

    assert read_call(message_read(message_of(call_message(case, response)))) == (case, response)
