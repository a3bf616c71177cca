"""The `retest` command: its subcommands, and the one place where errors become exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from importlib import import_module

import typer

from retest.errors import ExitCode, RetestError

# In the order of `retest --help`. A module has `command`, and `NAME` where that differs from the module's own.
_PANELS: dict[str, tuple[str, ...]] = {
    "Start": ("init", "check", "run"),
    "Look": ("diff", "show", "runs", "search", "export"),
    "Write": ("try_prompt", "render", "metrics", "schema"),
    "Keep": ("tag", "delete", "gc", "doctor"),
}

_EPILOG = (
    "First steps: retest init, then retest run. Exit codes: docs/ci.md. Nothing is sent anywhere but to your targets."
)


def build_app() -> typer.Typer:
    """Return the command-line application with every subcommand."""
    app = typer.Typer(
        name="retest",
        help="Regression testing for LLM prompts: repeated samples, paired statistics, verdicts you can trust.",
        epilog=_EPILOG,
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # a pretty traceback shows local variables, keys among them
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for panel, modules in _PANELS.items():
        for name in modules:
            module = import_module(f"retest.cli.{name}")
            app.command(getattr(module, "NAME", name), rich_help_panel=panel)(_guarded(module.command))
    return app


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
        raise typer.Exit(_run_guarded(lambda: command(*args, **kwargs)))

    return run


def _run_guarded(call: Callable[[], ExitCode | None]) -> int:
    try:
        return int(call() or ExitCode.PASSED)
    except RetestError as error:
        from retest.cli.console import print_problems

        print_problems(error.problems)
        return int(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader has seen enough (`retest show | head`); the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.PASSED)
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the last place that can say so in a readable way
        return _internal_error(error)


def _internal_error(error: Exception) -> int:
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    typer.echo("error: this is a bug in retest; the traceback above says where  [internal-error]", err=True)
    return int(ExitCode.INTERNAL)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a console of another encoding shows a mark instead of failing
            stream.reconfigure(errors="backslashreplace")
    build_app()()
