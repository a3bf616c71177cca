"""What retest needs of nltk, without the second and the 100 MB that importing it takes: SciPy and more come along.

The stemmer is nltk's own file, executed by itself; textstat is given the pronouncing dictionary in place of the module
that would import nltk for one.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_PORTER = "nltk.stem.porter"
_ASKED_FOR = "textstat.backend.utils._get_cmudict"


def porter_stem() -> Callable[[str], str]:
    """Return the `stem` of nltk's PorterStemmer; where its file cannot stand alone, nltk is imported after all."""
    try:
        stem: Callable[[str], str] = _alone(_PORTER)["PorterStemmer"]().stem
        stem("generalizations")
    except (ImportError, OSError, LookupError, AttributeError, TypeError, ValueError):
        from nltk.stem.porter import PorterStemmer

        stem = PorterStemmer().stem
    return stem


def _alone(name: str) -> dict[str, Any]:
    """Return what a module defines, without importing its package: what it takes from there is a class without content.

    Raises:
        ImportError: the package is not installed.
    """
    package, *rest = name.split(".")
    spec = find_spec(package)  # of a top-level name: nothing is imported
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(name)
    path = Path(spec.submodule_search_locations[0], *rest).with_suffix(".py")
    code = SourceFileLoader(name, str(path)).get_code(name)
    if code is None:
        raise ImportError(name)
    space: dict[str, Any] = {"__name__": name, "__builtins__": {**vars(builtins), "__import__": _importer(package)}}
    exec(code, space)  # noqa: S102 - a file of an installed package, as importing it would
    return space


def _importer(absent: str) -> Callable[..., Any]:
    """Return what imports as usual, but for one package."""

    def load(name: str, *args: Any, **options: Any) -> Any:
        if name.partition(".")[0] != absent:
            return builtins.__import__(name, *args, **options)
        return _Absent(name)

    return load


class _Absent(ModuleType):
    """A module that has any name, each a class to inherit nothing from."""

    def __getattr__(self, name: str) -> type:
        return object


def give_textstat(dictionary: Callable[[str], Any]) -> None:
    """Let textstat ask a function of ours for its pronouncing dictionary, by language."""
    if _ASKED_FOR not in sys.modules:
        given = ModuleType(
            _ASKED_FOR, "The place where textstat asks nltk for a dictionary; retest has put its own here."
        )
        given.get_cmudict = dictionary  # type: ignore[attr-defined] # the one thing it is for
        sys.modules[_ASKED_FOR] = given
