"""Every provider by name; its module is imported when it is first asked for, its library when a target is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Protocol

from retest.domain.catalog import OnDemand, ProviderInfo
from retest.domain.suite import TargetSpec
from retest.targets.base import Target
from retest.targets.prices import PriceTable

_MODULE_OF = {
    "openai": "openai_chat",
    "azure_openai": "openai_azure",
    "replay": "replay",
    "python": "python_call",
    "command": "command",
    "http": "http",
    "local": "local_model",
}


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


def _load(name: str) -> Provider:
    module = import_module(f"retest.targets.{_MODULE_OF[name]}")
    found: Provider = next(provider for provider in module.PROVIDERS if provider.info.name == name)
    return found


@cache
def providers() -> Mapping[str, Provider]:
    """Return provider name -> provider."""
    return OnDemand(_MODULE_OF, _load)


def open_target(spec: TargetSpec, context: TargetContext) -> Target:
    """Open the target that a checked spec describes.

    Raises:
        UsageError: a missing key or an unreadable file, found before any call.
    """
    return providers()[spec.provider].open(spec, context)
