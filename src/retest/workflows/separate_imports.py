"""Keeps apart what the code of two revisions imports: each gets the helper files beside it, not the other's."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_OWN = ("retest_metric_", "_retest_user_")  # modules whose name already holds their path


@contextmanager
def separate_imports(root: Path) -> Iterator[None]:
    """Forget, at the end, the search paths into a folder that were added meanwhile, and what was imported from there.

    What was imported goes on working: functions keep the modules that they refer to. Python's table of modules is
    what is cleared, so that the next revision's ``import shared`` reads its own file. An import that stands inside a
    function runs after the end and finds nothing of the folder: it fails rather than read another revision's file.
    """
    modules, paths = set(sys.modules), set(sys.path)
    try:
        yield
    finally:
        added = [Path(entry) for entry in sys.path if entry not in paths and Path(entry).is_relative_to(root)]
        sys.path[:] = [entry for entry in sys.path if Path(entry) not in added]
        for name in set(sys.modules) - modules:
            if not name.startswith(_OWN) and _is_below(sys.modules[name], added):
                del sys.modules[name]


def _is_below(module: object, folders: Sequence[Path]) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(file, str) and any(Path(file).is_relative_to(folder) for folder in folders)
