"""Everything of retest that reads what others wrote: a sound example of each, and how it is read.

Both kinds of fuzzing use it: `tests/unit/fuzz`, which knows no more than the examples, and `make fuzz`
(`support.guided_fuzzing`), which is led by the lines of code that an input reaches.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from retest.domain.judge import JudgeDefinition, JudgeScale
from retest.domain.sample import CallError, Response, Score
from retest.domain.verdict_schema import verdict_schema
from retest.errors import SuiteError
from retest.metrics.base import Metric
from retest.metrics.judge.caller import BadVerdictError
from retest.metrics.judge.verdict import read_verdict
from retest.metrics.registry import metric_classes
from retest.store.database import Store, open_store
from retest.store.payloads import decode_response, encode_response
from retest.suites.dataset_files import DatasetFile, DatasetOptions, open_dataset
from retest.suites.judge_files import read_definition
from retest.suites.prompt_files import read_prompt
from retest.targets.answers import read_answer
from retest.targets.call_errors import read_error_body, status_error
from retest.targets.json_path import parse_path
from retest.targets.openai_embedding import EmbeddingFormat
from retest.targets.openai_format import ChatFormat
from retest.targets.openai_moderation import ModerationFormat
from retest.targets.openai_responses import ResponsesFormat
from retest.targets.prices import load_prices
from retest.targets.recording import Recording, Selection
from retest.targets.wire_json import parse_json
from retest.workflows.baseline_file import read_baseline, write_baseline
from retest.workflows.calibration_files import read_calibrations
from retest.workflows.case_rows import RowFields, append_rows
from retest.workflows.check import check_suites
from retest.workflows.review_files import read_review_file
from retest.workflows.review_import import ImportWish, import_reviews
from retest.workflows.settings import load_settings
from retest.workflows.waivers import parse_waivers
from retest.workflows.workspace import Workspace
from support.parser_examples import (
    BASELINE,
    CALIBRATION,
    CHAT,
    EMBEDDING,
    JUDGE,
    MODERATION,
    OUTPUTS,
    PRICES,
    PROMPT,
    RECORDING,
    REFUSAL,
    RESPONSES,
    REVIEWS_CSV,
    REVIEWS_JSONL,
    ROWS,
    SETTINGS,
    SUITE,
    TABLE,
    VERDICT,
    WAIVERS,
)
from support.scoring import built, case
from support.store_data import make_record, make_run, store_run


class Folder:
    """A folder that each example writes its one file into."""

    def __init__(self) -> None:
        self._held = tempfile.TemporaryDirectory()
        self.root = Path(self._held.name)
        (self.root / "d.jsonl").write_text(ROWS, "utf-8")
        (self.root / "r.jsonl").write_text(RECORDING, "utf-8")
        (self.root / "part.md").write_text("part", "utf-8")

    def write(self, name: str, data: bytes) -> Path:
        """Write a file, in place of the last example's."""
        path = self.root / name
        path.write_bytes(data)
        return path


FOLDER = Folder()


def suite(data: bytes) -> None:
    path = FOLDER.write("fuzzed.yaml", data)
    workspace = Workspace(cwd=FOLDER.root, settings=load_settings(FOLDER.root, {}))
    checked = check_suites([str(path)], workspace)
    if checked.errors:
        raise SuiteError(*checked.errors)


def prompt(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        path = FOLDER.write(f"fuzzed{suffix}", data)
        read_prompt(path, display=path.name, root=FOLDER.root)

    return read


def dataset(suffix: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        path = FOLDER.write(f"rows{suffix}", data)
        file = DatasetFile(path=path, display=path.name)
        source = open_dataset(DatasetOptions(files=(file,)))
        assert len(list(source)) == len(source)

    return read


def recording(data: bytes) -> None:
    opened = Recording(FOLDER.write("recording.jsonl", data), Selection())
    try:
        assert opened.rows >= 0
        opened.find("a", 1)
    finally:
        opened.close()


def definition(data: bytes) -> None:
    path = FOLDER.write("judge.yaml", data)
    read_definition(path, path.name)


def verdict(data: bytes) -> None:
    """Judge answers are text already: any that UTF-8 or a broken decoder may bring."""
    text = data.decode("utf-8", "surrogateescape")
    for scale in (
        JudgeScale(form="grade", low=1, high=5),
        JudgeScale(form="choice", choices={"yes": 1.0, "no": 0.0}),
        JudgeScale(form="rubric"),
        JudgeScale(form="claims"),
    ):
        asked = JudgeDefinition(
            name="d",
            version="1",
            language="en",
            instructions="Judge.",
            inputs=("answer",),
            scale=scale,
            schema=verdict_schema(scale),
        )
        try:
            found = read_verdict(asked, Response(output=text), criteria=1)
        except BadVerdictError:
            continue
        assert found.value is None or math.isfinite(found.value)


def settings(data: bytes) -> None:
    FOLDER.write("retest.toml", data)
    try:
        load_settings(FOLDER.root, {})
    finally:
        (FOLDER.root / "retest.toml").unlink()


def prices(data: bytes) -> None:
    load_prices(FOLDER.write("prices.toml", data))


def waivers(data: bytes) -> None:
    parse_waivers(data, "waivers.yaml")


def calibrations(data: bytes) -> None:
    read_calibrations(FOLDER.write("c.json", data), "c.json")


def baseline(data: bytes) -> None:
    """What a file says is written again, and says the same."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    read = read_baseline(text, "x.baseline.jsonl")
    written = write_baseline(read.scores, read.run_id, read.outputs, read.drifts)
    assert read_baseline(written, "x.baseline.jsonl").scores.cases == read.scores.cases


@cache
def reviewed() -> Store:
    """Return a store with an answer to review."""
    store = open_store(str(FOLDER.root / "reviews.db"))
    store_run(store, make_run(), [make_record((0, 0, 0))])
    return store


def reviews(data: bytes) -> None:
    import_reviews(reviewed(), read_review_file(data, "r.csv"), ImportWish())


def answered(parse: Callable[[Any], Response | CallError | str]) -> Callable[[bytes], None]:
    """Read an endpoint's answer as a target does; what is understood can be kept and read again."""

    def read(data: bytes) -> None:
        try:
            value = parse_json(data)
        except ValueError:
            return
        outcome = parse(value)
        if isinstance(outcome, Response):
            kept = decode_response(*encode_response(outcome))
            assert kept.output == outcome.output

    return read


def own_answer(value: Any) -> Response | CallError:
    """Return what a program or function of the user's answered."""
    return read_answer(value, load_prices())


def added(data: bytes) -> None:
    """A file that cases are appended to is read, and looked through for the same question."""
    FOLDER.write("cases.jsonl", data)
    fields = RowFields(id="id", expected="expected")
    row = {"id": "new", "question": "q"}
    append_rows(FOLDER.root / "cases.jsonl", "cases.jsonl", [(case(question="q"), row)], fields, dry_run=True)


def refusal(data: bytes) -> None:
    """A status, a header of when to come again, and the body."""
    status, _, rest = data.partition(b"\n")
    after = {"retry-after": status.decode("latin-1").strip()}
    for code in (400, 429, 503):
        error = status_error(code, read_error_body(rest), after, 1_800_000_000.0)
        assert error.retry_after_s is None or 0 <= error.retry_after_s < math.inf


def picked(data: bytes) -> None:
    """A path as a suite gives it, and the answer that it is applied to."""
    path, _, rest = data.partition(b"\n")
    found = parse_path(path.decode("utf-8", "replace"), None)
    with suppress(ValueError):
        found.find(parse_json(rest))


OPTIONS: dict[str, dict[str, Any]] = {
    "classification": {"labels": ["yes", "返品"]},
    "json_schema": {"schema": {"type": "object", "properties": {"n": {"items": {"type": "number"}}}}},
    "precision_at_k": {"k": 2},
    "regex": {"pattern": r"(\w+\s?)+$"},
    "review": {"score": "help"},
}
EXPECTED: dict[str, Any] = {
    "classification": "yes",
    "json_fields": {"intent": "返品", "n": [1, 2.5]},
    "tool_calls": [{"name": "f", "arguments": {}}],
    "ndcg": {"a": 1, "b": 2},
    "language": "ja",
}
ELSEWHERE = {"ter", "review"}  # too slow on long texts for a fuzzer; no reader of the output


@cache
def rule_metrics() -> Sequence[Metric[Any]]:
    """Return every metric that asks nobody and runs nothing."""
    classes = [cls for cls in metric_classes().values() if not cls.info.needs_model and not cls.info.runs_code]
    return [built(cls, **OPTIONS.get(cls.info.name, {})) for cls in classes if cls.info.name not in ELSEWHERE]


def outputs(data: bytes) -> None:
    """What a model said, scored by every metric that asks nobody: a number or why there is none."""
    text = data.decode("utf-8", "surrogateescape")
    for metric in rule_metrics():
        found = metric.score(case(EXPECTED.get(metric.info.name, "42")), Response(output=text))
        assert not isinstance(found, Score) or math.isfinite(found.value), metric.info.name


PARSERS: dict[str, tuple[str, Callable[[bytes], None]]] = {
    "suite": (SUITE, suite),
    "prompt.prompty": (PROMPT, prompt(".prompty")),
    "prompt.md": (PROMPT, prompt(".md")),
    "prompt.json": (json.dumps([{"role": "user", "content": "{{ q }}"}]), prompt(".json")),
    "prompt.yaml": ("- role: user\n  content: '{{ q }}'\n", prompt(".yaml")),
    "dataset.jsonl": (ROWS, dataset(".jsonl")),
    "dataset.json": (json.dumps([json.loads(line) for line in ROWS.splitlines()]), dataset(".json")),
    "dataset.csv": (TABLE, dataset(".csv")),
    "dataset.tsv": (TABLE.replace(",", "\t"), dataset(".tsv")),
    "dataset.yaml": ("- {id: a, question: q}\n- id: b\n  question: |\n    x\n", dataset(".yaml")),
    "dataset.gz": (ROWS, dataset(".jsonl.gz")),
    "recording": (RECORDING, recording),
    "judge file": (JUDGE, definition),
    "judge answer": (VERDICT, verdict),
    "settings": (SETTINGS, settings),
    "prices": (PRICES, prices),
    "waivers": (WAIVERS, waivers),
    "calibrations": (CALIBRATION, calibrations),
    "baseline": (BASELINE, baseline),
    "reviews.csv": (REVIEWS_CSV, reviews),
    "reviews.jsonl": (REVIEWS_JSONL, reviews),
    "cases to add to": (ROWS, added),
    "chat answer": (CHAT, answered(ChatFormat().parse)),
    "chat event": (CHAT, answered(ChatFormat().delta)),
    "responses answer": (RESPONSES, answered(ResponsesFormat().parse)),
    "embedding answer": (EMBEDDING, answered(EmbeddingFormat().parse)),
    "moderation answer": (MODERATION, answered(ModerationFormat().parse)),
    "program's answer": ('{"output": "x", "usage": {"input_tokens": 1}, "cost_usd": 0.1}', answered(own_answer)),
    "refusal": ("1.5\n" + REFUSAL, refusal),
    "picked": ("$.choices[*].message['content'][-1]\n" + CHAT, picked),
    "model output": (OUTPUTS, outputs),
}
