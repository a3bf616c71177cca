"""Packages whose own code runs when somebody looks into them, not when a module below them is imported.

Some libraries load all they have as soon as one of their modules is needed. Most of it serves nobody here, and it would
make up half of the start of a command. Whoever uses such a package meanwhile, a team's own metric for one, finds in it
what is always there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

_lock = RLock()


class _DeferringLoader(Loader):
    """Runs a package's code at the first attribute that is not there yet; its submodules can be imported before."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module as the real loader makes it."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Put the module's code off."""
        is_run = False

        def look_up(name: str) -> Any:
            nonlocal is_run
            # `__all__` is asked for by star imports; other such names by programs that look at every module.
            if name.startswith("__") and name != "__all__":
                raise AttributeError(name)
            with _lock:
                if not is_run:
                    is_run = True  # the code itself may look at its module
                    self._loader.exec_module(module)
            try:
                return vars(module)[name]
            except KeyError:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}") from None

        module.__getattr__ = look_up  # type: ignore[method-assign] # how a module says what it does not have


class _DeferringFinder(MetaPathFinder):
    """Finds the packages whose code is put off."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the package's own place with another loader; None for any other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec


@contextmanager
def deferring(*names: str) -> Iterator[None]:
    """Within, importing one of these packages runs nothing of its own code yet; one that is loaded stays as it is."""
    finder = _DeferringFinder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
