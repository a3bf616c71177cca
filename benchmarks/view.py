"""How long `retest view` takes for each page of a run of 100,000 samples, and whether its memory stays where it is."""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from benchmarks.table import Row
from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunArm, RunCounts, RunMetric, SampleRecord
from retest.domain.sample import Response, Score, Usage
from retest.domain.suite import GatePolicy
from retest.store.base import LedgerEntry
from retest.store.database import Store, open_store
from retest.viewer.app import build_app
from retest.viewer.guard import Gatekeeper
from retest.viewer.site import Site
from retest.workflows.finish import close_run
from retest.workflows.inspect import load_table
from retest.workflows.settings import load_settings
from retest.workflows.view_compare import Comparisons
from retest.workflows.workspace import Workspace

_START = datetime(2026, 11, 20, tzinfo=UTC)
_SAMPLES = 5
_BATCH = 500
_ROUNDS = 7
_WARMING = 5  # rounds until every connection has filled its cache
_REQUESTS = 300
_GOAL = "300 ms"
_WORDS = (
    "返品",
    "配送",
    "注文",
    "please",
    "find",
    "the",
    "order",
    "number",
    "請求",
    "thank",
    "you",
    "confirm",
    "refund",
)


def measure(folder: Path, fewer: int) -> Iterator[Row]:
    """Yield the rows; `fewer` divides the cases."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = 20_000 // fewer
    with open_store(str(folder / "view.db")) as store:
        runs = [_store_run(store, side, cases) for side in (0, 1)]
        workspace = Workspace(cwd=folder, settings=load_settings(folder, {}, {}))
        comparisons = Comparisons(store, folder, workspace.clock)
        keeper = Gatekeeper(hosts=frozenset({"127.0.0.1"}))
        app = build_app(Site(store=store, workspace=workspace, gatekeeper=keeper, comparisons=comparisons))
        try:
            yield from _rows(app, runs, cases * _SAMPLES)
        finally:
            comparisons.close()


def _rows(app: ASGIApp, runs: list[Run], samples: int) -> Iterator[Row]:
    first, second = (run.run_id for run in runs)
    pair = f"a={first}&b={second}"
    pages = {
        "list of runs": ("/", ""),
        "one run": (f"/runs/{second}", ""),
        "progress of a run": (f"/runs/{second}/progress", ""),
        "cases, first page": (f"/runs/{second}/cases", ""),
        "cases, last page": (f"/runs/{second}/cases", f"page={samples // _SAMPLES // 50}"),
        "cases, the worst first": (f"/runs/{second}/cases", "sort=exact_match"),
        "cases, failing, sorted by another metric": (
            f"/runs/{second}/cases",
            "state=failing&metric=exact_match&sort=rouge_l",
        ),
        "cases with a tag": (f"/runs/{second}/cases", "tag=ja"),
        "cases with a text": (f"/runs/{second}/cases", "q=refund"),
        "cases with a text that is nowhere": (f"/runs/{second}/cases", "q=nowhere"),
        "one case": (f"/runs/{second}/cases/17", "sort=exact_match"),
        "due for review, at random": ("/reviews", f"run={second}"),
        "due for review, the worst first": ("/reviews", f"run={second}&order=worst"),
        "two runs, while they are compared": ("/compare", pair),
    }
    for title, (path, query) in pages.items():
        yield _row(app, title, path, query, samples)
    started = time.perf_counter()
    while b'"done":true' not in asyncio.run(_get(app, "/compare/ready", pair))[1].replace(b" ", b""):
        time.sleep(0.05)
    yield Row(
        what="`retest view`: comparing the two, once, beside the requests",
        measured=f"{time.perf_counter() - started:.1f} s",
    )
    for title, (path, query) in {
        "two runs compared": ("/compare", pair),
        "compared cases, the worst first": ("/compare/cases", f"{pair}&sort=exact_match"),
        "compared cases, different only, with a text": ("/compare/cases", f"{pair}&differs=1&q=refund"),
        "one compared case": ("/compare/cases/17", f"{pair}&sort=exact_match"),
    }.items():
        yield _row(app, title, path, query, samples)
    yield _memory_row(app, [*pages.values(), ("/compare/cases", pair)])


def _row(app: ASGIApp, title: str, path: str, query: str, samples: int) -> Row:
    taken = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        status, _ = asyncio.run(_get(app, path, query))
        taken.append(time.perf_counter() - started)
        assert status == 200, f"{path}?{query}: {status}"
    what = f"`retest view`, {samples:,} samples: {title}"
    return Row(
        what=what, measured=f"{statistics.median(taken) * 1000:.0f} ms (at most {max(taken) * 1000:.0f})", goal=_GOAL
    )


def _memory_row(app: ASGIApp, pages: list[tuple[str, str]]) -> Row:
    for path, query in pages * _WARMING:
        asyncio.run(_get(app, path, query))
    gc.collect()  # what the comparison left
    before = _resident_mb()
    for number in range(_REQUESTS):
        asyncio.run(_get(app, *pages[number % len(pages)]))
    grown = _resident_mb() - before
    return Row(
        what=f"`retest view`: memory after {_REQUESTS} more pages",
        measured=f"{grown:+.0f} MB of {before:.0f} MB",
        goal="flat",
    )


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


async def _get(app: ASGIApp, path: str, query: str) -> tuple[int, bytes]:
    """Ask the application itself: what a network adds is not measured."""
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1")],
        "scheme": "http",
        "root_path": "",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    found: dict[str, Any] = {"status": 0, "body": b""}

    async def receive() -> Mapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found["status"] = message["status"]
        else:
            found["body"] += message.get("body", b"")

    await app(scope, receive, send)  # type: ignore[arg-type] # a mapping is what a message is
    return found["status"], found["body"]


def _store_run(store: Store, side: int, cases: int) -> Run:
    run = asyncio.run(_store_samples(store, side, cases))
    counts = RunCounts(cases=cases, samples=cases * _SAMPLES, calls=cases * _SAMPLES)
    run = replace(run, status="complete", counts=counts, finished_at=run.started_at + timedelta(minutes=9))
    close_run(store, run, GatePolicy(), load_table(store, run))
    return store.get_run(run.run_id)


async def _store_samples(store: Store, side: int, cases: int) -> Run:
    rng = random.Random(side)  # noqa: S311 - made-up answers
    run = _run(side, cases)
    ledger, writer = store.ledger(), store.start_run(run)
    for start in range(0, cases, _BATCH):
        indexes = range(start, min(cases, start + _BATCH))
        await writer.add_cases([(index, _case(index)) for index in indexes])
        records = [_record(rng, run, (index, sample)) for index in indexes for sample in range(_SAMPLES)]
        answers = [(record.key, record.outcome) for record in records]
        await ledger.record([LedgerEntry(key=key, response=one) for key, one in answers if isinstance(one, Response)])
        await writer.append(records)
    return run


def _run(side: int, cases: int) -> Run:
    arm = RunArm(
        name="intent/small",
        prompt_name="intent",
        prompt_path="prompts/intent.md",
        prompt_hash=f"hash-{side}",
        prompt_source=f"Version {side}\n{{{{ message }}}}\n",
        target_name="small",
        provider="openai",
        model="model",
        identity={},
    )
    return Run(
        run_id=f"r2026112{side}-090000-aaaa",
        suite="support",
        suite_path="evals/support.yaml",
        suite_source="name: support\n",
        fingerprint=f"fingerprint-{side}",
        config_hash=f"config-{side}",
        status="running",
        draw=0,
        samples_per_case=_SAMPLES,
        planned=cases * _SAMPLES,
        started_at=_START + timedelta(days=side),
        arms=(arm,),
        metrics=(
            RunMetric(name="exact_match", metric="exact_match", signature="exact", binary=True),
            RunMetric(name="rouge_l", metric="rouge", signature="rouge"),
            RunMetric(name="latency", metric="latency", signature="latency", high=None, direction="lower", scale="log"),
        ),
    )


def _case(index: int) -> Case:
    variables = {"message": f"注文 {index} について教えてください。Where is my order {index}?"}
    return Case(
        case_id=f"c{index:05d}",
        vars=variables,
        content_hash=content_hash(variables),
        expected="返品",
        tags=("ja" if index % 2 else "en", f"team-{index % 7}"),
    )


def _record(rng: random.Random, run: Run, place: tuple[int, int]) -> SampleRecord:
    case_index, sample = place
    latency_ms = rng.lognormvariate(6.5, 0.4)
    answer = Response(
        output=" ".join(rng.choices(_WORDS, k=40)),
        model="model",
        usage=Usage(input_tokens=120, output_tokens=60),
        latency_ms=latency_ms,
        cost_usd=0.0001,
    )
    return SampleRecord(
        arm_index=0,
        case_index=case_index,
        sample_index=sample,
        key=f"{run.run_id}-{case_index}-{sample}",
        messages_hash="",
        outcome=answer,
        scores={
            "exact_match": Score(value=float(rng.random() < (case_index % 100) / 100)),
            "rouge_l": Score(value=rng.random()),
            "latency": Score(value=latency_ms),
        },
    )
