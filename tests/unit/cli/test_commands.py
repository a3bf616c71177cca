"""The list of subcommands, and what is loaded of them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import retest.cli
from retest.cli.app import build_app
from retest.cli.commands import PANELS, module_of

COMMANDS = {name: text for commands in PANELS.values() for name, text in commands.items()}


def said(code: str, **env: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_itself_says(name: str) -> None:
    """The first paragraph of its help, word for word."""
    context = build_app().commands[name].make_context(name, [], resilient_parsing=True)
    assert (context.command.help or "").split("\n\n")[0].replace("\n", " ") == COMMANDS[name]


def test_every_command_is_in_the_list() -> None:
    """A module that has a command and is not listed could never be called."""
    names = [path.stem for path in Path(retest.cli.__path__[0]).glob("[!_]*.py")]
    having = {
        module.__name__
        for module in (import_module(f"retest.cli.{name}") for name in names)
        if hasattr(module, "command") or hasattr(module, "COMMANDS")
    }
    assert having == {module_of(name) for name in COMMANDS}


def test_the_list_loads_no_command() -> None:
    """Help and completion of names print from the table; of the rest only what every command starts with is there."""
    code = (
        "import sys, io\n"
        "from contextlib import redirect_stdout\n"
        "from retest.cli.app import build_app\n"
        "with redirect_stdout(io.StringIO()) as shown:\n"
        "    build_app().main(['--help'], prog_name='retest', standalone_mode=False)\n"
        "assert 'Sample every case' in shown.getvalue()\n"
        "print(*(name for name in sys.modules if name.startswith('retest.')))"
    )
    loaded = set(said(code).split())
    assert not loaded & {module_of(name) for name in COMMANDS}
    assert {name.split(".")[1] for name in loaded} == {"cli", "errors"}


def test_a_command_loads_no_other() -> None:
    """`retest run --help` takes what `run` takes."""
    code = (
        "import sys, io\n"
        "from contextlib import redirect_stdout\n"
        "from retest.cli.app import build_app\n"
        "with redirect_stdout(io.StringIO()):\n"
        "    build_app().main(['run', '--help'], prog_name='retest', standalone_mode=False)\n"
        "print(*(name for name in sys.modules if name.startswith('retest.cli.')))"
    )
    loaded = set(said(code).split())
    assert {module_of(name) for name in COMMANDS} & loaded == {"retest.cli.run"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("retest re", "rescore report review render"),
        ("retest try --sui", "--suite"),
        ("retest judge c", "calibrate"),
        ("retest judge calibrate --agai", "--against"),
    ],
)
def test_shells_complete_words(words: str, expected: str) -> None:
    """Names of commands, of subcommands, and their options."""
    code = "from retest.cli.app import build_app\nbuild_app().main(prog_name='retest')"
    env = {"_RETEST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert sorted(said(code, **env).split()) == sorted(expected.split())


@pytest.mark.parametrize("words", [[], ["batch"]], ids=["retest", "group"])
def test_what_was_given_nothing_shows_its_help_once(words: list[str]) -> None:
    """It is a wrong use all the same."""
    done = subprocess.run([sys.executable, "-m", "retest", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("Usage: "), done.stderr) == (2, 1, "")


def test_the_collector_looks_at_nothing_while_a_command_starts_and_ends() -> None:
    """What a start loads stays until the end; at the end it goes with the process."""
    code = (
        "import gc, sys\n"
        "from retest.cli.app import main\n"
        "looks = []\n"
        "gc.collect()\n"
        "gc.callbacks.append(lambda phase, _: looks.append(phase))\n"
        "sys.argv = ['retest', 'metrics']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print('\\n', len(looks), gc.get_freeze_count() > 10_000)"
    )
    assert said(code).splitlines()[-1].split() == ["0", "True"]


def test_the_first_collection_walks_over_nothing_that_a_start_made() -> None:
    """It would hold up the calls in flight; what becomes garbage later is found as ever."""
    code = (
        "import gc\n"
        "from retest.cli.app import _collect_seldom\n"
        "def make_garbage():\n"
        "    rings = [[] for _ in range(5)]\n"
        "    for ring in rings:\n"
        "        ring.append(ring)\n"
        "gc.collect()\n"
        "_collect_seldom()\n"
        "make_garbage()\n"
        "late = gc.get_threshold()[0]\n"
        "first = gc.collect()\n"
        "make_garbage()\n"
        "print(first, gc.collect(), late > gc.get_threshold()[0] > 0, gc.callbacks)"
    )
    assert said(code) == "0 5 True []"
