"""Two people's days with retest, from the first command to the last, on a real git repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.openai_server import OpenAIServer, Received, Reply, ok
from support.project import Project, Result
from support.repository import commit_all, git

PROMPT = "prompts/担当.md"
TEAMS = ("請求", "配送", "返品", "その他")
GOOD = "お問い合わせの担当を「請求・配送・返品・その他」から一つ選んでください。\n\n{{ 本文 }}\n"
TERSE = "担当は？ 理由も書いてください。\n\n{{ 本文 }}\n"
POLITE = "お問い合わせの担当を「請求・配送・返品・その他」から一つ、言葉だけで答えてください。\n\n{{ 本文 }}\n"
CASES = 16


def answer(request: Received) -> Reply:
    """Name the right team; asked for reasons, give them, so that the answer is the team's name no more."""
    text = request.last_user
    team = TEAMS[int(text.rpartition("お問い合わせ")[2].partition("番")[0]) % len(TEAMS)]
    return ok(f"{team}です。理由は次の通りです…" if "理由" in text else team)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    """Give an endpoint that answers by the prompt."""
    with OpenAIServer(answer) as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> Project:
    """Give the repository that both people work on: a Japanese suite with its baseline committed beside it."""
    root = tmp_path / "家"
    root.mkdir()
    made = Project(root)
    made.write(".gitignore", ".retest\n")
    rows = [{"番号": f"件{i:02d}", "本文": f"お問い合わせ{i}番です。", "担当": TEAMS[i % 4]} for i in range(CASES)]
    made.write_rows("datasets/問い合わせ.jsonl", rows)
    made.write(PROMPT, GOOD)
    made.write_suite(
        server.base_url,
        prompts=[f"../{PROMPT}"],
        dataset={"path": "../datasets/問い合わせ.jsonl", "id": "番号", "expected": "担当"},
        samples=3,
        gate={"block": "regression", "metrics": {"exact_match": {"margin": 0.1}}},
    )
    said(made, "check")
    said(made, "run")
    said(made, "baseline", "set")
    said(made, "baseline", "export")
    commit_all(made.root, "問い合わせのスイート")
    return made


def said(project: Project, *args: str, code: int = 0) -> Result:
    """Run a command that must end with a code."""
    done = project.run(*args)
    assert done.code == code, f"retest {' '.join(args)}\n{done.out}{done.err}"
    return done


def words(done: Result) -> str:
    """Return what was printed, without line breaks."""
    return " ".join(done.out.split())


def test_someone_edits_a_prompt(project: Project, server: OpenAIServer) -> None:
    """Edit, see the regression, mend it, pass, refresh the baseline, commit; the pull request says what happened."""
    root = project.root
    git(root, "checkout", "-qb", "丁寧に")

    # A shorter prompt, that asks for reasons: the gate fails, says by how much, and names the cases.
    project.write(PROMPT, TERSE)
    failed = said(project, "gate", code=1)
    assert failed.out.startswith("FAILED  qa")
    assert "exact_match: regressed: 1 before, 0 now (-1)" in words(failed)
    assert "got worse (16): 件00, 件01" in failed.out
    run = failed.out.split("retest show ")[1].split()[0]
    assert "請求です。" in said(project, "show", run, "--case", "件00").out
    assert "+担当は？ 理由も書いてください。" in said(project, "diff").out

    # Asked again, it says the same, and nothing is paid for.
    calls = server.count
    assert said(project, "gate", code=1).out.splitlines()[0] == failed.out.splitlines()[0]
    assert server.count == calls

    # Mended, it passes.
    project.write(PROMPT, POLITE)
    passed = said(project, "gate", "--json").json
    assert passed["outcome"] == "passed"
    assert passed["comparison"]["metrics"]["exact_match"]["delta"] == 0

    # The new prompt becomes the baseline, in a file whose change can be read.
    calls = server.count
    said(project, "baseline", "refresh")
    assert server.count == calls
    assert git(root, "-c", "core.quotePath=false", "diff", "--name-only").splitlines() == [
        "evals/qa.baseline.jsonl",
        PROMPT,
    ]
    assert git(root, "diff", "--numstat", "evals/qa.baseline.jsonl").split()[:2] == ["1", "1"]  # the header alone
    commit_all(root, "言葉だけで答える")

    # What the pull request sees: against main, the verdict in the first line.
    said(project, "gate", "--baseline", "git:main", "--report", "markdown=pr.md", "--report", "junit=pr.xml")
    first, *rest = (root / "pr.md").read_text("utf-8").splitlines()
    assert "passed" in first.lower()
    assert any("exact_match" in line for line in rest)
    assert any("retest gate" in line and "git:main" in line for line in rest)
    assert 'failures="0"' in (root / "pr.xml").read_text("utf-8")


def test_the_pull_request_of_a_regression_shows_the_answers(project: Project) -> None:
    """Before and after, in Japanese, with the place to look at."""
    git(project.root, "checkout", "-qb", "理由")
    project.write(PROMPT, TERSE)
    commit_all(project.root, "理由を聞く")
    done = said(project, "gate", "--baseline", "git:main", "--report", "markdown=pr.md", "--report", "github", code=1)
    first, *rest = (project.root / "pr.md").read_text("utf-8").splitlines()
    assert "regressed" in first
    text = "\n".join(rest)
    assert "請求です。理由は次の通りです…" in text
    assert "件00" in text
    assert f"::error file={PROMPT}" in done.out


@pytest.fixture
def clone(project: Project, tmp_path: Path) -> Project:
    """Give a clean clone on another machine: the committed files, and the ledger that the CI's cache kept."""
    root = tmp_path / "ci"
    git(tmp_path, "clone", "-q", str(project.root), str(root))
    shutil.copytree(project.root / ".retest", root / ".retest")
    made = object.__new__(Project)
    made.root = root
    return made


def test_a_clean_clone_passes_from_the_file_and_the_cache(clone: Project, server: OpenAIServer) -> None:
    """Nothing changed: no call, no key, exit 0; and nothing in the checkout was touched."""
    calls = server.count
    done = said(clone, "gate", "--offline")
    assert done.out.startswith("PASSED  qa")
    assert "against the baseline evals/qa.baseline.jsonl" in words(done)
    assert server.count == calls
    assert git(clone.root, "status", "--porcelain") == ""


def test_a_clean_clone_finds_the_regression_of_a_branch(project: Project, clone: Project, server: OpenAIServer) -> None:
    """Only the new prompt's answers are paid for, once for two jobs; without a key nothing passes unseen."""
    git(project.root, "checkout", "-qb", "理由")
    project.write(PROMPT, TERSE)
    commit_all(project.root, "理由を聞く")
    git(clone.root, "fetch", "-q", "origin", "理由")
    git(clone.root, "checkout", "-q", "FETCH_HEAD")

    calls = server.count
    offline = clone.run("gate", "--offline")
    assert offline.code == 4, offline.out + offline.err
    assert not offline.out.startswith("PASSED")
    assert server.count == calls

    failed = said(clone, "gate", "--report", "markdown=pr.md", "--report", "json=pr.json", code=1)
    assert server.count == calls + 3 * CASES
    assert "exact_match: regressed" in words(failed)
    assert "regressed" in (clone.root / "pr.md").read_text("utf-8").splitlines()[0]

    said(clone, "gate", "--offline", code=1)
    assert server.count == calls + 3 * CASES


def test_a_clean_clone_without_the_cache_pays_for_the_candidate_alone(clone: Project, server: OpenAIServer) -> None:
    """The baseline file holds the other side."""
    shutil.rmtree(clone.root / ".retest")
    calls = server.count
    said(clone, "gate")
    assert server.count == calls + 3 * CASES


def test_a_clean_clone_without_the_baseline_file_judges_nothing(clone: Project, server: OpenAIServer) -> None:
    """Exit 5 before any call; the store's own baseline is another machine's, and not in the cache alone."""
    (clone.root / "evals/qa.baseline.jsonl").unlink()
    calls = server.count
    assert "gate-no-baseline" in said(clone, "gate", "--store", str(clone.root / "empty.db"), code=5).err
    assert server.count == calls
