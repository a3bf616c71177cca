"""The `retest` command: its subcommands, and the one place where errors become exit codes."""

from __future__ import annotations

import difflib
import errno
import functools
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from retest.cli.commands import PANELS, DeferredCommand, module_of
from retest.cli.output import Outputs
from retest.errors import ExitCode, Location, Problem, RetestError

if TYPE_CHECKING:
    from typer._click import Command  # what typer's own commands are; there is no public name
    from typer.core import TyperGroup

_EPILOG = (
    "First steps: retest init, then retest run. Exit codes: docs/ci.md. Nothing is sent anywhere but to your targets."
)


def build_app() -> TyperGroup:
    """Return the command line with every subcommand, none of which is loaded before it is called."""
    app = typer.Typer(
        name="retest",
        help="Regression testing for LLM prompts: repeated samples, paired statistics, verdicts you can trust.",
        epilog=_EPILOG,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    root = typer.main.get_group(app)
    root.params.extend(typer.main.get_install_completion_arguments())
    for panel, commands in PANELS.items():
        for name, text in commands.items():
            root.add_command(DeferredCommand(name, text, panel, _load))
    return root


@functools.cache
def _load(name: str) -> Command:
    """Return a subcommand as its module describes it."""
    module = import_module(module_of(name))
    if hasattr(module, "COMMANDS"):
        return typer.main.get_group(_group(module.COMMANDS, module.HELP, getattr(module, "DEFAULT", None)))
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(name)(_guarded(module.command))
    return typer.main.get_command(app)


def _group(
    commands: Mapping[str, Callable[..., ExitCode | None]], text: str, default: Callable[..., ExitCode | None] | None
) -> typer.Typer:
    """Return a command with subcommands; `default` is what it does without one, else it shows its help."""
    group = typer.Typer(help=text, no_args_is_help=default is None, rich_markup_mode="rich")
    if default is not None:
        group.callback(invoke_without_command=True, help=text)(_guarded_default(default))
    for name, command in commands.items():
        group.command(name)(_guarded(command))
    return group


def _guarded_default(default: Callable[..., ExitCode | None]) -> Callable[..., None]:
    guarded = _guarded(default)

    @functools.wraps(default)
    def run(context: typer.Context, *args: object, **kwargs: object) -> None:
        if context.invoked_subcommand is None:
            guarded(context, *args, **kwargs)

    return run


def _print_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"retest {version('retest')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Say the version."),
) -> None:
    pass


def _guarded(command: Callable[..., ExitCode | None]) -> Callable[..., None]:
    """Return the command with its errors turned into messages and exit codes."""

    @functools.wraps(command)
    def run(*args: object, **kwargs: object) -> None:
        raise typer.Exit(_run_guarded(lambda: command(*args, **kwargs), as_json=bool(kwargs.get("as_json"))))

    return run


def _run_guarded(call: Callable[[], ExitCode | None], *, as_json: bool) -> int:
    from retest.cli.signals import handled

    try:
        with handled():
            return int(call() or ExitCode.PASSED)
    except RetestError as error:
        return _say(error.problems, error.exit_code, as_json=as_json)
    except KeyboardInterrupt:
        problem = Problem(slug="run-interrupted", message="interrupted; what is paid for is kept")
        return _say([problem], ExitCode.INTERRUPTED, as_json=as_json)
    except (typer.Exit, typer.Abort):
        raise
    except BaseException as error:  # noqa: BLE001 - the last place that can say so; no SystemExit(0) is a pass
        return _internal_error(error, as_json=as_json)


def _say(problems: Sequence[Problem], code: ExitCode, *, as_json: bool) -> int:
    """Print why nothing came of a command, for people on stderr and, where asked for, as JSON on stdout."""
    from retest.cli.console import print_json, print_problems

    print_problems(problems)
    if as_json:
        from retest.report.json_report import problem_document

        print_json(problem_document(problems, code))
    return int(code)


_NO_FILE_LEFT = frozenset({errno.EMFILE, errno.ENFILE})
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})


def _no_file_left(error: OSError) -> Problem:
    return Problem(
        slug="too-many-open-files",
        message="the system allows no more open files and connections; what was recorded by then is kept",
        details=(str(error),),
        fix="raise the limit (ulimit -n 4096) or lower --concurrency; the same command goes on",
    )


def _file_unwritable(error: OSError) -> Problem:
    return Problem(
        slug="file-unwritable",
        message=f"a file or the output could not be written: {error.strerror}",
        where=None if error.filename is None else Location(path=str(error.filename)),
        fix="make room or name another place; what the store has is kept, and the same command goes on from there",
    )


def _internal_error(error: BaseException, *, as_json: bool) -> int:
    import traceback

    if isinstance(error, OSError) and error.errno in _NO_FILE_LEFT:
        return _say([_no_file_left(error)], ExitCode.INCOMPLETE, as_json=as_json)
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return _say([_file_unwritable(error)], ExitCode.INCOMPLETE, as_json=as_json)
    traceback.print_exception(error, file=sys.stderr)
    problem = Problem(slug="internal-error", message="this is a bug in retest; the traceback above says where")
    return _say([problem], ExitCode.INTERNAL, as_json=as_json)


# Objects made between two garbage collections. What a start loads stays until the end, some 160,000 objects; at the
# default of 700 the collector walks them over and over, a sixth of the time until the first call.
_COLLECT_EVERY = 50_000
_FIRST_COLLECTION = 200_000


def _collect_seldom() -> None:
    """Have the collector look for the first time when the start is over, and never at what was there then.

    A walk over all that a start has made would hold up the calls in flight; next to nothing of it is garbage.
    """

    def go_on(_phase: str, _: object) -> None:
        gc.callbacks.remove(go_on)
        gc.freeze()  # before the walk, so that there is nothing to walk over
        gc.set_threshold(_COLLECT_EVERY, 20, 20)

    gc.callbacks.append(go_on)
    gc.set_threshold(_FIRST_COLLECTION, 20, 20)


_MOST_FILES = 10_240  # what macOS allows at most


def _raise_file_limit() -> None:
    """Allow as many open files as the system lets this process have: each call in flight takes one."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Run the command line."""
    outputs = Outputs()
    outputs.take()  # before anything opens a file
    _raise_file_limit()
    _collect_seldom()
    code = _run_command()
    lost = outputs.lost()
    if lost is not None:
        code = _say([_file_unwritable(lost)], ExitCode.INCOMPLETE, as_json=False) if code == 0 else code
    gc.freeze()  # what is left ends with the process; walked by the collector first, it makes a start a fourth longer
    raise SystemExit(code)


def _run_command() -> int:
    """Return the exit code of the command that was typed; what typer refuses is told as every other mistake is."""
    try:
        code = build_app()(standalone_mode=False)
    except typer.Abort:
        nothing = Problem(slug="run-interrupted", message="interrupted; nothing was changed")
        return _say([nothing], ExitCode.INTERRUPTED, as_json=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # what all of typer's refusals have
            raise
        return _refuse(error)
    return code if isinstance(code, int) else int(ExitCode.PASSED)


def _refuse(refusal: Any) -> int:
    """Tell what typer refused: a flag, a value or a command."""
    told, context = str(refusal.format_message()), refusal.ctx
    if not told and context is not None:  # a command that was given nothing, and has shown its help by now
        return int(ExitCode.USAGE)
    message, _, near = told.partition(" Did you mean ")
    message = message.partition(" (Possible options: ")[0].replace(": Value error, ", ": ")
    near = near or ", ".join(f"'{name}'" for name in _close_options(refusal))
    path = "retest" if context is None else context.command_path.replace("python -m retest", "retest")
    problem = Problem(
        slug="usage-flags",
        message=message[:1].lower() + message[1:].rstrip("."),
        details=() if context is None else (" ".join([path, *context.command.collect_usage_pieces(context)]),),
        fix=f"did you mean {near.rstrip('?')}?" if near else f"`{path} --help` shows what there is",
    )
    return _say([problem], ExitCode.USAGE, as_json="--json" in sys.argv)


def _close_options(refusal: Any) -> list[str]:
    known, wrong = getattr(refusal, "possibilities", None), getattr(refusal, "option_name", "")
    return difflib.get_close_matches(wrong, known or (), cutoff=0.75)
