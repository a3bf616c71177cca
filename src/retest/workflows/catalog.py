"""Everything a suite may name, gathered from the registries."""

from __future__ import annotations

from functools import cache

from retest.domain.catalog import Catalog
from retest.metrics.registry import metric_infos
from retest.targets.registry import providers


@cache
def load_catalog() -> Catalog:
    """Return every metric and provider; loads no heavy library."""
    return Catalog(
        metrics=metric_infos(),
        providers={name: provider.info for name, provider in providers().items()},
    )
