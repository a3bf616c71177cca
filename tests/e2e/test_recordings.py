"""Real recordings, run through the command line as a user would: the published figures come out."""

from __future__ import annotations

import json
from collections import defaultdict
from math import comb
from typing import Any

import pytest

from support.project import Project
from support.recordings import SOLVED, recorded, rows

pytestmark = pytest.mark.data

GSM8K = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]


def replay_suite(project: Project, folder: str, *, variants: dict[str, str], **changes: Any) -> str:
    """Write a suite that replays recorded variants; return its path."""
    outputs = recorded(folder, "outputs.jsonl")
    targets = [
        {
            "name": name,
            "provider": "replay",
            "path": str(outputs),
            "fields": {"case": "case_id", "sample": "repeat", "output": "output"},
            "where": {"variant": variant},
        }
        for name, variant in variants.items()
    ]
    suite = {
        "name": folder,
        "prompts": [{"text": "recorded", "name": "recorded"}],
        "dataset": {"path": str(recorded(folder, "cases.jsonl")), "id": "id", "expected": "expected", "vars": "vars"},
        "targets": targets,
        **changes,
    }
    project.write(f"evals/{folder}.yaml", json.dumps(suite, ensure_ascii=False))
    return f"evals/{folder}.yaml"


def exported(project: Project) -> list[dict[str, Any]]:
    lines = project.run("export", "latest", "--to", "jsonl").out.split("\n")
    return [json.loads(line) for line in lines if line]


def test_gsm8k_labels_are_reproduced_exactly(project: Project) -> None:
    """`numeric` with defaults agrees with every recorded label of the four systems, 550 cases each."""
    suite = replay_suite(project, "gsm8k", variants={name: name for name in GSM8K}, metrics=["numeric"])
    assert project.run("run", suite, "-q").code == 0
    labels = {(row["case_id"], row["variant"]): row["label"] for row in rows("gsm8k", "outputs.jsonl")}
    ours = {(row["case_id"], row["arm"].split("/")[1]): row["scores"]["numeric"] == 1.0 for row in exported(project)}
    assert len(ours) == 4 * 550
    assert {key for key, right in ours.items() if right != labels[key]} == set()


# The authors take what follows the last "answer is ", without a full stop at the end; else the whole answer.
BBH_METRIC = {
    "metric": "exact_match",
    "extract": {"pattern": r"(?s).*answer is (.*?)\.?\s*$", "missing": "whole"},
}


def test_bbh_accuracies_are_reproduced_exactly(project: Project) -> None:
    """Exact match after the authors' answer extraction gives their accuracy for every task and prompt."""
    variants = {"direct": "code-davinci-002/direct", "cot": "code-davinci-002/cot"}
    suite = replay_suite(project, "bbh", variants=variants, metrics=[BBH_METRIC])
    assert project.run("run", suite, "-q").code == 0
    right: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in exported(project):
        right[row["case_id"].rsplit("-", 1)[0], row["arm"].split("/")[1]].append(row["scores"]["exact_match"])
    golden = json.loads(recorded("bbh", "official_metrics.json").read_text("utf-8"))
    ours = {(task, arm): 100 * sum(values) / len(values) for (task, arm), values in right.items()}
    for (task, arm), accuracy in ours.items():
        assert accuracy == pytest.approx(golden[task][arm]["accuracy"], abs=1e-9), (task, arm)
    assert len(ours) == 14


def test_game_of_24_solve_rates_equal_the_labels(project: Project) -> None:
    """50 cases x 100 samples x 2 prompts load, and the mean solve rates are those of the labels."""
    metric = project.write("metrics/solved.py", SOLVED)
    variants = {"io": "gpt-4@t0.7/io", "cot": "gpt-4@t0.7/cot"}
    metrics = [{"metric": "python", "name": "solved", "path": f"{metric}:solved"}]
    suite = replay_suite(project, "tot_game24", variants=variants, samples=100, metrics=metrics)
    done = project.run("run", suite, "--json")
    assert done.code == 0
    assert (done.json["cases"], done.json["samples"]) == (50, 10_000)
    labels: dict[str, list[bool]] = defaultdict(list)
    for row in rows("tot_game24", "outputs.jsonl"):
        labels[row["variant"].split("/")[1]].append(row["label"])
    for arm in ("io", "cot"):
        ours = done.json["arms"][f"recorded/{arm}"]["metrics"]["solved"]["mean"]
        assert ours == pytest.approx(sum(labels[arm]) / len(labels[arm]), abs=1e-12)


def test_tau_bench_pass_hat_k_is_reproduced(project: Project) -> None:
    """pass^1..4 of gpt-4o on tau-bench's airline tasks, 4 trials each, come out of the aggregate pass^k.

    The recording holds 25 of the 50 tasks. On all of them the authors publish .420, .273, .220 and .200; on these the
    definition (Yao et al. 2024: the mean of C(solved, k) / C(4, k)) gives .310, .193, .170 and .160.
    """
    solved: dict[str, list[bool]] = defaultdict(list)
    for row in rows("tau_airline", "outputs.jsonl"):
        solved[row["case_id"]].append(row["label"])
    # The reward is that of a simulated airline, which no metric can compute again: the recorded label is the answer.
    labelled = [
        {**row, "output": "solved" if row["label"] else "failed"} for row in rows("tau_airline", "outputs.jsonl")
    ]
    outputs = project.write_rows("labels.jsonl", labelled)
    metrics = [
        {"metric": "contains", "name": f"pass_{k}", "values": "solved", "aggregate": f"pass^{k}"} for k in (1, 2, 3, 4)
    ]
    suite = replay_suite(project, "tau_airline", variants={"gpt-4o": "gpt-4o"}, samples=4, metrics=metrics)
    text = (
        (project.root / suite).read_text("utf-8").replace(str(recorded("tau_airline", "outputs.jsonl")), str(outputs))
    )
    project.write(suite, text)
    done = project.run("run", suite, "--json")
    assert done.code == 0, done.err
    found = [done.json["metrics"][f"pass_{k}"]["mean"] for k in (1, 2, 3, 4)]
    defined = [sum(comb(sum(each), k) / comb(4, k) for each in solved.values()) / 25 for k in (1, 2, 3, 4)]
    assert found == pytest.approx(defined, abs=1e-12)
    assert [round(value, 3) for value in found] == [0.310, 0.193, 0.170, 0.160]


@pytest.mark.parametrize(("name", "labels"), [("banking77", 77), ("clinc150", 144)])
def test_figures_of_many_labels_equal_those_of_scikit_learn(project: Project, name: str, labels: int) -> None:
    """77 intents, and 144 with one out of scope: answers that mix them up, some of which name no label."""
    sk: Any = pytest.importorskip("sklearn.metrics")
    cases = list(rows("intent", f"{name}.jsonl"))
    known = sorted({case["expected"] for case in cases})
    # Every third answer is the label of another case, every tenth is none.
    given = [
        "???" if i % 10 == 9 else cases[(i * 7) % len(cases) if i % 3 == 2 else i]["expected"]
        for i in range(len(cases))
    ]
    answers = [
        {"case_id": case["id"], "output": f"Intent: {label.upper()}."} for case, label in zip(cases, given, strict=True)
    ]
    outputs = project.write_rows("answers.jsonl", answers)
    suite = {
        "prompts": [{"text": "recorded", "name": "recorded"}],
        "dataset": {
            "path": str(recorded("intent", f"{name}.jsonl")),
            "id": "id",
            "expected": "expected",
            "vars": "vars",
        },
        "targets": [{"name": "r", "provider": "replay", "path": str(outputs)}],
        "metrics": [{"metric": "classification", "labels": known, "find": "last"}],
    }
    project.write("evals/intent.yaml", json.dumps(suite))
    done = project.run("run", "evals/intent.yaml", "--json")
    assert done.code == 0, done.err
    found = done.json["metrics"]["classification"]["figures"]
    expected = [case["expected"] for case in cases]
    assert len(found["labels"]) == len(known) == labels
    assert found["values"]["f1_macro"]["value"] == pytest.approx(
        sk.f1_score(expected, given, labels=known, average="macro", zero_division=0), abs=1e-12
    )
    assert found["values"]["kappa"]["value"] == pytest.approx(sk.cohen_kappa_score(expected, given), abs=1e-12)
    assert sum(row.get("(none)", 0) for row in found["confusion"].values()) == given.count("???")
    assert "label" in project.run("show", "--figures").out


def test_the_language_metric_sees_mgsm_answers_leave_japanese(project: Project) -> None:
    """Numbers stay right while the language of the answers changes: the two metrics tell them apart."""
    known = {row["variant"] for row in rows("mgsm_ja_prompts", "outputs.jsonl")}
    variants = {"standard": "gpt-4/Standard", "cot": next(v for v in sorted(known) if "zero" in v.lower())}
    metrics = ["numeric", {"metric": "language", "expected_language": "ja"}]
    suite = replay_suite(project, "mgsm_ja_prompts", variants=variants, metrics=metrics)
    done = project.run("run", suite, "--json")
    arms = {name.split("/", 1)[1]: arm["metrics"] for name, arm in done.json["arms"].items()}
    assert arms["standard"]["language"]["mean"] > 0.9
    assert arms["cot"]["language"]["mean"] < 0.15
    assert abs(arms["standard"]["numeric"]["mean"] - arms["cot"]["numeric"]["mean"]) < 0.2


@pytest.mark.parametrize("name", ["jcommonsenseqa", "jnli", "jsts", "jsquad"])
def test_jglue_cases_run(project: Project, name: str) -> None:
    """Japanese cases with choices, pairs, numbers and several references load and score."""
    source = recorded("jglue", f"{name}.jsonl")
    first = next(rows("jglue", f"{name}.jsonl"))
    template = "\n".join(f"{{{{ {variable} }}}}" for variable in first["vars"])
    answer = project.write("targets/echo.py", "def answer(prompt: str) -> str:\n    return prompt\n")
    suite = {
        "prompts": [{"text": template, "name": "ask"}],
        "dataset": {"path": str(source), "id": "id", "expected": "expected", "vars": "vars"},
        "targets": [{"name": "echo", "provider": "python", "path": f"{answer}:answer", "params": {"temperature": 0}}],
        "metrics": ["contains" if name != "jsts" else "numeric", {"metric": "language", "expected_language": "ja"}],
        "gate": {"max_error_rate": 1.0},
    }
    project.write("evals/j.yaml", json.dumps(suite, ensure_ascii=False))
    done = project.run("run", "--json")
    assert done.json["errors"] == 0
    assert done.json["samples"] == sum(1 for _ in rows("jglue", f"{name}.jsonl"))
    assert done.json["metrics"]["language"]["mean"] > 0.85
