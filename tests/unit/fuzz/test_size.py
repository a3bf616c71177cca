"""Files of 100 MB in one line: read or refused in bounded memory, with a problem and no traceback."""

from __future__ import annotations

import json
import resource
import subprocess

import pytest

from support.project import Project

MB = 2**20
LONG = "あ" * (33 * MB)  # 99 MB of UTF-8
MEMORY = 4096 * MB  # of addresses; the libraries' own take a good part


def check(project: Project) -> tuple[int, str]:
    """Return the exit code and stderr of `retest check` with little memory."""
    done = subprocess.run(
        project.command("check"),
        cwd=project.root,
        env=project.env(),
        capture_output=True,
        timeout=250,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    return done.returncode, done.stderr.decode()


def write(project: Project, kind: str) -> None:
    project.write_cases(2)
    project.write_suite(targets=[{"name": "old", "provider": "replay", "path": "../rec/a.jsonl"}])
    project.write_rows("rec/a.jsonl", [{"case_id": "c0", "output": "x"}])
    if kind == "dataset":
        project.write("datasets/qa.jsonl", json.dumps({"id": "c", "question": LONG}, ensure_ascii=False) + "\n")
    elif kind == "broken dataset":
        project.write("datasets/qa.jsonl", f'{{"id": "c", "question": "{LONG}')
    elif kind == "recording":
        project.write("rec/a.jsonl", json.dumps({"case_id": "c0", "output": LONG}, ensure_ascii=False))
    elif kind == "suite":
        project.write("evals/qa.yaml", f"name: qa\ndescription: {LONG}\n")
    else:
        project.write("prompts/long.md", LONG)
        project.write_suite(prompts=["../prompts/long.md"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dataset", "broken dataset", "recording", "suite", "prompt"])
def test_a_line_of_100_megabytes(project: Project, kind: str) -> None:
    """Accepted or refused by name, never a crash."""
    write(project, kind)
    code, err = check(project)
    assert code in {0, 2}, err[-2000:]
    assert "Traceback" not in err
    assert len(err) < MB
