"""The gate policy of a stored run, read from the suite's text as it was."""

from __future__ import annotations

from pathlib import Path

from retest.domain.catalog import Catalog
from retest.domain.run import Run
from retest.domain.suite import GatePolicy
from retest.errors import RetestError


def read_stored_gate(run: Run) -> GatePolicy:
    """Return the gate that the run's suite had; the defaults where it had none or its text cannot be read."""
    if "gate" not in run.suite_source:
        return GatePolicy()
    from retest.suites.gate_entries import build_gate
    from retest.suites.scope import SuiteScope
    from retest.suites.spec import GateEntry
    from retest.suites.yaml_nodes import MapNode, find, plain
    from retest.suites.yaml_reader import read_yaml

    try:
        tree = read_yaml(run.suite_source.encode("utf-8", "replace"), run.suite_path)
        node = find(tree, ("gate",))
        if not isinstance(tree, MapNode) or node is None:
            return GatePolicy()
        entry = GateEntry.model_validate(plain(node))
    except (RetestError, ValueError):  # it was sound when it ran; a later version may read it differently
        return GatePolicy()
    path = Path(run.suite_path)
    scope = SuiteScope(tree=tree, path=path, display=run.suite_path, cwd=path.parent, catalog=Catalog())
    return build_gate(scope, entry, (), entry.metrics)
