"""A baseline file says what the run said, whatever its texts hold."""

from __future__ import annotations

from dataclasses import replace

from retest.domain.run import RunArm, RunMetric
from retest.domain.scores import ArmCalls, RunScores, ScoredCase
from retest.domain.self_test import MeasuredDrift
from retest.domain.suite import CasePasses, PassIf
from retest.workflows.baseline_file import baseline_path, read_baseline, write_baseline
from support.store_data import START

ODD = "件\u2028\u0085\x00\ud800\U0001f600 <<<<<<< \"'\\"


def arm(name: str) -> RunArm:
    return RunArm(
        name=name,
        prompt_name="p",
        prompt_path="prompts/p.md",
        prompt_hash="h",
        prompt_source=ODD,
        target_name="t",
        provider="openai",
        model=None,
        identity={"base_url": "http://x", "n": [1, None]},
        params={"temperature": 0.1},
        labels=("a", "b"),
    )


def scores() -> RunScores:
    metrics = (
        RunMetric(
            name="m",
            metric="m",
            signature="s",
            options={"o": [1]},
            low=None,
            pass_if=PassIf(min=0.3),
            case_passes=CasePasses(rule="at_least", at_least=2),
        ),
    )
    return RunScores(
        label="evals/x.baseline.jsonl",
        suite="x",
        suite_path="evals/x.yaml",
        fingerprint="f",
        dataset_fingerprint="d",
        draw=2,
        samples_per_case=3,
        started_at=START,
        arms=(arm("p/a"), arm("p/b")),
        metrics=metrics,
        cases={
            "c2": ScoredCase(content_hash="2", expected_hash="e", cluster=ODD, tags=("ja", ODD)),
            ODD: ScoredCase(content_hash="1", expected_hash="e"),
        },
        scores={"p/a": {"m": {"c2": [0.1 + 0.2, None, 1e-300]}}, "p/b": {"m": {ODD: [1.0], "c2": []}}},
        calls={
            "p/a": ArmCalls(errors={"c2": 1}, models=("m1",), fingerprints=("fp",), oldest=START, newest=START),
            "p/b": ArmCalls(identical_repeats=True),
        },
        revision="abc",
    )


def test_what_is_written_is_read() -> None:
    """Every number, text and moment comes back, odd characters and missing scores too."""
    read = read_baseline(write_baseline(scores(), "r1"), "evals/x.baseline.jsonl")
    assert read.scores == scores()
    assert (read.run_id, read.outputs) == ("r1", {})


def test_outputs_come_back() -> None:
    """Answers keep their text; an error stays one."""
    outputs: dict[tuple[str, str], list[str | None]] = {
        ("p/a", "c2"): [ODD, None],
        ("p/a", ODD): [],
        ("p/b", "c2"): [""],
        ("p/b", ODD): ["x"],
    }
    assert read_baseline(write_baseline(scores(), "r1", outputs), "f").outputs == outputs


def test_a_measured_drift_comes_back() -> None:
    """A clone without the runs of `retest aa` knows of it; the order in which it was measured leaves no trace."""
    drifts = [
        MeasuredDrift(arm=name, metric="m", signature="s", tau2=0.01, n_runs=3, measured_at=START)
        for name in ("p/b", "p/a")
    ]
    text = write_baseline(scores(), "r1", drifts=drifts)
    assert read_baseline(text, "f").drifts == tuple(reversed(drifts))
    assert text == write_baseline(scores(), "r1", drifts=reversed(drifts))


def test_a_file_without_a_drift_has_no_word_of_it() -> None:
    """Nothing measured leaves the file as it was."""
    assert "drift" not in write_baseline(scores(), "r1")


def test_one_case_and_arm_is_one_line_of_plain_text() -> None:
    """No text breaks a line in two, whatever a program takes for a line's end; the order is that of ids and arms."""
    text = write_baseline(scores(), "r1")
    assert len(text.splitlines()) == 1 + 2 * 2
    assert text.encode("utf-8").decode("utf-8") == text


def test_the_order_of_a_run_leaves_no_trace() -> None:
    """Two runs with the cases in another order have the same file."""
    turned = replace(scores(), cases=dict(reversed(list(scores().cases.items()))))
    assert write_baseline(turned, "r1") == write_baseline(scores(), "r1")


def test_a_file_stands_beside_its_suite() -> None:
    """The name is the suite file's."""
    assert baseline_path("evals/ja/support.v2.yaml") == "evals/ja/support.v2.baseline.jsonl"
