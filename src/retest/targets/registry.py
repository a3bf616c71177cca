"""Every provider by name; modules are light at import, libraries load when a target is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Protocol

from retest.domain.catalog import ProviderInfo
from retest.domain.suite import TargetSpec
from retest.targets.base import Target
from retest.targets.prices import PriceTable

_MODULES = ("openai_chat", "openai_azure", "replay", "python_call", "command", "http", "local_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetContext:
    """What opening a target may use; nothing below the command line reads the environment itself."""

    env: Mapping[str, str] = field(default_factory=dict)
    prices: PriceTable = field(default_factory=PriceTable)
    concurrency: int = 32


class Opener(Protocol):
    """Opens a target from a checked spec."""

    def __call__(self, spec: TargetSpec, context: TargetContext) -> Target:
        """Return the target.

        Raises:
            UsageError: a missing key or an unreadable file, found before any call.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider's description and how to open it; each module lists its own in `PROVIDERS`."""

    info: ProviderInfo
    open: Opener


@cache
def providers() -> dict[str, Provider]:
    """Return provider name -> provider."""
    modules = (import_module(f"retest.targets.{name}") for name in _MODULES)
    return {provider.info.name: provider for module in modules for provider in module.PROVIDERS}


def open_target(spec: TargetSpec, context: TargetContext) -> Target:
    """Open the target that a checked spec describes.

    Raises:
        UsageError: a missing key or an unreadable file, found before any call.
    """
    return providers()[spec.provider].open(spec, context)
