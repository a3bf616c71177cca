"""The table of names and modules says what the modules say."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import retest.metrics
from retest.metrics.registry import metric_classes

FOLDER = Path(retest.metrics.__file__).parent


def test_every_metric_of_every_module_is_registered() -> None:
    """A metric that a module lists and the table forgets could not be named in a suite."""
    names = (".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in sorted(FOLDER.rglob("*.py")))
    modules = (import_module(f"retest.metrics.{name}") for name in names)
    listed = [cls for module in modules for cls in getattr(module, "METRICS", ())]
    assert {cls.info.name: cls for cls in listed} == dict(metric_classes())


def test_naming_one_metric_loads_no_other() -> None:
    """A suite pays at its start for the metrics that it names."""
    code = (
        "import sys\n"
        "from retest.metrics.registry import metric_infos\n"
        "metric_infos()['exact_match']\n"
        "print([name for name in ('rouge', 'translation', 'structured') if f'retest.metrics.{name}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_metric_is_no_key() -> None:
    """What is not in the table is asked of no module."""
    assert "bleurt" not in metric_classes()
    with pytest.raises(KeyError):
        metric_classes()["bleurt"]
