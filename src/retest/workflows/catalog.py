"""Everything a suite may name, gathered from the registries."""

from __future__ import annotations

from functools import cache

from retest.domain.catalog import Catalog, OnDemand
from retest.metrics.registry import metric_infos
from retest.targets.registry import providers


@cache
def load_catalog() -> Catalog:
    """Return every metric and provider; what is not asked for is not loaded, and no heavy library is."""
    known = providers()
    return Catalog(metrics=metric_infos(), providers=OnDemand(known, lambda name: known[name].info))
