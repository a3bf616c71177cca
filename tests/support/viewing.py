"""A project with two runs to look at, and the viewer over its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from retest.report.html.words import Language
from retest.store.database import open_store
from retest.viewer.app import build_app
from retest.viewer.guard import Gatekeeper
from retest.viewer.reviewing import ReviewDesk
from retest.viewer.site import Site
from retest.workflows.settings import load_settings
from retest.workflows.view_compare import Comparisons
from retest.workflows.workspace import Workspace
from support.asgi import Browser
from support.project import Project
from support.versions import case_rows, right_answers, run_version

HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\x1b[31m\u202e逆さ\u2028"
    "</textarea></script><!--<svg onload=\"document.title='owned'\">"
)
ROWS = case_rows(14)
FORM_KEY = "key-of-the-test"


def make_project(root: Path) -> tuple[Project, str, str]:
    """Return a project with two runs: all right, then five cases wrong under another prompt, two of them hostile."""
    project = Project(root)
    metrics = ["exact_match", "length"]
    first = run_version(project, right_answers(ROWS), ROWS, metrics=metrics)
    answers = right_answers(ROWS)
    for case_id in ("c01", "c02", "c03", "c04"):
        answers[case_id] = ["ご返品は明日までに承ります。" if case_id == "c03" else "shipping, I think"] * 5
    answers["c00"] = [HOSTILE, "x" * 1_000_000, "返品", "返品です", HOSTILE]
    second = run_version(project, answers, ROWS, metrics=metrics, prompt="どのチームですか？\n{{ q }}\n")
    return project, first, second


@contextmanager
def viewing(root: Path, language: Language | None = "en", reviews: ReviewDesk | None = None) -> Iterator[Browser]:
    """Give a browser that asks the viewer over a project's store."""
    workspace = Workspace(cwd=root, settings=load_settings(root, {}, {}))
    with open_store(str(root / ".retest" / "retest.db")) as store:
        comparisons = Comparisons(store, root, workspace.clock)
        keeper = Gatekeeper(hosts=frozenset({"127.0.0.1"}), form_key=FORM_KEY)
        site = Site(
            store=store,
            workspace=workspace,
            gatekeeper=keeper,
            comparisons=comparisons,
            language=language,
            reviews=reviews,
        )
        try:
            yield Browser(app=build_app(site))
        finally:
            comparisons.close()
