"""Whatever stands in a file or comes from a judge: a result, or an error of ours; no crash and no hang."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retest.domain.judge import JudgeDefinition, JudgeScale
from retest.domain.sample import Response
from retest.domain.verdict_schema import verdict_schema
from retest.errors import RetestError, SuiteError
from retest.metrics.judge.caller import BadVerdictError
from retest.metrics.judge.verdict import read_verdict
from retest.suites.dataset_files import DatasetFile, DatasetOptions, open_dataset
from retest.suites.judge_files import read_definition
from retest.suites.prompt_files import read_prompt
from retest.targets.recording import Recording, Selection
from retest.workflows.check import check_suites
from retest.workflows.settings import load_settings
from retest.workflows.workspace import Workspace

SUITE = """\
name: qa
prompts: [{text: "{{ question }}", name: ask}]
dataset: {path: d.jsonl, id: id, expected: expected}
targets: [{name: m, provider: replay, path: r.jsonl}]
samples: 2
matrix: {params: [{name: cold, temperature: 0}, {name: hot, temperature: 1}]}
metrics: [exact_match, {metric: regex, name: r, pattern: '^a+$'}, {metric: numeric, tolerance: 1e-3}]
gate: {block: regression, metrics: {exact_match: {margin: 0.03, min: 0.8}}}
tags: [a, ja]
"""
PROMPT = """\
---
model: gpt-4o
temperature: 0.7
stop: ["\\n"]
---
system:
Answer in {{ language | default("ja") }}.

user:
{% for row in rows %}{{ loop.index }}. {{ row.text }}
{% endfor %}{% include "part.md" %}
![picture](cat.png)
"""
ROWS = '{"id": "a", "question": "返品?", "expected": ["x", 1, null]}\n{"id": "b", "question": "q", "tags": ["t"]}\n'
TABLE = 'id,question,expected\na,"quoted, ""x""\nnext",1\nb,q,2\n'
RECORDING = '{"case_id": "a", "output": "x", "repeat": 0}\n{"case_id": "a", "output": "y", "repeat": 1}\n'
JUDGE = """\
name: mine
version: "1"
language: en
instructions: Judge {{ answer }}.
inputs: [answer]
scale: {form: grade, low: 1, high: 5}
"""
VERDICT = (
    '```json\n{"justification": "because", "grade": 4, "choice": "yes", "criteria": [{"met": true}], "claims": []}\n```'
)

# What has broken parsers before, theirs or ours.
TOKENS = [
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", "\u2028".encode(), b"\r", b"\x85", b"\x1b[2J", b"\\ud800",
    b"&a [*a, *a]", b"*a", b"!!python/object:os.system x", b"<<: *a", b"? [x]", b"---\n", b"...\n", b"%YAML 9\n",
    b"[" * 3000, b"{" * 3000, b"- " * 2000, b'{"a":' * 1500, b"9" * 5000, b"-1e99999", b"NaN",
    b"0x" + b"f" * 400, b"1_0",
    b"{{", b"}}", b"{%", b"{{ x.__class__.__mro__ }}", b"{{ 9**9**9 }}", b"{% include '../../etc/passwd' %}", b"{#",
    b'"', b"'", b"\\", b"\t", b"|-\n", b": ", b"#", b"\n\n", b"```", b"null", b"true", b"{}", b"[]", b",",
    b"a" * 20_000,
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, valid: str) -> bytes:
    """Return a file that was sound before something was cut out, put in or repeated; or bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = valid.encode()
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:at] + draw(st.sampled_from(TOKENS)) + data[at:]
            case 1:
                data = data[:at] + draw(st.sampled_from(TOKENS)) + data[end:]
            case 2:
                data = data[:at] + data[end:]
            case _:
                data = data[:end] + data[at:]
    return data


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
}


def fuzz(name: str, examples: int) -> None:
    valid, parse = PARSERS[name]

    @settings(
        max_examples=examples,
        derandomize=True,  # the same examples in every run: a failure is one for everybody
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(valid))
    def check(data: bytes) -> None:
        try:
            parse(data)
        except RetestError as error:
            said = error.problems
        else:
            return
        assert said
        assert all(problem.slug and problem.message for problem in said)

    check()


@pytest.mark.parametrize("name", PARSERS)
def test_garbage_is_refused_in_words(name: str) -> None:
    """A file broken in any way is read or refused with a problem that has a slug; nothing else is raised."""
    fuzz(name, 150)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("prompt.md", b"{{ " + b"[" * 3000),
        ("prompt.md", b"{{ " + b"(" * 500 + b"1" + b")" * 500 + b" }}"),
        ("prompt.md", b"{% for a in [1] %}" * 60 + b"x" + b"{% endfor %}" * 60),
        ("prompt.md", b"{% if a %}" * 300 + b"x" + b"{% endif %}" * 300),
        ("prompt.json", b"9" * 5000),
        ("prompt.json", b"[" * 100_000),
        ("dataset.json", b"[" * 100_000),
        ("suite", b"name: " + b"9" * 5000),
    ],
    ids=["lists", "parentheses", "loops", "ifs", "long number", "deep JSON", "deep rows", "long YAML number"],
)
def test_what_once_crashed_is_refused(name: str, data: bytes) -> None:
    """Nesting and numbers past what Python takes are a problem of the file, with its name."""
    _, parse = PARSERS[name]
    with pytest.raises(SuiteError):
        parse(data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PARSERS)
def test_much_garbage_is_refused_in_words(name: str) -> None:
    """The same with many more examples."""
    fuzz(name, 3000)


@pytest.mark.parametrize("name", PARSERS)
def test_what_the_garbage_is_made_of_is_sound(name: str) -> None:
    """The file before the damage is read: else the fuzzing would only test its first line."""
    valid, parse = PARSERS[name]
    if name == "dataset.gz":
        import gzip

        parse(gzip.compress(valid.encode(), mtime=0))
    else:
        parse(valid.encode())
