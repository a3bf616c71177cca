"""The demo's output in README.md, as the command prints it now. Run this file to write it anew."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_BEGIN, _END = "<!-- demo output -->", "<!-- end of demo output -->"
_RUN_ID = re.compile(r"r\d{8}-\d{6}-[0-9a-f]{6}")
_FIRST_LEFT_OUT = "worst cases"  # the rest is shown by every run; the README is to be read in five minutes


def demo_output(store: Path) -> str:
    """Return what the demo prints on a terminal of 80 columns, up to the worst cases."""
    done = subprocess.run(
        [sys.executable, "-m", "retest", "run", "evals/support.yaml", "-q", "--store", str(store)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80", "PYTHONUTF8": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    text = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    return text[: text.index(_FIRST_LEFT_OUT)].strip()


def shown_output(readme: str) -> str:
    """Return the output that the README shows."""
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
        README.write_text(updated(README.read_text("utf-8"), demo_output(Path(folder, "demo.db"))), "utf-8")
