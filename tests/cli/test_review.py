"""Reviews as people enter them: flags, files and keys in; exit code, text and files out."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from support.project import Project, Result
from support.versions import case_rows, right_answers, run_version

ROWS = case_rows(8)
ANSWER = {"name": "answer", "metric": "exact_match"}
ASKED = {"name": "親切さ", "metric": "review", "dimension": "nice"}


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two runs, the first the baseline; the second answers two cases otherwise."""
    project = Project(tmp_path_factory.mktemp("two-runs"))
    run_version(project, right_answers(ROWS, 2), ROWS, metrics=[ANSWER])
    assert project.run("baseline", "set", "latest").code == 0
    changed = {**right_answers(ROWS, 2), "c00": ["=返品です", "=返品です"], "c01": ["billing!", "billing"]}
    run_version(project, changed, ROWS, metrics=[ANSWER])
    return project.root


@pytest.fixture
def project(two_runs: Path, tmp_path: Path) -> Project:
    """Return a project of one's own with the two runs."""
    shutil.copytree(two_runs, tmp_path / "project")
    return Project(tmp_path / "project")


def add(project: Project, case: str, *said: str, reviewer: str = "佐藤", run: str = "latest") -> Result:
    done = project.run("review", "add", run, "--case", case, "--reviewer", reviewer, *said)
    assert done.code == 0, done.err
    return done


def take_in(project: Project, said: dict[str, dict[str, Any]], reviewer: str = "佐藤", run: str = "latest") -> None:
    """Import a review of the first sample of each case of a run."""
    rows = [{"case_id": case, "sample_index": 0, "reviewer": reviewer, **each} for case, each in said.items()]
    project.write_rows("said.jsonl", rows)
    done = project.run("review", "import", "said.jsonl", "--run", run)
    assert done.code == 0, done.err


def listed(project: Project, *args: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.run("review", "list", "--json", *args).json["reviews"]
    return found


def keys(project: Project, typed: str, *args: str) -> subprocess.CompletedProcess[bytes]:
    """Run the keyboard session with its input piped: a key a line."""
    return subprocess.run(
        project.command("review", "--reviewer", "佐藤", *args),
        cwd=project.root,
        env=project.env(),
        input=typed.encode(),
        capture_output=True,
        timeout=240,
        check=False,
    )


def test_a_review_is_added_edited_and_withdrawn_with_its_history(project: Project) -> None:
    """Every state is shown, with who wrote it."""
    add(project, "c00", "--label", "bad", "--tag", "敬語", "--text", "短すぎる")
    (review,) = listed(project)
    edited = project.run(
        "review", "edit", review["review"][:6], "--label", "good", "--remove-tag", "敬語", "--author", "mori"
    )
    assert edited.code == 0, edited.err
    assert project.run("review", "edit", review["review"], "--withdraw").code == 0
    assert listed(project) == []
    shown = project.run("review", "show", review["review"], "--json").json
    assert [(each["label"], each["tags"], each["withdrawn"]) for each in shown["revisions"]] == [
        ("bad", ["敬語"], False),
        ("good", [], False),
        ("good", [], True),
    ]
    assert shown["revisions"][1]["author"] == "mori"
    assert "短すぎる" in project.run("review", "show", review["review"]).out


def test_two_answers_are_compared(project: Project) -> None:
    """Against another run's answer to the same case."""
    add(project, "c00", "--against", "latest~1", "--label", "second")
    (review,) = listed(project)
    assert (review["label"], review["other"]["case_id"], review["other"]["run"] != review["run"]) == (
        "second",
        "c00",
        True,
    )


def test_reviews_are_columns_of_show_and_diff(project: Project) -> None:
    """With the mean over reviewers, and only where somebody has looked."""
    for reviewer, value in (("佐藤", "5"), ("mori", "2")):
        add(project, "c00", "--score", f"nice={value}", "--scale", "nice=1-5", reviewer=reviewer)
        add(project, "c00", "--score", "nice=5", reviewer=reviewer, run="latest~1")
    column = project.run("show", "--json").json["arms"]["ask/model"]["metrics"]["review:nice"]
    assert (column["mean"], column["n_cases"]) == (3.5, 1)
    compared = project.run("diff", "--json").json["arms"]["ask/model"]["metrics"]["review:nice"]
    assert (compared["baseline_mean"], compared["candidate_mean"]) == (5.0, 3.5)


def test_an_export_comes_back_unchanged(project: Project) -> None:
    """CSV and JSONL, history and all, into the same store and into a new one's."""
    add(project, "c00", "--label", "bad", "--score", "nice=2", "--scale", "nice=1-5", "--text", "=1+1")
    add(project, "c00", "--label", "good", "--tag", "a;b", "--tag", "敬語")
    add(project, "c01", "--against", "latest~1", "--label", "tie", reviewer="mori")
    before = listed(project)
    for name, to in (("r.csv", "csv"), ("r.jsonl", "jsonl")):
        assert project.run("review", "export", "latest", "--to", to, "-o", name).code == 0
        again = project.run("review", "import", name, "--json")
        assert again.json == {"added": 0, "edited": 0, "unchanged": 2, "empty": 0, "older": 0}
    for review in before:
        assert project.run("review", "edit", review["review"], "--withdraw").code == 0
    assert listed(project) == before == [] or listed(project) == []
    # Into a store where nobody has reviewed: the runs are there, the reviews are not.
    import sqlite3

    with sqlite3.connect(project.root / ".retest" / "retest.db") as connection:
        connection.executescript("DELETE FROM review_revisions; DELETE FROM reviews; DELETE FROM review_scales;")
    connection.close()
    assert project.run("review", "import", "r.jsonl").code == 0
    assert listed(project) == before


def test_a_spreadsheet_filled_in_is_taken_in(project: Project) -> None:
    """A sheet of what is due, filled in by hand in cp932, rows left empty passed over."""
    sheet = project.root / "due.csv"
    done = project.run(
        "review", "export", "--queue", "worst", "--limit", "3", "--dimension", "nice", "--to", "csv", "-o", "due.csv"
    )
    assert done.code == 0, done.err
    rows = list(csv.DictReader(io.StringIO(sheet.read_bytes().decode("utf-8-sig"), newline="")))
    assert rows[0]["answer"] == "'=返品です"
    rows[0] |= {"label": "bad", "score.nice": "１", "text": "敬語がない", "tags": "敬語；短い"}
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    sheet.write_bytes(out.getvalue().encode("cp932"))
    done = project.run(
        "review", "import", "due.csv", "--encoding", "cp932", "--reviewer", "佐藤", "--scale", "nice=1-5", "--json"
    )
    assert done.json == {"added": 1, "edited": 0, "unchanged": 0, "empty": 2, "older": 0}, done.err
    (review,) = listed(project)
    assert (review["case_id"], review["label"], review["scores"], review["tags"]) == (
        "c00",
        "bad",
        {"nice": 1.0},
        ["敬語", "短い"],
    )


def test_an_edited_export_is_an_edit(project: Project) -> None:
    """Its row still has the time of what it said before; a row that is older than the store's is left out."""
    add(project, "c00", "--label", "bad")
    assert project.run("review", "export", "-o", "r.jsonl").code == 0
    row = json.loads((project.root / "r.jsonl").read_text("utf-8"))
    project.write_rows("r.jsonl", [{**row, "label": "good"}])
    assert project.run("review", "import", "r.jsonl", "--json").json["edited"] == 1
    project.write_rows("old.jsonl", [{**row, "label": "bad", "at": "2020-01-01T00:00:00+00:00"}])
    assert project.run("review", "import", "old.jsonl", "--json").json["older"] == 1
    assert listed(project)[0]["label"] == "good"


def test_a_blind_file_names_no_version_and_finds_its_way_back(project: Project) -> None:
    """A code stands for each run and arm; the reviews land on the right answers, marked as blind."""
    runs = [run["run"] for run in project.run("runs", "--json").json["runs"]]
    args = ("--queue", "changed", "--pairs", "--blind", "--to", "csv", "-o", "blind.csv")
    assert project.run("review", "export", "latest", *args).code == 0
    text = (project.root / "blind.csv").read_bytes().decode("utf-8-sig")
    assert not any(name in text for name in (*runs, "ask/model"))
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len({row["code"] for row in rows} | {row["other_code"] for row in rows}) == 2
    for row in rows:
        row["label"] = "first" if "=返品です" in row["answer"] or "billing!" in row["answer"] else "second"
    project.write_rows("blind.jsonl", [{**row, "sample_index": 0, "other_sample_index": 0} for row in rows[:1]])
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (project.root / "blind.csv").write_bytes(out.getvalue().encode())
    done = project.run("review", "import", "blind.csv", "--reviewer", "mori")
    assert done.code == 0, done.err
    shares = project.run("show", "--json").json["arms"]["ask/model"]["metrics"]["review:preference"]
    assert shares["mean"] == 1.0  # the newest run's answers were preferred, wherever they stood
    assert all(review["revisions"][0]["blind"] for review in listed(project))


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"label": "fine"}, "'fine' is no label"),
    ({"case_id": "c99"}, "no case 'c99'"),
    ({"sample_index": 9}, "sample 9 of case c00"),
    ({"sample_index": "x"}, "no number of a sample"),
    ({"run": "r-none"}, "no run has the id"),
    ({"reviewer": None}, "names no reviewer"),
    ({"scores": {"nice": 3}}, "has no scale yet"),
    ({"scores": {"good": 9}, "scales": {"good": "1-5"}}, "outside its scale 1-5"),
    ({"answer": "something else"}, "shows another answer"),
    ({"at": "yesterday"}, "`at` is no time"),
    ({"code": "ZZZZZ"}, "under the code 'ZZZZZ'"),
)


def test_wrong_rows_are_named_by_their_lines_and_nothing_is_kept(project: Project) -> None:
    """All at once; line 1 alone would have been sound."""
    run = project.run("runs", "--json").json["runs"][0]["run"]
    sound = {"run": run, "arm": "ask/model", "case_id": "c00", "sample_index": 0, "reviewer": "mori", "label": "bad"}
    project.write_rows("r.jsonl", [sound, *({**sound, **change} for change, _ in WRONG)])
    done = project.run("review", "import", "r.jsonl")
    assert done.code == 2
    by_line = dict(re.findall(r"error: (.*?)\n\s+r\.jsonl:(\d+)", done.err, re.DOTALL))
    named = {int(line): " ".join(message.split()) for message, line in by_line.items()}
    assert sorted(named) == list(range(2, len(WRONG) + 2)), done.err
    assert [said for line, (_, said) in enumerate(WRONG, start=2) if said not in named[line]] == []
    assert listed(project) == []


def test_rows_of_another_run_are_taken_for_the_run_that_is_named(project: Project) -> None:
    """Where it has the same answer; a review of another answer is refused."""
    add(project, "c03", "--label", "good", run="latest~1")
    assert project.run("review", "export", "latest~1", "-o", "r.jsonl").code == 0
    moved = project.run("review", "import", "r.jsonl", "--run", "latest", "--json")
    assert moved.json["added"] == 1, moved.err
    add(project, "c00", "--label", "good", run="latest~1")
    assert project.run("review", "export", "latest~1", "-o", "r.jsonl").code == 0
    refused = project.run("review", "import", "r.jsonl", "--run", "latest")
    assert (refused.code, "review-row" in refused.err) == (2, True)


def test_agreement_of_reviewers(project: Project) -> None:
    """Equal labels are exact; one reviewer alone is nothing to judge."""
    take_in(project, {f"c0{number}": {"label": "good" if number % 2 else "bad"} for number in range(6)})
    alone = project.run("review", "agreement")
    assert (alone.code, "review-no-agreement" in alone.err) == (5, True)
    labels = {f"c0{number}": {"label": "good" if number in {1, 3} else "bad"} for number in range(6)}
    take_in(project, labels, reviewer="mori")
    found = project.run("review", "agreement", "--json").json["dimensions"]["label"]
    (pair,) = found["pairs"]
    assert (found["shared"], pair["exact"][0], round(pair["kappa"][0], 3)) == (6, round(5 / 6, 16), 0.667)
    lines = project.run("review", "agreement").out.splitlines()
    assert [line.split()[3:6] for line in lines if line.startswith("mori – 佐藤")] == [["6", "exact", "0.83"]]
    assert all(line.count("[") == line.count("]") for line in lines), "an interval stays on its line"


def test_the_keyboard_saves_at_once(project: Project) -> None:
    """In Japanese, with input piped: a label, a score, a comment, on to the next, quit."""
    done = keys(
        project, "b\n2\nc\n敬語がない\nn\ng\nq\n", "--order", "worst", "--scale", "nice=1-5", "--language", "ja"
    )
    out = done.stdout.decode()
    assert done.returncode == 0, done.stderr.decode()
    assert "ケース c00" in out
    assert "期待する回答" in out
    assert "保存しました" in out
    first, second = sorted(listed(project), key=lambda review: str(review["case_id"]))
    assert (first["label"], first["scores"], first["text"]) == ("bad", {"nice": 2.0}, "敬語がない")
    assert (second["case_id"], second["label"]) == ("c01", "good")


def test_what_is_reviewed_does_not_come_up_again(project: Project) -> None:
    """The session goes on where the last one ended."""
    keys(project, "b\nq\n", "--order", "worst")
    assert (
        "case c00" not in keys(project, "q\n", "--order", "worst", "--language", "en").stdout.decode().splitlines()[0]
    )


def test_a_hostile_answer_does_nothing_to_the_terminal(tmp_path: Path) -> None:
    """Escape sequences and overrides are spelled out in the session, the queue and the list."""
    project = Project(tmp_path)
    hostile = "\x1b[31mred\u202e [bold]x[/bold]"
    run_version(project, {**right_answers(ROWS, 1), "c00": [hostile]}, ROWS, metrics=[ANSWER])
    add(project, "c00", "--text", hostile, "--tag", hostile, reviewer=hostile)
    out = keys(project, "q\n", "--order", "worst").stdout.decode()
    out += project.run("review", "queue", "--order", "worst").out + project.run("review", "list").out
    out += project.run("review", "show", listed(project)[0]["review"]).out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]x[/bold]" in out.replace("\n", "")


def test_keys_count_at_once_on_a_terminal(project: Project) -> None:
    """No return key: on a real terminal one letter is enough, and the arrow goes on."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        project.command("review", "--reviewer", "佐藤", "--order", "worst", "--language", "en"),
        cwd=project.root,
        env=project.env(TERM="dumb"),
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
    )
    os.close(secondary)
    try:
        read_until(primary, "q quit")
        os.write(primary, b"b")
        read_until(primary, "saved")
        assert [review["label"] for review in listed(project)] == ["bad"]
        os.write(primary, b"\x1b[C")
        read_until(primary, "case c01")
        os.write(primary, b"q")
        assert process.wait(timeout=240) == 0
    finally:
        process.kill()
        process.wait()
        os.close(primary)


def read_until(number: int, wanted: str, timeout_s: float = 240) -> str:
    """Return what the terminal shows up to a text."""
    seen, end = "", time.monotonic() + timeout_s
    while wanted not in seen:
        assert time.monotonic() < end, f"no {wanted!r} in {seen!r}"
        if select.select([number], [], [], 0.2)[0]:
            seen += os.read(number, 4096).decode("utf-8", "replace")
    return seen


# -- gates -------------------------------------------------------------------------------------------------------------


def gated(project: Project, limits: dict[str, Any] | None = None) -> Result:
    """Gate the suite against the baseline, with limits on its review column."""
    path = project.root / "evals" / "teams.yaml"
    suite = json.loads(path.read_text("utf-8"))
    suite["gate"] = {"max_error_rate": 1.0, **({"metrics": {"親切さ": limits}} if limits else {})}
    path.write_text(json.dumps(suite, ensure_ascii=False), "utf-8")
    return project.run("gate", "evals/teams.yaml", "--json")


def test_a_gate_uses_reviews_of_the_same_answers(project: Project) -> None:
    """The gate's own run takes its answers from the ledger, and with them what people said of them."""
    run_version(project, right_answers(ROWS, 2), ROWS, metrics=[ANSWER, ASKED])
    take_in(project, {row["id"]: {"scores": {"nice": 5}, "scales": {"nice": "1-5"}} for row in ROWS})
    assert project.run("baseline", "set", "latest").code == 0
    passed = gated(project, {"min": 4})
    assert passed.code == 0, passed.out
    take_in(project, {row["id"]: {"scores": {"nice": 1}} for row in ROWS})
    failed = gated(project, {"min": 4})
    assert failed.code == 1
    assert any(reason["metric"] == "親切さ" and reason["kind"] == "limit" for reason in reasons(failed))


def test_a_run_says_which_limit_nobody_has_reviewed_for(project: Project) -> None:
    """Exit 5, though other metrics have scores: the limit has nothing to judge."""
    run_version(project, right_answers(ROWS, 2), ROWS, metrics=[ANSWER, ASKED])
    gated(project, {"min": 4})
    done = project.run("run", "evals/teams.yaml", "-q")
    assert done.code == 5
    assert "no answer has a score that the limit on 親切さ could judge" in " ".join(done.err.split())


@pytest.mark.parametrize("side", ["neither", "baseline", "candidate"])
def test_a_gate_without_reviews_on_both_sides_is_never_green(project: Project, side: str) -> None:
    """Nobody has looked at one of them: that is no pass, with a limit or without, and the reason says what to do."""
    answers = {row["id"]: ["新しい", "新しい"] for row in ROWS}
    run_version(project, answers, ROWS, metrics=[ANSWER, ASKED])
    said = {row["id"]: {"scores": {"nice": 5}, "scales": {"nice": "1-5"}} for row in ROWS}
    if side != "neither":
        take_in(project, said, run="latest" if side == "candidate" else "latest~2")
    done = gated(project, {"min": 4} if side == "neither" else None)
    assert done.code in {1, 5}
    found = [reason for reason in reasons(done) if reason["metric"] == "親切さ"]
    assert any(reason["blocking"] for reason in found)
    text = " ".join(reason["message"] for reason in found)
    assert "no case is reviewed on both sides" in text
    assert side != "neither" or "no answer has a score" in text


def test_automatic_columns_never_gate(project: Project) -> None:
    """Reviewing an answer adds nothing to the gate of a suite that does not ask for reviews."""
    add(project, "c00", "--label", "bad")
    done = project.run("gate", "evals/teams.yaml", "--json")
    assert not any(str(reason["metric"]).startswith("review:") for reason in reasons(done))


def reasons(done: Result) -> list[dict[str, Any]]:
    """Return the reasons of the one suite that was gated."""
    document = done.json
    (suite,) = document.get("suites", [document])
    found: list[dict[str, Any]] = suite["reasons"]
    return found
