"""Whether a YAML file met in a folder is a suite: what is broken still is one, so that it cannot drop out unseen."""

from __future__ import annotations

import re
from pathlib import Path

from retest.suites.spec import SuiteSpec
from retest.suites.suggestions import closest
from retest.suites.yaml_nodes import MapNode

_KEYS = tuple(SuiteSpec.model_fields)
_OWN = set(_KEYS) - {"name", "description", "tags", "metadata"}  # those stand in any kind of file
_SECTIONS = ("prompt", "prompts", "dataset", "target", "targets", "metrics", "preset")
_CLOSE = 0.8
_FEWEST_SECTIONS = 2
_BLOCK_KEY = re.compile(r"""^["']?(\w+)["']?[ \t]*:""", re.MULTILINE)
_FLOW_KEY = re.compile(r"""[{,]\s*["']?(\w+)["']?\s*:""")
_LONGEST = 1_000_000  # characters that are looked at


def has_suite_key(tree: MapNode) -> bool:
    """Return whether a key of the mapping is a suite's, or a mistyped one."""
    return any(key in _OWN or closest(key, _OWN, cutoff=_CLOSE) for key in tree.entries)


def reads_like_suite(path: Path) -> bool:
    """Return whether a file outside the suites folder names two sections of a suite, mistyped ones included.

    The text is looked at, not the tree: a suite that is no valid YAML is recognised too.

    Raises:
        OSError: it cannot be read.
    """
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        text = file.read(_LONGEST)
    keys = set((_FLOW_KEY if text.lstrip().startswith("{") else _BLOCK_KEY).findall(text))
    found = (closest(key, _SECTIONS, cutoff=_CLOSE) for key in keys)
    return len({section.rstrip("s") for section in found if section}) >= _FEWEST_SECTIONS
