"""`retest gate` as a user meets it: files in; exit code and text out."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, error, ok
from support.project import Project, Result

GOOD = [{"text": "{{ question }}", "name": "ask"}]
BAD = [{"text": "BAD {{ question }}", "name": "ask"}]
SLOW = [{"text": "SLOW {{ question }}", "name": "ask"}]
SHAKY = [{"text": "SHAKY {{ question }}", "name": "ask"}]


def answer(request: Received) -> Reply:
    """Answer right, but to a bad prompt never, and to a shaky one in one case of ten."""
    word, _, question = request.last_user.rpartition(" ")
    if word == "DOWN":
        return error(400)
    wrong = word == "BAD" or (word == "SHAKY" and question == "q0")
    return ok("?" if wrong else question, delay_s=0.3 if word == "SLOW" else 0.0)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint whose answers depend on the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> Project:
    """Give a project whose suite ran well and is the baseline."""
    made = Project(tmp_path)
    made.write_cases(10)
    made.write_suite(server.base_url, samples=3)
    assert made.run("run").code == 0
    assert made.run("baseline", "set").code == 0
    return made


def gated(project: Project, server: OpenAIServer, *args: str, **changes: Any) -> Result:
    """Gate the suite after a change of it."""
    project.write_suite(server.base_url, **{"samples": 3, **changes})
    return project.run("gate", *args)


def test_an_unchanged_suite_passes_without_a_call(project: Project, server: OpenAIServer) -> None:
    """The ledger has every answer, and the verdict comes first."""
    before = server.count
    result = project.run("gate")
    assert (result.code, server.count) == (0, before), result.out + result.err
    assert result.out.startswith("PASSED  qa")


def test_a_regression_fails_and_its_repair_passes(project: Project, server: OpenAIServer) -> None:
    """Exit 1 with the numbers; the good prompt again: exit 0."""
    failed = gated(project, server, prompts=BAD)
    assert failed.code == 1, failed.out + failed.err
    assert failed.out.startswith("FAILED  qa")
    assert "exact_match: regressed: 1 before, 0 now (-1)" in " ".join(failed.out.split())
    assert gated(project, server, prompts=GOOD).code == 0


def test_the_verdict_is_sticky(project: Project, server: OpenAIServer) -> None:
    """The same content has the same samples: again no call, and the same words but for the run's id."""
    first = gated(project, server, prompts=BAD)
    before = server.count
    second = project.run("gate")
    assert server.count == before
    without_id = [re.sub(r"r\d{8}-\d{6}-\w+", "RUN", result.out) for result in (first, second)]
    assert without_id[0] == without_id[1]


@pytest.mark.parametrize(("block", "code"), [("regression", 0), ("unproven", 6)])
def test_an_inconclusive_drop(project: Project, server: OpenAIServer, block: str, code: int) -> None:
    """One case of ten at 3 samples proves nothing: said aloud, and blocking only where proof is asked for."""
    result = gated(project, server, prompts=SHAKY, gate={"block": block})
    assert result.code == code, result.out + result.err
    assert " ".join(result.out.split()).count("could have been missed") == 1


def test_a_suite_without_a_baseline_is_not_run(tmp_path: Path, server: OpenAIServer) -> None:
    """Exit 5 before any call, with the way to set one."""
    project = Project(tmp_path)
    project.write_cases(2)
    project.write_suite(server.base_url)
    result = project.run("gate")
    assert (result.code, server.count) == (5, 0)
    assert "suite qa has no baseline" in result.err
    assert "retest baseline set" in result.err


def test_a_baseline_of_another_suite_is_refused(project: Project, server: OpenAIServer) -> None:
    """Exit 5 with a message of its own."""
    result = gated(project, server, "--baseline", "latest", name="other")
    assert result.code == 5
    assert "is of suite qa, not of other" in result.err


def test_edited_cases_drop_out(project: Project) -> None:
    """The rest still compares, and the report names what does not."""
    rows = [{"id": f"c{i}", "question": f"q{i}{'!' if i < 2 else ''}", "expected": f"q{i}"} for i in range(10)]
    project.write_rows("datasets/qa.jsonl", rows)
    result = project.run("gate")
    assert result.code == 0, result.out + result.err
    assert "not compared: 2 cases (edited: its variables differ): c0, c1" in " ".join(result.out.split())


def test_no_case_in_common_is_nothing_to_judge(project: Project) -> None:
    """A dataset of other cases: exit 5."""
    rows = [{"id": f"new{i}", "question": f"q{i}", "expected": f"q{i}"} for i in range(10)]
    project.write_rows("datasets/qa.jsonl", rows)
    result = project.run("gate")
    assert result.code == 5
    assert result.out.startswith("NOTHING TO JUDGE  qa")


def test_too_many_errors_are_incomplete(project: Project, server: OpenAIServer) -> None:
    """Every call refused: exit 4, never 0."""
    result = gated(project, server, prompts=[{"text": "DOWN {{ question }}", "name": "ask"}])
    assert result.code == 4, result.out + result.err
    assert result.out.startswith("INCOMPLETE  qa")


@pytest.mark.parametrize(
    ("gate", "kind"),
    [
        ({"metrics": {"exact_match": {"min": 0.999}}}, "limit"),
        ({"max_latency_ms": 0.0001}, "latency"),
        ({"never_fail": ["c0"]}, "case_rule"),
    ],
)
def test_a_limit_fails_the_gate(project: Project, server: OpenAIServer, gate: dict[str, Any], kind: str) -> None:
    """Limits on a mean, on latency and on single cases: exit 1, with the reason's kind."""
    changes = {"prompts": GOOD if kind == "latency" else BAD if kind == "limit" else SHAKY}
    result = gated(project, server, "--json", gate=gate, **changes)
    assert result.code == 1, result.out + result.err
    assert kind in {reason["kind"] for reason in result.json["reasons"] if reason["blocking"]}


def test_the_cost_limit_needs_a_price(project: Project, server: OpenAIServer) -> None:
    """An unknown price is not free: exit 5 rather than a pass."""
    result = gated(project, server, gate={"max_cost_usd": 100})
    assert result.code == 5
    assert "the price of some answers is unknown" in " ".join(result.out.split())


def test_a_waiver_lifts_a_regression_until_it_expires(project: Project, server: OpenAIServer) -> None:
    """1 becomes 0 and says why; an expired waiver lifts nothing and is pointed out."""
    assert gated(project, server, prompts=BAD).code == 1
    waived = project.run(
        "waive", "exact_match", "--suite", "qa", "--reason", "新しい口調: agreed", "--expires", "2999-01-01"
    )
    assert waived.code == 0, waived.err
    passed = project.run("gate")
    assert passed.code == 0
    assert "waived: 新しい口調: agreed (until 2999-01-01)" in " ".join(passed.out.split())
    path = project.root / "retest.waivers.yaml"
    path.write_text(path.read_text("utf-8").replace("2999-01-01", "2001-01-01"), encoding="utf-8")
    expired = project.run("gate")
    assert expired.code == 1
    assert "its waiver expired on 2001-01-01" in " ".join(expired.out.split())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["exact_mach"], "did you mean 'exact_match'"),
        (["exact_match", "--expires", "2001-01-01"], "has passed"),
        (["exact_match", "--expires", "soon"], "YYYY-MM-DD"),
        (["exact_match", "--reason", " "], "needs a reason"),
    ],
)
def test_a_waiver_that_means_nothing_is_refused(project: Project, change: list[str], said: str) -> None:
    """Misspelt metric, past day, no day, no reason: exit 2, and no file is made."""
    options = {"--suite": "qa", "--reason": "x", "--expires": "2999-01-01"}
    options |= dict(zip(change[1::2], change[2::2], strict=True))
    result = project.run("waive", change[0], *(part for pair in options.items() for part in pair))
    assert result.code == 2
    assert said in result.err
    assert not (project.root / "retest.waivers.yaml").exists()


@pytest.mark.parametrize(
    "text", ["waivers: {}\n", "waivers:\n  - suite: qa\n    metrik: m\n", "- 1\n", "waivers:\n  - 3\n", ""]
)
def test_a_broken_waiver_file_stops_the_gate(project: Project, text: str) -> None:
    """What cannot be read must not be taken for no waiver, nor for one: exit 2 with the place."""
    project.write("retest.waivers.yaml", text)
    result = project.run("gate")
    assert result.code == 2
    assert "retest.waivers.yaml" in result.err


def test_the_gate_reads_a_committed_baseline_at_a_revision(project: Project, server: OpenAIServer) -> None:
    """git:REV takes the file as committed, whatever the working tree says; a revision without one is exit 5."""
    assert project.run("baseline", "export").code == 0
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "0"],
        ["add", "evals"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "1"],
    ):
        subprocess.run(["git", *command], cwd=project.root, check=True, capture_output=True)
    (project.root / "evals" / "qa.baseline.jsonl").write_text("broken", encoding="utf-8")
    result = gated(project, server, "--baseline", "git:HEAD", "--json", prompts=BAD)
    assert (result.code, result.json["baseline"]) == (1, "git:HEAD")
    absent = project.run("gate", "--baseline", "git:HEAD~1")
    assert absent.code == 5
    assert "there is no evals/qa.baseline.jsonl at HEAD~1" in absent.err
    unknown = project.run("gate", "--baseline", "git:nowhere")
    assert unknown.code == 2
    assert "no revision 'nowhere'" in unknown.err


@pytest.mark.parametrize(
    ("flags", "code", "verdict"),
    [(["--outputs"], 0, "inconclusive"), ([], 5, "not_comparable")],
    ids=["with", "without"],
)
def test_a_metric_that_changed_since_the_baseline_file(
    project: Project, server: OpenAIServer, flags: list[str], code: int, verdict: str
) -> None:
    """The file's answers are scored by the new definition; without answers the gate has nothing to judge."""
    assert project.run("baseline", "export", *flags).code == 0
    shutil.rmtree(project.root / ".retest")
    result = gated(project, server, "--json", metrics=[{"metric": "exact_match", "casefold": True}])
    assert (result.code, result.json["comparison"]["metrics"]["exact_match"]["verdict"]) == (code, verdict)
    if code:
        assert "retest baseline export --outputs" in result.json["reasons"][0]["message"]


def test_json_holds_the_decision_and_what_it_stands_on(project: Project, server: OpenAIServer) -> None:
    """Outcome, reasons, run, comparison: one JSON object on stdout."""
    document = gated(project, server, "--json", prompts=BAD).json
    assert (document["outcome"], document["exit_code"]) == ("failed", 1)
    assert document["reasons"][0]["metric"] == "exact_match"
    assert document["comparison"]["metrics"]["exact_match"]["verdict"] == "regressed"
    assert document["run"]["suite"] == "qa"


def test_an_interrupted_gate_resumes(project: Project, server: OpenAIServer) -> None:
    """Ctrl-C is exit 130 with what is stored; the same command goes on and decides."""
    project.write_suite(server.base_url, samples=3, prompts=SLOW)
    running = project.start("gate", "-c", "1")
    wait_for_calls(server, 30 + 3)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert out.decode("utf-8").startswith("INTERRUPTED  qa")
    before = server.count
    assert project.run("gate").code == 0
    assert 0 < server.count - before < 30


def wait_for_calls(server: OpenAIServer, count: int) -> None:
    """Wait until the endpoint has received so many requests."""
    for _ in range(600):
        if server.count >= count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{server.count} requests, not {count}")


def test_several_suites_exit_with_the_worst_code(project: Project, server: OpenAIServer) -> None:
    """One passes, one has no baseline: 5, and both are reported."""
    text = (project.root / "evals" / "qa.yaml").read_text("utf-8").replace("name: qa", "name: other")
    project.write("evals/other.yaml", text)
    result = project.run("gate")
    assert result.code == 5
    assert "PASSED  qa" in result.out
    assert "NOTHING TO JUDGE  other" in result.out


def test_a_noisy_endpoint_that_did_not_change_stays_quiet(tmp_path: Path) -> None:
    """The same prompt with fresh answers of a model that is right in 7 of 10: not regressed."""
    noise = random.Random(20261123)  # noqa: S311 - noise for a test, the same each time

    def flaky(request: Received) -> Reply:
        return ok(request.last_user if noise.random() < 0.7 else "?")

    project = Project(tmp_path)
    project.write_cases(30)
    with OpenAIServer(flaky) as server:
        project.write_suite(server.base_url, samples=5)
        assert project.run("run").code == 0
        assert project.run("baseline", "set").code == 0
        # A text that the model ignores: other content, hence other draws of the same answers.
        project.write_suite(server.base_url, samples=5, targets=[_target(server.base_url, max_tokens=99)])
        result = project.run("gate")
    assert result.code == 0, result.out + result.err


def _target(base_url: str, **params: Any) -> dict[str, Any]:
    return {
        "name": "small",
        "provider": "openai",
        "model": "test-model",
        "base_url": base_url,
        "params": {"temperature": 0.7, **params},
    }


def test_reports_are_written_whatever_the_outcome(project: Project) -> None:
    """A pass, and a gate that could not even begin, both leave their reports; the second never reads as a pass."""
    project.write_cases(6)
    with OpenAIServer(lambda request: ok(request.last_user)) as server:
        project.write_suite(server.base_url, samples=2)
        assert project.run("run").code == 0
        assert project.run("baseline", "set").code == 0
        reports = ("--report", "junit=out.xml", "--report", "markdown=out.md", "--report", "github")
        passed = project.run("gate", *reports, GITHUB_STEP_SUMMARY=str(project.root / "summary.md"))
        assert passed.code == 0
        assert "passed" in (project.root / "out.md").read_text("utf-8").splitlines()[0]
        assert "passed" in (project.root / "summary.md").read_text("utf-8")
        assert "<failure" not in (project.root / "out.xml").read_text("utf-8")
        project.write_suite(server.base_url, metrics=["exact_mach"])
        broken = project.run("gate", *reports)
    assert broken.code == 2
    assert "passed" not in (project.root / "out.md").read_text("utf-8").splitlines()[0]
    assert "exact_mach" in (project.root / "out.xml").read_text("utf-8")


def test_a_misspelled_report_is_found_before_any_call(project: Project) -> None:
    """`--report junt=...` is a usage error with a suggestion."""
    project.write_cases(2)
    project.write_suite()
    done = project.run("gate", "--report", "junt=out.xml")
    assert done.code == 2
    assert "did you mean 'junit'" in done.err
