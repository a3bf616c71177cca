"""`retest promote`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retest.cli import options as opt
from retest.errors import ExitCode

if TYPE_CHECKING:
    from retest.workflows.move_label import LabelMove


def command(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The prompt file that gets the label.")],
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Such as production or experiment.")],
    take_from: Annotated[
        list[str] | None, typer.Option("--from", metavar="FILE", help="Take the label from this file too; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the change and write nothing.")] = False,
    as_json: opt.Json = False,
) -> ExitCode:
    """Move a label to a prompt: the front matter is edited, ready to be committed; nothing is committed.

    The other versions of the prompt lose the label: files of the same folder whose names differ in a number at the end
    (intent-v1.md, intent-v2.md). Labels are no part of what is sent, so answers that are paid for stay so.

    [bold]Examples[/bold]

        retest promote prompts/intent-v2.md production

        retest promote prompts/intent.md production --from prompts/intent-old.md

        retest promote prompts/intent-v3.md experiment --dry-run
    """
    from retest.cli.config import open_workspace
    from retest.cli.console import print_json
    from retest.workflows.move_label import move_label

    moved = move_label(open_workspace(), prompt, label, others=tuple(take_from or ()), dry_run=dry_run)
    if as_json:
        print_json(_document(moved, written=bool(moved.edits) and not dry_run))
    else:
        _show(moved, dry_run=dry_run)
    return ExitCode.PASSED


def _document(moved: LabelMove, *, written: bool) -> dict[str, object]:
    return {
        "prompt": moved.prompt,
        "label": moved.label,
        "written": written,
        "edits": [
            {"path": edit.path, "labels_before": edit.before, "labels_after": edit.after, "diff": edit.diff()}
            for edit in moved.edits
        ],
        "message": moved.message,
        "command": moved.command,
    }


def _show(moved: LabelMove, *, dry_run: bool) -> None:
    from rich.text import Text

    from retest.cli.console import stdout
    from retest.report.escape import visible

    if not moved.edits:
        stdout().print(f"{moved.prompt} has the label {moved.label}, and no other version does", markup=False)
        return
    for edit in moved.edits:
        for line in edit.diff().splitlines():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            stdout().print(Text(visible(line), style), soft_wrap=True)
    lines = ["", "nothing is written (--dry-run)" if dry_run else "written, not committed; the proposed message:", ""]
    lines += [] if dry_run else [f"    {line}".rstrip() for line in moved.message.splitlines()]
    if moved.command is not None:
        lines += ["", f"commit it: {moved.command}"]
    stdout().print(Text(visible("\n".join(lines))), soft_wrap=True)
