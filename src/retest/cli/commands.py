"""The subcommands of `retest`: what the list of them says, and each one's module, loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from typer._click import Command, Context  # what typer's own commands are; there is no public name

# In the order of `retest --help`, by panel: the command and the first paragraph of its help, so that the list is
# printed without loading them. A module of that name (`_MODULES` where it differs) has `command`; or, for a command
# with subcommands, `COMMANDS` and `HELP` (and `DEFAULT`, what it does without a subcommand).
PANELS: Mapping[str, Mapping[str, str]] = {
    "Start": {
        "init": "Write a small commented project: a prompt, a dataset, a suite, a CI workflow. It runs at once, "
        "without a key.",
        "check": "Check suites, prompts and datasets offline; every mistake at once, each with its place.",
        "plan": "Say what a run would cost and which drop it could see, before paying for it.",
        "run": "Sample every case of the suites, score the answers, store and show the result.",
    },
    "Decide": {
        "gate": "Run what is needed, compare with the baseline, and pass or fail by the suite's policy.",
        "compare": "Compare git revisions, or prompt files: run what is missing, then a verdict per metric.",
        "bisect": "Find the commit at which a metric regressed, by a binary search over the first-parent commits.",
        "aa": "Run a suite against itself: how often its gate alarms where nothing changed, and what drifts.",
        "waive": "Let the gate pass a metric of a suite until a day, for a reason that is reviewed like code.",
        "baseline": "Keep what later runs are compared with. A baseline is set by these commands only, never by "
        "running.",
        "judge": "Judges: what they are asked, and how far they agree with people.",
    },
    "Look": {
        "view": "Look at runs, compare them, review answers and edit prompts in the browser.",
        "diff": "Compare two runs: a verdict per metric, and the cases that changed.",
        "show": "Show a run: what it adds up to, its cases, one case with its samples.",
        "rescore": "Score the answers of a run again, by other metrics or changed ones; no target is called.",
        "report": "Write a run, or two compared, as one HTML file that works offline.",
        "runs": "List runs, the newest first.",
        "log": "Show the versions of a prompt as git sees them, each with its results.",
        "search": "Search the answers of all runs.",
        "export": "Write a run's samples, one row each: case, arm, answer or error, latency, scores.",
        "review": "Scores, labels, tags and comments by people.",
    },
    "Write": {
        "try": "Ask once, with one input; the answer is shown as it is written. Nothing is stored.",
        "render": "Show the messages exactly as they would be sent; nothing is called.",
        "metrics": "List the metrics: what each needs, its range and direction, its options.",
        "schema": "Print the JSON Schema of suite files, so that editors complete and check them.",
        "cases": "Cases of runs as rows of datasets.",
    },
    "Keep": {
        "promote": "Move a label to a prompt: the front matter is edited, ready to be committed; nothing is committed.",
        "tag": "Tag a run, or note something on it, after the fact.",
        "delete": "Delete runs. Their paid-for responses stay in the ledger until `retest gc` drops them.",
        "gc": "Drop responses that no run refers to, and texts that nothing needs. What was dropped must be paid "
        "for again.",
        "verify": "Check that the store is whole: the file, every text, every reference, every score. Exit 1 where "
        "something is not.",
        "doctor": "Say what is configured (and where), installed and reachable. No key is shown, nothing is sent.",
        "batch": "Batches that were handed to a provider with --batch: what is out, its answers, its end.",
        "store": "The store as a whole: copy it to another place or database.",
    },
}

_MODULES = {"try": "try_prompt"}  # `try` is a word of Python


def module_of(name: str) -> str:
    """Return the name of the module that has a command."""
    return f"retest.cli.{_MODULES.get(name, name)}"


class DeferredCommand(TyperCommand):
    """A command in a list: its name and what it does; the command itself is made when somebody calls it."""

    def __init__(self, name: str, text: str, panel: str, make: Callable[[str], Command]) -> None:
        super().__init__(name, help=text, rich_help_panel=panel, rich_markup_mode="rich")
        self._make = make

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        """Return the context of the command itself, which is what then runs, shows its help or completes words."""
        return self._make(str(self.name)).make_context(info_name, args, parent, **extra)
