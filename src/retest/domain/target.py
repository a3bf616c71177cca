"""Targets: what answers, as a suite says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from retest.domain.json_value import JsonValue
from retest.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSpec:
    """What answers, as the suite says it.

    Attributes:
        options: the provider's own options (base_url, path, argv, ...), already validated and defaulted.
        params: model parameters passed through (temperature, ...).
        base_dir: folder of the file that named the target; relative paths in `options` start there.
        where: for messages.
    """

    name: str
    provider: str
    model: str | None = None
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    base_dir: Path = Path()
    where: Location | None = None
