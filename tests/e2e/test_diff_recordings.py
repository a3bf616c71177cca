"""Two recorded versions compared by `retest diff`: what the data say comes out as the verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.project import Project
from support.recordings import SOLVED, recorded

pytestmark = pytest.mark.data


def compare_versions(
    project: Project, folder: str, versions: tuple[str, str], *, suffix: str = "", **changes: Any
) -> dict[str, Any]:
    """Run one suite on two recorded variants under one target name; return what `retest diff --json` says."""
    for variant in versions:
        target = {
            "name": "model",
            "provider": "replay",
            "path": str(recorded(folder, f"outputs{suffix}.jsonl")),
            "fields": {"case": "case_id", "sample": "repeat", "output": "output"},
            "where": {"variant": variant},
        }
        suite = {
            "name": folder,
            "prompts": [{"text": "recorded", "name": "recorded"}],
            "dataset": {
                "path": str(recorded(folder, f"cases{suffix}.jsonl")),
                "id": "id",
                "expected": "expected",
                "vars": "vars",
            },
            "targets": [target],
            **changes,
        }
        project.write("evals/suite.yaml", json.dumps(suite, ensure_ascii=False))
        assert project.run("run", "evals/suite.yaml", "-q").code == 0
    done = project.run("diff", "--json")
    assert done.code == 0, done.err
    document: dict[str, Any] = done.json
    return document


def test_game_of_24_io_against_cot_is_not_regressed(project: Project) -> None:
    """4.7% against 5.1% solved is no difference that 50 cases x 20 show.

    With all 100 recorded samples the mean still does not differ, but three single puzzles do: 56 to 25 of 100, say.
    """
    metric = project.write("metrics/solved.py", SOLVED)
    metrics = [{"metric": "python", "name": "solved", "path": f"{metric}:solved"}]
    versions = ("gpt-4@t0.7/io", "gpt-4@t0.7/cot")
    document = compare_versions(project, "tot_game24", versions, samples=20, metrics=metrics)
    assert document["metrics"]["solved"]["verdict"] != "regressed"
    assert document["metrics"]["solved"]["n_cases"] == 50


def test_mgsm_japanese_is_lost_while_accuracy_falls_by_a_few_points(project: Project) -> None:
    """The language of the answers regresses hugely; the drop in accuracy is reported with its own, smaller size."""
    metrics = ["numeric", {"metric": "language", "expected_language": "ja"}]
    versions = ("gpt-4/Standard", "gpt-4/ZeroShotCoT")
    document = compare_versions(project, "mgsm_ja_prompts", versions, metrics=metrics)
    language, accuracy = document["metrics"]["language"], document["metrics"]["numeric"]
    assert language["verdict"] == "regressed"
    assert language["delta"] < -0.8
    assert -0.15 < accuracy["delta"] < 0
    assert accuracy["mde"] is not None


def test_the_format_regression_of_a_model_version_is_found(project: Project) -> None:
    """The same prompts sent to a later version of one model: 86% to 51%."""
    metric = {
        "metric": "exact_match",
        "extract": {"pattern": r"(?is).*\[?(yes|no)\]?", "missing": "whole"},
        "casefold": True,
    }
    versions = ("gpt-4-0314", "gpt-4-0613")
    document = compare_versions(project, "llmdrift", versions, suffix="_prime", metrics=[metric])
    found = document["metrics"]["exact_match"]
    assert found["verdict"] == "regressed"
    assert found["delta"] == pytest.approx(-0.35, abs=0.05)


def test_verification_improves_gsm8k(project: Project) -> None:
    """A larger model with a verifier answers more right, and nothing else is claimed."""
    versions = ("6b_finetuning", "175b_verification")
    document = compare_versions(project, "gsm8k", versions, metrics=["numeric"])
    found = document["metrics"]["numeric"]
    assert found["verdict"] == "improved"
    assert found["p_better"] < 0.001
