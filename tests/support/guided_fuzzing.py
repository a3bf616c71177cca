"""Fuzzes everything that reads, led by the lines that an input reaches: ``python -m support.guided_fuzzing``.

`make fuzz` installs what it needs and starts it. Every reader gets a process of its own, a minute at a time, and a
folder below `.fuzz/` where what it has found is kept for the next time. An input that crashes, hangs or takes too much
memory is left there as `crash-...`, `timeout-...` or `oom-...`; give it a test before mending what it found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
HANGS_AFTER_S = 10
MEMORY_MB = 2048
LONGEST_WORD = 64  # bytes: what libFuzzer takes in a dictionary
LONGEST = 8192  # bytes: what costs more than its length shows below that
# Whose lines lead: ours, and the readers below them that are written in Python.
LED_BY = ("retest", "yaml", "jinja2", "csv", "json", "tomllib")


def main() -> int:
    """Fuzz the readers that were asked for; return 1 where one of them broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", help="all, where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader (default: 60)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        fuzz_here(options.inside, options.seconds)
    from support.parsers import PARSERS

    broken = [name for name in options.readers or PARSERS if not fuzz_apart(name, options.seconds)]
    print(f"broken: {', '.join(broken)}" if broken else "nothing was found")  # noqa: T201 - a program's output
    return 1 if broken else 0


def fuzz_apart(name: str, seconds: int) -> bool:
    """Fuzz a reader in a process of its own; return whether it held."""
    folder = KEPT / name.replace(" ", "_").replace("'", "")
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "support.guided_fuzzing", "--inside", name, "--seconds", str(seconds)]
    path = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    with (folder / "log").open("wb") as log:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log, check=False
        )
    last = (folder / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
    print(f"{name}: {'held' if done.returncode == 0 else 'BROKEN'}; {''.join(last)}", flush=True)  # noqa: T201 - as above
    return done.returncode == 0


def fuzz_here(name: str, seconds: int) -> None:
    """Fuzz in this process, which ends with it; what was found is in the working folder."""
    import atheris

    with atheris.instrument_imports(include=LED_BY):
        from retest.errors import RetestError
        from support.parser_examples import TOKENS
        from support.parsers import PARSERS

    valid, read = PARSERS[name]
    data = valid.encode()
    Path("corpus", "valid").write_bytes(data)
    for number, token in enumerate(TOKENS):
        for part in range(4):
            at = len(data) * part // 4
            Path("corpus", f"broken-{number}-{part}").write_bytes(data[:at] + token + data[at:])
    short = [token for token in TOKENS if len(token) <= LONGEST_WORD]
    Path("words").write_text("".join(f'"{_escaped(token)}"\n' for token in short), "ascii")
    atheris.Setup(_arguments(seconds), _checked(read, RetestError))
    atheris.Fuzz()


def _arguments(seconds: int) -> Sequence[str]:
    limits = [f"-max_total_time={seconds}", f"-timeout={HANGS_AFTER_S}", f"-rss_limit_mb={MEMORY_MB}"]
    return [sys.argv[0], *limits, f"-max_len={LONGEST}", "-dict=words", "-print_final_stats=0", "corpus"]


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


def _checked(read: Callable[[bytes], None], refusal: type[Exception]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        try:
            read(data)
        except refusal as error:
            problems = getattr(error, "problems", ())
            assert problems, "a refusal without a problem"
            assert all(problem.slug and problem.message for problem in problems)

    return check


if __name__ == "__main__":
    sys.exit(main())
