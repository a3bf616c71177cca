"""The demo's output in README.md and README.ja.md, as the commands print it now. Run this file to write it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", ROOT / "README.ja.md")
_BEGIN, _END = "<!-- demo output -->", "<!-- end of demo output -->"
_RUN_ID = re.compile(r"r\d{8}-\d{6}-[0-9a-f]{6}")
# The README is to be read in five minutes: of the run its tables, of the comparison what it comes to.
_RUN_ENDS = "intent-v2/gemma-270m against"
_COMPARISON_BEGINS, _COMPARISON_ENDS = "intent-v2/gemma-270m against", "per answer"
_VERDICT = "verdict: "


def demo_commands() -> list[list[str]]:
    """Return the `retest` commands of `make demo`, in order, as the Makefile has them."""
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndemo:")[1].split("\n\n")[0]
    return [line.split()[1:] for line in recipe.splitlines() if "/retest " in line]


def demo_output(store: Path) -> str:
    """Return what the demo prints on a terminal of 80 columns, shortened."""
    run, compare = demo_commands()
    first, second = _printed(run, store), _printed(compare, store)
    tables = first[: first.index(_RUN_ENDS)].strip()
    table = second[second.index(_COMPARISON_BEGINS) : second.index(_COMPARISON_ENDS)].strip()
    verdict = second[second.index(_VERDICT) :].split("\n\n")[0].strip()
    return f"$ {_typed(run)}\n{tables}\n...\n\n$ {_typed(compare)}\n...\n{table}\n...\n{verdict}"


def _typed(command: Sequence[str]) -> str:
    """Return a command in lines of at most 80 columns."""
    text = " ".join(["retest", *command])
    return text if len(text) <= 78 else text.replace(" --suite", " \\\n    --suite")


def _printed(command: Sequence[str], store: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "retest", *command, "-q", "--store", str(store)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines())


def shown_output(readme: str) -> str:
    """Return the output that a README shows."""
    between = readme[readme.index(_BEGIN) + len(_BEGIN) : readme.index(_END)]
    return between.strip().removeprefix("```text").removesuffix("```").strip()


def without_run_id(text: str) -> str:
    """Return the text with the ids of runs, which differ each time, masked."""
    return _RUN_ID.sub("RUN", text)


def updated(readme: str, output: str) -> str:
    """Return the README with this output in it."""
    before, rest = readme[: readme.index(_BEGIN)], readme[readme.index(_END) :]
    return f"{before}{_BEGIN}\n```text\n{output}\n```\n{rest}"


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        found = demo_output(Path(folder, "demo.db"))
    for page in READMES:
        page.write_text(updated(page.read_text("utf-8"), found), "utf-8")
