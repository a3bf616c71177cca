"""`judge_pairwise` as a user meets it: which of two answers is better, in run, diff, gate and compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project, Result

SHARE = {"old": 2, "mid": 0, "new": 7}
"""Of ten questions, how many each prompt answers well."""


def _number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


def _answer(text: str) -> str:
    word = text.split(maxsplit=1)[0]
    return f"{'GOOD' if _number(text) % 10 < SHARE.get(word, 0) else 'meh'} {text}"


def _verdict(text: str) -> Reply:
    first, second = (part.split("]]", 1)[1].split("[[/")[0] for part in text.split("[[answer")[1:3])
    if "prose" in first + second:
        return ok("The second one, I think.")
    if "place" in first + second:
        return ok(json.dumps({"justification": "it stands first", "choice": "first"}))
    good = ("GOOD" in first, "GOOD" in second)
    choice = "tie" if good[0] == good[1] else "first" if good[0] else "second"
    return ok(json.dumps({"justification": f"良い回答: {choice}", "choice": choice}))


def reply(request: Received) -> Reply:
    """Answer as the prompt has it; judge by the word GOOD, by the place, or in prose where the answers say so."""
    judging = request.body["model"] == "judge-1"
    return _verdict(request.last_user) if judging else ok(_answer(request.last_user))


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give one endpoint for target and judge."""
    with OpenAIServer(reply) as running:
        yield running


def suite(project: Project, server: OpenAIServer, *prompts: str, **changes: Any) -> None:
    """Write a suite of 30 cases with these prompts (a name each, its text begins with it) and a pairwise judge."""
    project.write_cases(30)
    texts = [
        {"text": f"{text} {{{{ question }}}}", "name": text.split()[0] if len(prompts) > 1 else "ask"}
        for text in prompts
    ]
    judges = [{"name": "grader", "provider": "openai", "model": "judge-1", "base_url": server.base_url}]
    metrics = ["exact_match", {"metric": "judge_pairwise", "judge": "grader"}]
    project.write_suite(server.base_url, prompts=texts, judges=judges, **{"metrics": metrics, **changes})


def retest(project: Project, *args: str) -> Result:
    return project.run(*args, OPENAI_API_KEY="test")


def two_runs(project: Project, server: OpenAIServer, before: str = "old", after: str = "new", **changes: Any) -> None:
    for prompt in (before, after):
        suite(project, server, prompt, **changes)
        assert retest(project, "run").code == 0


def pair_of(result: Result) -> tuple[Any, Any]:
    """Return verdict and pairwise result of a comparison's only pair of arms."""
    (arm,) = result.json["arms"].values()
    return arm["metrics"]["judge_pairwise"], arm["pairwise"]["judge_pairwise"]


def test_diff_asks_in_both_orders_once(project: Project, server: OpenAIServer) -> None:
    """Two calls a pair, a verdict by the usual procedure; the second diff is paid for, turned round too."""
    two_runs(project, server)
    before = server.count
    verdict, pair = pair_of(retest(project, "diff", "--json"))
    assert server.count - before == 60
    assert verdict["verdict"] == "improved"
    assert verdict["delta"] == pytest.approx(pair["win"]["value"] - pair["loss"]["value"])
    assert pair["flip_rate"]["value"] == 0
    turned, _ = pair_of(retest(project, "diff", "latest", "latest~1", "--json"))
    assert turned["verdict"] == "regressed"
    assert turned["delta"] == pytest.approx(-verdict["delta"])
    assert server.count - before == 60


def test_offline_asks_nobody(project: Project, server: OpenAIServer) -> None:
    """What is not paid for is missing data: not compared, and no tie."""
    two_runs(project, server)
    before = server.count
    verdict, pair = pair_of(retest(project, "diff", "--offline", "--json"))
    assert server.count == before
    assert (verdict["verdict"], pair["missing"], pair["n_pairs"]) == ("not_comparable", 30, 0)


def test_a_judge_that_looks_at_the_place_finds_no_winner(project: Project, server: OpenAIServer) -> None:
    """Every pair flips: a tie each, said with the rate, and no verdict against the candidate."""
    two_runs(project, server, "old place", "new place")
    verdict, pair = pair_of(retest(project, "diff", "--json"))
    assert (pair["flip_rate"]["value"], pair["tie"]["value"], pair["first_share"]["value"]) == (1, 1, 1)
    assert verdict["verdict"] == "inconclusive"
    assert "the two orders disagree in 100%" in " ".join(retest(project, "diff").out.split())


def test_prose_is_missing_and_fails_the_gate_as_incomplete(project: Project, server: OpenAIServer) -> None:
    """A judge that gives no verdict is no pass: exit 4 with its own words."""
    two_runs(project, server, "old prose", "new prose")
    retest(project, "baseline", "set", "latest~1", "--force")
    result = retest(project, "gate")
    assert result.code == 4, result.out + result.err
    text = " ".join(result.out.split())
    assert "pairs of answers could not be judged" in text
    assert "no JSON" in text


def test_gate_fails_on_worse_answers(project: Project, server: OpenAIServer) -> None:
    """A candidate that loses to the baseline is a regression: exit 1, in Markdown and JSON as well."""
    two_runs(project, server, "new", "old")
    retest(project, "baseline", "set", "latest~1", "--force")
    result = retest(project, "gate")
    assert result.code == 1, result.out + result.err
    assert "judge_pairwise: regressed" in " ".join(result.out.split())
    markdown = retest(project, "gate", "--report", "markdown")
    assert markdown.code == 1
    assert "the two orders disagree" in markdown.out


def test_arms_of_one_run_are_compared_and_ranked(project: Project, server: OpenAIServer) -> None:
    """Three prompts: every two are judged, each against the first has a verdict, and all are ranked."""
    suite(project, server, "old", "mid", "new")
    result = retest(project, "run", "--json")
    assert result.code == 0, result.err
    (ranking,) = result.json["rankings"]
    assert [version["version"].split("/")[0] for version in ranking["versions"]] == ["new", "old", "mid"]
    assert result.json["judges"]["grader"]["calls"] == 3 * 30 * 2
    verdicts = {each["candidate"]: each["metrics"]["judge_pairwise"]["verdict"] for each in result.json["comparisons"]}
    assert verdicts["new/small"] == "improved"


def test_show_repeats_the_ranking_without_a_call(project: Project, server: OpenAIServer) -> None:
    """What a run's judges said is kept with the run."""
    suite(project, server, "old", "mid", "new")
    retest(project, "run")
    before = server.count
    result = project.run("show")
    assert result.code == 0, result.err
    assert "Bradley-Terry" in result.out
    assert server.count == before
    assert max(len(line) for line in result.out.splitlines()) <= 80


def test_the_same_run_again_pays_nothing(project: Project, server: OpenAIServer) -> None:
    """Judgments of pairs are in the ledger like every answer."""
    suite(project, server, "old", "new")
    retest(project, "run")
    before = server.count
    assert retest(project, "run").code == 0
    assert server.count == before


def test_one_arm_alone_has_nothing_to_judge(project: Project, server: OpenAIServer) -> None:
    """A suite with nothing but a pairwise metric and one arm tests nothing by running: exit 5."""
    suite(project, server, "old", metrics=[{"metric": "judge_pairwise", "judge": "grader"}])
    assert retest(project, "run").code == 5


def test_unchanged_answers_are_ties_that_nobody_is_asked_about(project: Project, server: OpenAIServer) -> None:
    """Two runs of the same content share their answers; judging them against themselves would be paid for in vain."""
    two_runs(project, server, "old", "old")
    before = server.count
    verdict, pair = pair_of(retest(project, "diff", "--json"))
    assert (server.count - before, pair["same"]) == (0, 30)
    assert verdict["delta"] == 0


def test_compare_ranks_prompt_files(project: Project, server: OpenAIServer) -> None:
    """Three prompt files: every two are judged, in both orders, and ranked by their duels."""
    for name in ("old", "mid", "new"):
        project.write(f"prompts/{name}.md", f"{name} {{{{ question }}}}\n")
    suite(project, server, "old")
    files = [f"prompts/{name}.md" for name in ("old", "mid", "new")]
    before = server.count
    result = retest(project, "compare", *files, "--suite", "evals/qa.yaml", "--json")
    assert result.code == 0, result.err
    (ranking,) = result.json["pairwise_rankings"]
    versions = [version["version"] for version in ranking["versions"]]
    assert [next(name for name in SHARE if name in version) for version in versions] == ["new", "old", "mid"]
    assert server.count - before == 3 * 30 + 3 * 30 * 2
    assert "judge_pairwise" not in {each["metric"] for each in result.json["rankings"]}


def test_the_report_of_a_run_shows_what_its_judges_said(project: Project, server: OpenAIServer) -> None:
    """Arms of one run are not judged again for a page: the run has kept the results."""
    suite(project, server, "old", "new")
    retest(project, "run")
    before = server.count
    assert project.run("report", "latest", "-o", "report.html").code == 0
    verdict, pair = pair_of(project.run("diff", "latest", "latest", "--arm", "old/small", "new/small", "--json"))
    assert server.count == before
    assert (verdict["verdict"], pair["n_pairs"]) == ("improved", 30)


def test_a_report_shows_what_is_paid_for_and_asks_nobody(project: Project, server: OpenAIServer) -> None:
    """Before diff has had the pairs judged there is nothing to show; after it the figures are in the file."""
    two_runs(project, server)
    asked = server.count
    args = ("report", "latest~1", "latest", "--lang", "en", "-o", "r.html")
    assert retest(project, *args).code == 0
    before = (project.root / "r.html").read_text("utf-8")
    assert server.count == asked
    assert retest(project, "diff").code == 0
    asked = server.count
    assert retest(project, *args).code == 0
    after = (project.root / "r.html").read_text("utf-8")
    assert server.count == asked
    assert ('class="shares"' in before, 'class="shares"' in after) == (False, True)
