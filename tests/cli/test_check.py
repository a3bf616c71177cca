"""`retest check` from a user's side: what it says, and its exit code."""

from __future__ import annotations

from support.project import Project


def test_an_unset_variable_of_an_endpoint_is_a_warning(project: Project) -> None:
    """A suite may be checked where its keys are not; the warning says what a run would need."""
    project.write_cases(2)
    project.write_suite("${ENDPOINT}")
    unset = project.run("check")
    assert unset.code == 0
    assert "ENDPOINT, which is not set" in unset.err
    assert "warning:" in unset.err
    assert "ENDPOINT" not in project.run("check", ENDPOINT="http://127.0.0.1:9/v1").err
    assert project.run("run").code == 2


def test_every_problem_of_every_file_is_reported_at_once(project: Project) -> None:
    """Two broken suites, one check, exit 2, each problem with its place and its slug."""
    project.write_cases(2)
    project.write_suite(metrics=["exact_mach"])
    project.write(
        "evals/other.yaml", "prompts: [{text: x, name: x}]\ndatset: a.jsonl\ntargets: []\nmetrics: [contains]\n"
    )
    done = project.run("check", "--json")
    assert done.code == 2
    places = {problem["where"]["path"] for problem in done.json["problems"] if problem["where"]}
    assert {"evals/qa.yaml", "evals/other.yaml"} <= places
    assert all(problem["slug"] for problem in done.json["problems"])


def test_a_sound_suite_is_said_to_be_sound(project: Project) -> None:
    """With its size, and exit 0."""
    project.write_cases(3)
    project.write_suite()
    done = project.run("check")
    assert (done.code, done.out.strip()) == (0, "ok  qa  (3 cases, 1 arm, 1 metric)")
