"""Loads the `openai` package in a third of its time: what lies in its `types` is loaded when somebody looks into it.

The package's `__init__` imports some 400 files of request and response types. Calls here exchange plain JSON and need
none of them, so the two packages that draw them all in run their own code at the first attribute that is asked of them;
whoever uses them meanwhile (a team's own target or metric) finds what is always there.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import RLock
from types import ModuleType
from typing import Any

_DEFERRED = frozenset({"openai.types", "openai.types.responses"})
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

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the package's own place with another loader; None for any other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _DEFERRED else None
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec


def load_openai() -> None:
    """Import `openai`; nothing happens where it is loaded already."""
    with _lock:
        if "openai" in sys.modules:
            return
        finder = _DeferringFinder()
        sys.meta_path.insert(0, finder)
        try:
            import openai  # noqa: F401 - others take it from here
        finally:
            sys.meta_path.remove(finder)
