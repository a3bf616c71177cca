"""Providers of this kind follow."""

from __future__ import annotations

from retest.targets.registry import Provider

PROVIDERS: tuple[Provider, ...] = ()
