"""A project on disk and the `retest` command run in it as a user does: files in; exit code and text out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.forked import is_for_a_process, read_early, run_forked

SUITE = """\
name: qa
prompts: [{{text: "{{{{ question }}}}", name: ask}}]
dataset: {{path: ../datasets/qa.jsonl, id: id, expected: expected}}
targets:
  - name: small
    provider: openai
    model: test-model
    base_url: {base_url}
    params: {{temperature: 0.7}}
metrics: [exact_match]
"""

# What Python says about objects, and retest does not: nobody waited for them, or their end failed.
_LEFT_BEHIND = ("Exception ignored in", "was never awaited", "was destroyed but it is pending", "ResourceWarning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return stdout as JSON; fails where anything else is on it."""
        return json.loads(self.out)


class Project:
    """A folder with suites, prompts and datasets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("retest.toml", "attempts = 2\ngrace_s = 1.0\n")

    def write(self, path: str, text: str) -> Path:
        """Write a file below the project's root."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text, encoding="utf-8")
        return full

    def write_rows(self, path: str, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write JSON lines."""
        return self.write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def write_cases(self, count: int) -> None:
        """Write the dataset of the standard suite: question ``q0`` expects ``q0``, and so on."""
        rows = [{"id": f"c{i}", "question": f"q{i}", "expected": f"q{i}"} for i in range(count)]
        self.write_rows("datasets/qa.jsonl", rows)

    def write_suite(self, base_url: str = "http://127.0.0.1:9/v1", **changes: Any) -> Path:
        """Write the standard suite with top-level keys replaced; a value of None takes the key away."""
        suite = yaml.safe_load(SUITE.format(base_url=base_url))
        suite |= changes
        kept = {name: value for name, value in suite.items() if value is not None}
        return self.write("evals/qa.yaml", yaml.safe_dump(kept, allow_unicode=True, sort_keys=False))

    def command(self, *args: str) -> list[str]:
        """Return the argv of a retest command."""
        return [sys.executable, "-m", "retest", *args]

    def env(self, **extra: str) -> dict[str, str]:
        """Return a plain environment without any key; with a locale, else Python would set one for itself."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**kept, "LANG": "C.UTF-8", "COLUMNS": "80", "PYTHONUTF8": "1", **extra}

    def run(self, *args: str, timeout_s: float = 120, **env: str) -> Result:
        """Run a retest command to its end, in a process of its own; most are forks that have their imports already."""
        environment = self.env(**env)
        anew = is_for_a_process(args, os.environ.get("PYTEST_CURRENT_TEST", ""))
        if not anew and read_early(environment) == self.env():
            done = run_forked(args, cwd=self.root, env=environment, timeout_s=timeout_s)
        else:
            done = subprocess.run(
                self.command(*args),
                cwd=self.root,
                env=environment,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        result = Result(code=done.returncode, out=done.stdout.decode("utf-8"), err=done.stderr.decode("utf-8"))
        assert not any(words in result.err for words in _LEFT_BEHIND), result.err
        return result

    def start(self, *args: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a retest command; the caller ends it."""
        return subprocess.Popen(
            self.command(*args),
            cwd=self.root,
            env=self.env(**env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
