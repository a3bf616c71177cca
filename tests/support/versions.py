"""Versions of a recorded suite: the same suite run again and again while its recording, dataset or prompt changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from support.project import Project

Answers = Mapping[str, Sequence[str]]


def case_rows(count: int) -> list[dict[str, Any]]:
    """Return cases that expect 返品 (even) and billing (odd), tagged ja and en."""
    return [
        {
            "id": f"c{i:02d}",
            "q": f"質問 {i}" if i % 2 == 0 else f"question {i}",
            "expected": "返品" if i % 2 == 0 else "billing",
            "tags": ["ja" if i % 2 == 0 else "en"],
        }
        for i in range(count)
    ]


def right_answers(rows: Sequence[Mapping[str, Any]], samples: int = 5) -> dict[str, list[str]]:
    """Return the expected answer to every case, so many times."""
    return {row["id"]: [row["expected"]] * samples for row in rows}


def run_version(
    project: Project,
    answers: Answers,
    rows: Sequence[Mapping[str, Any]],
    *,
    prompt: str = "Which team?\n{{ q }}\n",
    extra: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Run the suite on these recorded answers; return the run's id."""
    samples = max(len(outputs) for outputs in answers.values())
    recorded = [
        {"case_id": case_id, "sample_index": index, "output": output, **(extra or {})}
        for case_id, outputs in answers.items()
        for index, output in enumerate(outputs)
    ]
    project.write_rows("rec/answers.jsonl", recorded)
    project.write_rows("datasets/cases.jsonl", rows)
    project.write("prompts/ask.md", prompt)
    suite = {
        "name": "teams",
        "prompts": ["../prompts/ask.md"],
        "dataset": {"path": "../datasets/cases.jsonl", "id": "id", "expected": "expected", "tags": "tags"},
        "targets": [{"name": "model", "provider": "replay", "path": "../rec/answers.jsonl"}],
        "samples": samples,
        "metrics": ["exact_match"],
        "gate": {"max_error_rate": 1.0},
        **changes,
    }
    project.write("evals/teams.yaml", json.dumps(suite, ensure_ascii=False))
    done = project.run("run", "evals/teams.yaml", "--json", "-q")
    assert done.code == 0, done.err
    run_id: str = done.json["run"]
    return run_id
