"""Plots as files and on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from retest.errors import ExitCode, Problem, UsageError

if TYPE_CHECKING:
    from retest.report.plot import Plot


def show_plot(plot: Plot, output: Path | None) -> ExitCode:
    """Print a plot, or write it to a file: SVG, or PNG where matplotlib is there.

    Raises:
        UsageError: the file's ending is neither, or it cannot be written.
        MissingExtraError: a PNG without matplotlib.
    """
    from retest.cli.console import stdout

    if output is None:
        from retest.report.terminal_plot import terminal_plot

        console = stdout()
        console.print(terminal_plot(plot, console.width, ascii_only=console.encoding.lower() not in _WIDE))
        return ExitCode.PASSED
    if output.suffix.lower() not in {".svg", ".png"}:
        raise _refusal(output, f"'{output.suffix or output.name}' is no kind of picture that is written here")
    try:
        output.write_bytes(_picture(plot, output))
    except OSError as error:
        raise _refusal(output, f"it cannot be written: {error.strerror or error}") from None
    stdout().print(str(output), markup=False, soft_wrap=True)
    return ExitCode.PASSED


_WIDE = frozenset({"utf-8", "utf8", "utf-16", "utf-32"})


def _picture(plot: Plot, output: Path) -> bytes:
    if output.suffix.lower() == ".svg":
        from retest.report.plot import svg_plot

        return svg_plot(plot).encode()
    from retest.report.plot_png import png_plot

    return png_plot(plot)


def _refusal(output: Path, why: str) -> UsageError:
    return UsageError(
        Problem(slug="plot-file", message=f"no plot in {output}: {why}", fix="name a file such as history.svg")
    )
