from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from retest.errors import UsageError
from retest.targets.base import Target
from support.processes import alive
from support.targets import error_of, identity_of, make_request, open_with, response_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are POSIX")


def command(folder: Path, source: str, *arguments: str, **options: Any) -> Target:
    (folder / "bot.py").write_text(textwrap.dedent(source), "utf-8")
    env = options.pop("env", {"PATH": os.environ["PATH"]})
    return open_with("command", {"argv": [sys.executable, "bot.py", *arguments], **options}, base_dir=folder, env=env)


def test_the_request_is_json_on_standard_input(tmp_path: Path) -> None:
    """Every documented field is there."""
    source = "import sys; sys.stdout.write(sys.stdin.read())"
    request = make_request("京都\u2028", variables={"q": 1}, params={"temperature": 0}, sample_index=2, prompt_name="p")
    read = json.loads(response_of(command(tmp_path, source), request).output)
    assert read == {
        "messages": [{"role": "user", "content": "京都\u2028"}],
        "prompt": "京都\u2028",
        "prompt_name": "p",
        "model": "gpt-4o-mini",
        "params": {"temperature": 0},
        "case": {"id": "1", "vars": {"q": 1}, "tags": [], "meta": {}},
        "sample_index": 2,
    }


@pytest.mark.parametrize(
    ("printed", "output"),
    [
        ("x\\n", "x"),
        ("x", "x"),
        ("x\\r\\n", "x"),
        ("x\\n\\n", "x\n"),
        ("", ""),
        ("\\n", ""),
        ("日本\\n", "日本"),
        (" x ", " x "),
    ],
)
def test_standard_output_is_the_answer_without_its_last_newline(tmp_path: Path, printed: str, output: str) -> None:
    """Only one newline is taken off."""
    source = f"import sys; sys.stdout.buffer.write('{printed}'.encode())"
    assert response_of(command(tmp_path, source)).output == output


def test_json_output_may_say_everything_about_the_answer(tmp_path: Path) -> None:
    """The same mapping as a Python function may return."""
    source = 'print(\'{"output": "x", "usage": {"input_tokens": 3}, "cost_usd": 0.5}\')'
    response = response_of(command(tmp_path, source, output="json"))
    assert (response.output, response.usage.input_tokens, response.cost_usd) == ("x", 3, 0.5)


def test_no_shell_is_involved(tmp_path: Path) -> None:
    """Arguments arrive as they are written."""
    source = "import sys; print(sys.argv[1:])"
    target = command(tmp_path, source, "$HOME; echo x", "*", "a b")
    assert response_of(target).output == "['$HOME; echo x', '*', 'a b']"


def test_a_program_that_ignores_its_input_answers_all_the_same(tmp_path: Path) -> None:
    """A closed pipe is no error, even with much to say."""
    source = "import sys, os; os.close(0); print('x')"
    assert response_of(command(tmp_path, source), make_request("q" * 1_000_000)).output == "x"


def test_a_long_answer_and_a_long_complaint_do_not_block_each_other(tmp_path: Path) -> None:
    """Both outputs are read while the program runs."""
    source = "import sys; sys.stderr.write('e' * 300000); sys.stdout.write('o' * 300000)"
    assert len(response_of(command(tmp_path, source)).output) == 300_000


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import sys; sys.stderr.write('駄目'); sys.exit(3)", "ended with exit status 3: 駄目"),
        ("raise ValueError('bad')", "ValueError: bad"),
        ("import os; os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("import sys; sys.stderr.write('x' * 9000 + 'END'); sys.exit(1)", "END"),
    ],
)
def test_a_failed_program_is_a_target_error_with_its_complaint(tmp_path: Path, source: str, says: str) -> None:
    """Exit status or signal, then the end of standard error."""
    error = error_of(command(tmp_path, source))
    assert (error.kind, error.retryable, error.fatal) == ("target_error", False, False)
    assert says in error.message
    assert len(error.message) < 3000


def test_exit_status_75_asks_for_another_attempt(tmp_path: Path) -> None:
    """EX_TEMPFAIL is the program's way to say that it may work next time."""
    assert error_of(command(tmp_path, "raise SystemExit(75)")).retryable


@pytest.mark.parametrize("printed", ["", "no json", "[1]", "{}", '{"error": "no"}'])
def test_json_output_without_an_answer_is_a_target_error(tmp_path: Path, printed: str) -> None:
    """Nothing is turned into an empty answer."""
    assert error_of(command(tmp_path, f"print({printed!r})", output="json")).kind == "target_error"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def wait_for_text(path: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not (path.exists() and path.read_text()):
        time.sleep(0.02)


SLEEPER = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path("pids").write_text(str(child.pid))
time.sleep(60)
"""


def test_a_time_out_kills_the_program_and_what_it_started(tmp_path: Path) -> None:
    """The whole process group goes."""
    started = time.monotonic()
    error = error_of(command(tmp_path, SLEEPER, timeout_s=1.5))
    assert (error.kind, error.retryable) == ("timeout", True)
    assert time.monotonic() - started < 50
    assert wait_until_gone(int((tmp_path / "pids").read_text()))


def test_cancellation_kills_the_program(tmp_path: Path) -> None:
    """A stopped run leaves no process behind."""

    async def scenario() -> None:
        task = asyncio.create_task(command(tmp_path, SLEEPER).call(make_request()))
        await asyncio.to_thread(wait_for_text, tmp_path / "pids")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert wait_until_gone(int((tmp_path / "pids").read_text()))


def test_a_helper_left_in_the_background_is_ended_with_its_program(tmp_path: Path) -> None:
    """The call does not wait for it once the answer is complete."""
    source = """
    import subprocess, sys, pathlib
    quiet = subprocess.DEVNULL
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=quiet, stderr=quiet)
    pathlib.Path("pids").write_text(str(child.pid))
    print("x")
    """
    assert response_of(command(tmp_path, source)).output == "x"
    assert wait_until_gone(int((tmp_path / "pids").read_text()))


def test_endless_output_is_stopped(tmp_path: Path) -> None:
    """More than 64 MB is no answer."""
    source = "import sys\nwhile True: sys.stdout.write('x' * 1000000)"
    assert "wrote more than 64 MB" in error_of(command(tmp_path, source)).message


def test_the_environment_is_the_one_handed_over(tmp_path: Path) -> None:
    """What .env adds reaches the program."""
    source = "import os; print(os.environ.get('MINE'))"
    assert response_of(command(tmp_path, source, env={"PATH": os.environ["PATH"], "MINE": "1"})).output == "1"


def test_a_script_with_a_path_is_relative_to_the_suites_file(tmp_path: Path) -> None:
    """./bot works wherever retest is started."""
    script = tmp_path / "bot.sh"
    script.write_text("#!/bin/sh\necho from-script\n")
    script.chmod(0o755)
    target = open_with("command", {"argv": ["./bot.sh"]}, base_dir=tmp_path, env={"PATH": os.environ["PATH"]})
    assert response_of(target).output == "from-script"


@pytest.mark.parametrize("program", ["no-such-program-here", "./none.sh", "./plain.txt", ""])
def test_a_program_that_cannot_be_run_is_found_before_any_call(tmp_path: Path, program: str) -> None:
    """Missing and not executable alike."""
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(UsageError, match="cannot run"):
        open_with("command", {"argv": [program]}, base_dir=tmp_path, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("options", [{}, {"argv": []}, {"argv": "echo x"}, {"argv": ["x"], "shell": True}])
def test_unknown_or_impossible_options_are_refused(options: dict[str, Any]) -> None:
    """A command line as one string is not split for the user."""
    with pytest.raises(ValidationError):
        open_with("command", options)


def test_identity_is_the_arguments_and_the_files_they_name(tmp_path: Path) -> None:
    """An edited script is another target."""
    before = identity_of(command(tmp_path, "print(1)"))
    assert identity_of(command(tmp_path, "print(1)")) == before
    assert (
        len({before, identity_of(command(tmp_path, "print(2)")), identity_of(command(tmp_path, "print(1)", "-v"))}) == 3
    )
