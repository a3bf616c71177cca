"""Looking at runs, exporting them, keeping them in order: exit code and text out."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from support.openai_server import OpenAIServer, error, ok
from support.project import Project
from support.versions import case_rows, right_answers, run_version

HOSTILE = "=1+1 \x1b[31mred\x1b[0m [bold]x[/bold] | 返金を承りました\u202e"


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return a project with one run: right, wrong, hostile and failed answers, in Japanese and English."""
    project = Project(tmp_path_factory.mktemp("look"))
    rows = [
        {"id": "c0", "question": "q0", "expected": "q0", "tags": ["英語"]},
        {"id": "c1", "question": "q1", "expected": "配送", "tags": ["日本語"]},
        {"id": "c2", "question": "q2", "expected": "q2", "tags": ["日本語"]},
    ]
    project.write_rows("datasets/qa.jsonl", rows)
    answers = {"q0": ok("q0"), "q1": ok(HOSTILE), "q2": error(400)}
    with OpenAIServer(lambda request: answers[request.last_user]) as server:
        project.write_suite(server.base_url, samples=2, gate={"max_error_rate": 1.0})
        assert project.run("run", "--meta", "ticket=OPS-12", "--run-tag", "nightly").code == 0
    return project


def test_show_repeats_the_result(looked_at: Project) -> None:
    """A stored run shows what the run itself showed."""
    shown = looked_at.run("show")
    assert shown.code == 0
    assert "exact_match" in shown.out
    assert "2 errors" in shown.out


def test_a_case_shows_its_prompt_and_samples_side_by_side(looked_at: Project) -> None:
    """Messages as sent, expected, answers and scores."""
    shown = looked_at.run("show", "--case", "c1")
    assert "sample 0" in shown.out.splitlines()[shown.out.splitlines().index("ask/small") + 1]
    assert "sample 1" in shown.out.splitlines()[shown.out.splitlines().index("ask/small") + 1]
    assert "expected: 配送" in shown.out


def test_hostile_output_does_nothing(looked_at: Project) -> None:
    """No escape sequence and no override reaches the terminal; markup stays text."""
    shown = looked_at.run("show", "--failures").out + looked_at.run("show", "--case", "c1").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold]x[/bold]" in shown.replace("\n", "").replace(" ", "") or "[bold]" in shown


def test_errors_are_listed_with_their_kind(looked_at: Project) -> None:
    """What failed, where, and why."""
    shown = looked_at.run("show", "--errors")
    assert "c2" in shown.out
    assert "bad_request" in shown.out
    assert "c0" not in shown.out


def test_cases_are_sorted_worst_first(looked_at: Project) -> None:
    """The wrong case stands before the right one."""
    lines = looked_at.run("show", "--sort", "exact_match").out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["c1", "c0"]


@pytest.mark.parametrize(
    "args",
    [("--case", "c9"), ("--sort", "nothing"), ("--arm", "no/arm", "--sort", "exact_match"), ("r-unknown",)],
)
def test_what_is_not_there_is_a_usage_error(looked_at: Project, args: tuple[str, ...]) -> None:
    """Exit 2, with what there is instead."""
    shown = looked_at.run("show", *args)
    assert shown.code == 2
    assert shown.err.startswith("error: ")


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("qa",), True),
        (("other",), False),
        (("--tag", "nightly"), True),
        (("--tag", "weekly"), False),
        (("--meta", "ticket=OPS-12"), True),
        (("--meta", "ticket=OPS-13"), False),
        (("--where", "exact_match>=0.5"), True),
        (("--where", "exact_match>0.5"), False),
        (("--prompt", "ask"), True),
    ],
)
def test_runs_are_filtered(looked_at: Project, args: tuple[str, ...], *, found: bool) -> None:
    """By suite, tag, note, metric value and prompt."""
    listed = looked_at.run("runs", *args, "--json").json["runs"]
    assert bool(listed) is found


def test_search_finds_japanese_text(looked_at: Project) -> None:
    """A substring of an answer, in any language, with where it was."""
    found = looked_at.run("search", "返金", "--json").json["hits"]
    assert {(hit["case_id"], hit["sample_index"]) for hit in found} == {("c1", 0), ("c1", 1)}
    assert looked_at.run("search", "100%", "--json").json["hits"] == []


def test_jsonl_has_one_line_per_sample_with_the_documented_names(looked_at: Project) -> None:
    """`scores` holds a value or null per metric; an error stands in place of the output."""
    lines = looked_at.run("export", "latest", "--to", "jsonl").out.split("\n")
    rows = [json.loads(line) for line in lines if line]
    assert len(rows) == 6
    names = {"case_id", "sample_index", "arm", "output", "error", "latency_ms", "scores"}
    assert all(names <= set(row) for row in rows)
    right, failed = rows[0], rows[-1]
    assert (right["output"], right["error"], right["scores"]) == ("q0", None, {"exact_match": 1.0})
    assert (failed["output"], failed["error"]["kind"]) == (None, "bad_request")
    assert failed["scores"] == {"exact_match": None}


def test_csv_runs_no_formula(looked_at: Project, tmp_path: Path) -> None:
    """A cell that begins like a formula is quoted; Japanese survives; a file has the mark that spreadsheets want."""
    path = tmp_path / "out.csv"
    assert looked_at.run("export", "latest", "--to", "csv", "-o", str(path)).code == 0
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
    outputs = [row["output"] for row in rows if row["case_id"] == "c1"]
    assert outputs[0].startswith("'=1+1")
    assert "返金" in outputs[0]
    assert rows[0]["score.exact_match"] == "1.0"


def test_parquet_is_read_back(looked_at: Project, tmp_path: Path) -> None:
    """Columns are typed; a pipe is refused."""
    from pyarrow import parquet

    path = tmp_path / "run.parquet"
    assert looked_at.run("export", "latest", "--to", "parquet", "-o", str(path)).code == 0
    table = parquet.read_table(path).to_pylist()
    assert [row["score.exact_match"] for row in table] == [1.0, 1.0, 0.0, 0.0, None, None]
    assert looked_at.run("export", "latest", "--to", "parquet").code == 2


def test_markdown_breaks_no_table(looked_at: Project) -> None:
    """A pipe in an answer stays inside its cell."""
    lines = looked_at.run("export", "latest", "--to", "md").out.splitlines()
    assert len(lines) == 8
    assert {line.replace("\\|", "").count("|") for line in lines} == {lines[0].count("|")}


def test_an_export_is_a_recording(looked_at: Project) -> None:
    """What was exported can be replayed: same answers, same scores, no calls to the endpoint."""
    path = looked_at.root / "recorded.jsonl"
    assert looked_at.run("export", "latest", "-o", str(path)).code == 0
    suite = looked_at.root / "evals" / "qa.yaml"
    replayed = suite.read_text("utf-8")
    start, end = replayed.index("targets:"), replayed.index("metrics:")
    target = "targets:\n- {name: small, provider: replay, path: ../recorded.jsonl}\n"
    looked_at.write("evals/replayed.yaml", replayed[:start] + target + replayed[end:].replace("name: qa", ""))
    done = looked_at.run("run", "evals/replayed.yaml", "--json", "--set", "name=replayed")
    assert done.json["metrics"]["exact_match"]["mean"] == 0.5
    assert done.json["errors"] == 2
    assert looked_at.run("delete", done.json["run"], "--yes").code == 0


def test_a_tag_is_added_and_taken_away(looked_at: Project) -> None:
    """And a tag names a run from then on."""
    assert "release" in looked_at.run("tag", "latest", "--add", "release").out
    assert looked_at.run("show", "release").code == 0
    assert "release" not in looked_at.run("tag", "latest", "--remove", "release").out
    assert looked_at.run("tag", "latest").code == 2


def test_delete_asks_first_and_gc_keeps_what_is_needed(looked_at: Project) -> None:
    """Without a terminal nothing is deleted unless told so; gc drops nothing that a run refers to."""
    assert looked_at.run("delete", "latest").code == 2
    assert looked_at.run("gc", "--older-than", "0").code == 0
    assert looked_at.run("gc", "--older-than", "0", "--dry-run").out.startswith("would drop 0 responses")
    assert "q0" in looked_at.run("export", "latest").out


def test_a_run_is_named_by_the_steps_before_another(project: Project) -> None:
    """`latest~1` is the run before wherever a run is named; one too far back exits 5."""
    rows = case_rows(2)
    older, newer = (run_version(project, right_answers(rows, 1), rows) for _ in range(2))
    assert project.run("show", "latest~1", "--json").json["run"] == older
    assert len(project.run("export", f"{newer}~1").out.splitlines()) == 2
    assert older in project.run("tag", "latest~1", "--add", "before").out
    assert project.run("show", "before~1").code == 5
    assert f"deleted {older}" in project.run("delete", "latest~1", "--yes").out
    assert [run["run"] for run in project.run("runs", "--json").json["runs"]] == [newer]


def test_the_doctor_says_where_settings_come_from(looked_at: Project) -> None:
    """And that a key is missing, without ever showing one."""
    findings = looked_at.run("doctor", "--json", OPENAI_API_KEY="sk-planted").json["findings"]
    by_name = {finding["name"]: finding for finding in findings}
    assert by_name["attempts"]["note"] == "retest.toml"
    assert by_name["concurrency"]["note"] == "default"
    assert "sk-planted" not in json.dumps(findings)


def test_render_adds_no_line_break(project: Project) -> None:
    """A long Japanese message comes out on the line it will be sent on."""
    text = "返金の手続きについて教えてください。" * 20
    project.write("prompts/long.md", "{{ text }}")
    assert text in project.run("render", "prompts/long.md", "--var", f"text={text}").out.splitlines()


@pytest.mark.parametrize(
    ("args", "code", "slug"),
    [
        (("run", "--nonsense"), 2, "usage-flags"),
        (("run", "--samples", "x"), 2, "usage-flags"),
        (("run", "--meta", "x"), 2, "pair-format"),
        (("run", "nosuch"), 2, "suite-no-match"),
        (("show", "nosuch"), 2, "run-unknown"),
        (("metrics", "nosuch"), 2, "metric-unknown"),
    ],
)
def test_json_is_one_object_when_a_command_is_refused(
    looked_at: Project, args: tuple[str, ...], code: int, slug: str
) -> None:
    """A script parses stdout whatever happens."""
    done = looked_at.run(*args, "--json")
    assert (done.code, done.json["exit_code"], done.json["problems"][0]["slug"]) == (code, code, slug)


@pytest.mark.parametrize(
    ("args", "fix"),
    [
        (("--where", "exact_mach<2"), "did you mean 'exact_match'?"),
        (("--metric", "exact_mach"), "did you mean 'exact_match'?"),
        (("--metric", "x<1"), "a condition goes with --where"),
    ],
)
def test_a_metric_that_no_run_has_is_told(looked_at: Project, args: tuple[str, ...], fix: str) -> None:
    """A misspelt name is no condition that nothing fulfils."""
    done = looked_at.run("runs", *args)
    assert (done.code, f"  fix: {fix}  [run-unknown-metric]" in done.err) == (2, True)


def test_a_condition_that_nothing_fulfils_is_no_mistake(looked_at: Project) -> None:
    """Nor is one on a suite without runs."""
    for args in (("--where", "exact_match>2"), ("nosuch", "--where", "exact_mach>2")):
        done = looked_at.run("runs", *args)
        assert (done.code, "no run fits" in done.out) == (0, True)


@pytest.mark.parametrize("args", [("gc",), ("delete", "latest", "--yes"), ("tag", "latest", "--add", "x")])
def test_no_store_is_made_where_there_is_nothing_to_change(project: Project, args: tuple[str, ...]) -> None:
    """A mistyped folder is told, and not filled with an empty store."""
    done = project.run(*args)
    assert (done.code, "[store-not-found]" in done.err) == (2, True)
    assert not (project.root / ".retest").exists()


@pytest.mark.parametrize(
    ("args", "message", "fix"),
    [
        (("run", "--sampels", "3"), "no such option: --sampels", "did you mean '--samples'?"),
        (("runn",), "no such command 'runn'", "did you mean 'run', 'runs'?"),
        (("baseline", "exprt"), "no such command 'exprt'", "did you mean 'export'?"),
        (("show", "a", "b"), "got unexpected extra argument(s) (b)", "`retest show --help` shows what there is"),
    ],
)
def test_a_wrong_flag_reads_like_any_other_mistake(
    project: Project, args: tuple[str, ...], message: str, fix: str
) -> None:
    """What, how the command is written, how to mend it, and the slug; exit code 2."""
    done = project.run(*args)
    lines = done.err.splitlines()
    assert (done.code, done.out, lines[0]) == (2, "", f"error: {message}")
    assert lines[1].startswith("  retest ")
    assert lines[2:] == [f"  fix: {fix}  [usage-flags]"]


@pytest.mark.parametrize(("flag", "cases"), [("--case=c1", ["c1", "c1"]), ("--errors", ["c2", "c2"])])
def test_samples_are_shown_as_json(looked_at: Project, flag: str, cases: list[str]) -> None:
    """`show --case`, `--failures` and `--errors` give their samples as `export` writes them."""
    samples = looked_at.run("show", flag, "--json").json["samples"]
    assert [sample["case_id"] for sample in samples] == cases


def test_render_says_which_image_is_sent(project: Project) -> None:
    """By its address; the model sees it, so whoever reads the messages must know it."""
    project.write("prompts/look.md", "user:\nWhat is this?\n![picture]({{ image }})\n")
    shown = project.run("render", "prompts/look.md", "--var", "image=https://example.com/猫.png").out
    assert "[image_url https://example.com/猫.png]" in shown
