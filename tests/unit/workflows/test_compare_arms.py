"""Arms of one run, compared by what their samples come to."""

from __future__ import annotations

from support.project import Project


def test_a_majority_is_compared_as_a_majority(project: Project) -> None:
    """The change shown is the change of the column above it, however samples are added up."""
    rows = [{"id": f"c{i}", "question": f"q{i}", "expected": "yes"} for i in range(12)]
    project.write_rows("datasets/qa.jsonl", rows)
    # Version a is right in 2 of 3 samples, b in 1 of 3: means .667 and .333, majorities 1 and 0.
    recorded = [
        {"case_id": f"c{i}", "repeat": k, "prompt": name, "output": "yes" if k < right else "no"}
        for i in range(12)
        for name, right in (("a", 2), ("b", 1))
        for k in range(3)
    ]
    project.write_rows("datasets/recorded.jsonl", recorded)
    project.write_suite(
        prompts=[{"text": "{{ question }}", "name": "a"}, {"text": "{{ question }}!", "name": "b"}],
        targets=[
            {"name": "r", "provider": "replay", "path": "../datasets/recorded.jsonl", "fields": {"prompt": "prompt"}}
        ],
        samples=3,
        metrics=[{"metric": "exact_match", "aggregate": "majority"}],
    )
    done = project.run("run", "--json").json
    (compared,) = done["comparisons"]
    metric = compared["metrics"]["exact_match"]
    assert [done["arms"][f"{name}/r"]["metrics"]["exact_match"]["mean"] for name in "ab"] == [1.0, 0.0]
    assert (metric["baseline_mean"], metric["candidate_mean"], metric["delta"]) == (1.0, 0.0, -1.0)
    assert metric["verdict"] == "regressed"


def test_a_stored_run_shows_the_verdicts_that_the_run_showed(project: Project) -> None:
    """`show` judges by the gate of the run's own suite: with its margin two equal arms are unchanged both times."""
    rows = [{"id": f"c{i}", "question": f"q{i}", "expected": "yes"} for i in range(30)]
    project.write_rows("datasets/qa.jsonl", rows)
    recorded = [{"case_id": f"c{i}", "prompt": name, "output": "yes"} for i in range(30) for name in ("a", "b")]
    project.write_rows("datasets/recorded.jsonl", recorded)
    target = {"name": "r", "provider": "replay", "path": "../datasets/recorded.jsonl", "fields": {"prompt": "prompt"}}
    project.write_suite(
        prompts=[{"text": "{{ question }}", "name": "a"}, {"text": "{{ question }}!", "name": "b"}],
        targets=[target],
        gate={"metrics": {"exact_match": {"margin": 0.2}}},
    )
    ran = project.run("run", "--json").json["comparisons"]
    assert ran[0]["metrics"]["exact_match"]["verdict"] == "unchanged"
    assert project.run("show", "--json").json["comparisons"] == ran
