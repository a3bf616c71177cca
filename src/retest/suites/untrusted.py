"""By what suites of an untrusted revision are judged: the checkout's bounds, and what the trusted base names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from retest.domain.json_value import JsonValue, canonical_json
from retest.domain.judge import JudgeSpec
from retest.domain.target import TargetSpec
from retest.suites.boundary import Boundary

ADDRESSES = ("base_url", "endpoint", "url")
# What changes neither where a call goes nor what goes along with it. All other options are compared, new ones too.
_HARMLESS = frozenset({"timeout_s", "price", "pick", "n_ctx", "parallel", "threads"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the calls of a target or judge go, and what goes along: every option that matters to either."""

    provider: str
    options: Mapping[str, JsonValue]

    @classmethod
    def of(cls, provider: str, options: Mapping[str, JsonValue]) -> Connection:
        """Return the connection of a target's checked options."""
        return cls(provider=provider, options={key: v for key, v in options.items() if key not in _HARMLESS})

    def differs_in(self, other: Connection) -> tuple[str, ...]:
        """Return the options that are not the same."""
        keys = dict.fromkeys([*self.options, *other.options])
        return tuple(key for key in keys if self._text(key) != other._text(key))

    def address(self) -> str:
        """Return where it goes, as the suite says it."""
        return self._text(next((key for key in ADDRESSES if key in self.options), ""))

    def _text(self, key: str) -> str:
        value = self.options.get(key)
        text = canonical_json(value).decode()
        return text.rstrip('/"') if key in ADDRESSES else text


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedByBase:
    """What the suites of the trusted base revision name: connections, and the limits of judges."""

    connections: tuple[Connection, ...] = ()
    judges: tuple[JudgeSpec, ...] = ()

    @classmethod
    def collect(cls, targets: Sequence[TargetSpec], judges: Sequence[JudgeSpec]) -> NamedByBase:
        """Return what the targets and judges of trusted suites come to."""
        named = [*targets, *(judge.target for judge in judges)]
        return cls(
            connections=tuple(Connection.of(spec.provider, spec.options) for spec in named), judges=tuple(judges)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UntrustedRules:
    """By what suites of an untrusted revision are refused.

    Attributes:
        boundary: what they may read.
        named: what the base names; None where no base is known.
        base: the base as people know it; where there is none, why.
        calls: the command may call endpoints, so that those which nobody trusted vouches for are errors.
    """

    boundary: Boundary
    named: NamedByBase | None = None
    base: str = ""
    calls: bool = True
