"""Regression testing for LLM prompts.

``retest.load_prompt(path).render(**variables)`` gives production code the very prompt that was tested, and
``retest.run(suite)`` runs a suite from Python. The decision procedure works on scores from any tool: `compare`, `mde`,
`boundaries`, `holm`, `label_cases`, `SequentialGate`. Names load on first use: importing retest loads no library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retest.api import load_prompt as load_prompt
    from retest.api import run as run
    from retest.stats.boundaries import boundaries as boundaries
    from retest.stats.case_labels import label_cases as label_cases
    from retest.stats.compare import compare as compare
    from retest.stats.power import mde as mde
    from retest.stats.sequential import SequentialGate as SequentialGate
    from retest.stats.several_metrics import holm as holm

_WHERE = {
    "SequentialGate": "retest.stats.sequential",
    "boundaries": "retest.stats.boundaries",
    "compare": "retest.stats.compare",
    "holm": "retest.stats.several_metrics",
    "label_cases": "retest.stats.case_labels",
    "load_prompt": "retest.api",
    "mde": "retest.stats.power",
    "run": "retest.api",
}

__all__ = sorted(_WHERE)  # noqa: PLE0605 - derived, so that the table above is the only list


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _WHERE:
        raise AttributeError(f"module 'retest' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(_WHERE)
