"""Keeps apart what the code of two revisions imports: each gets the helper files beside it, not the other's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWN = ("retest_metric_", "_retest_user_")  # modules whose name already holds their path


@contextmanager
def separate_imports(root: Path) -> Iterator[None]:
    """Forget, at the end, the modules below a folder that were imported meanwhile, and the search paths into it.

    What was imported goes on working: functions keep the modules that they refer to. Python's table of modules is
    what is cleared, so that the next revision's ``import shared`` reads its own file. An import that stands inside a
    function runs after the end and finds nothing of the folder: it fails rather than read another revision's file.
    """
    before = set(sys.modules)
    paths = set(sys.path)
    try:
        yield
    finally:
        for name in set(sys.modules) - before:
            if not name.startswith((*_OWN, "retest.")) and _is_below(sys.modules[name], root):
                del sys.modules[name]
        sys.path[:] = [entry for entry in sys.path if entry in paths or not Path(entry).is_relative_to(root)]


def _is_below(module: object, root: Path) -> bool:
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or "site-packages" in file:
        return False
    return Path(file).is_relative_to(root)
