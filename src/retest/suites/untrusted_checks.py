"""What a suite of an untrusted revision may not do: run code, read elsewhere, reach what the base does not name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from retest.domain.catalog import MetricInfo, ProviderInfo
from retest.domain.judge import JudgeLimits, JudgeSpec
from retest.errors import Location
from retest.suites.scope import SuiteScope
from retest.suites.untrusted import ADDRESSES, Connection, NamedByBase, UntrustedRules
from retest.suites.yaml_nodes import NodePath

_RECORDED = "replay"  # answers from a file in the checkout, which the boundary covers
_LOCAL = "local"
_LOADED = ("path", "cache_dir", "chat_template")  # options of a local model that are read, written or interpreted
_CREDENTIALS = frozenset({"api_key_env", "token_env", "headers", "organization", "project"})
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_BY_HAND = "where the change is wanted, commit it to the base first, or read it and run with --no-untrusted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A target, judge or metric as the suite has it: what messages call it, its options, where its keys stand."""

    what: str
    place: Callable[[NodePath], NodePath]
    options: Mapping[str, Any] = field(default_factory=dict)

    def at(self, scope: SuiteScope, *path: str) -> Location:
        """Return where a key stands, the entry where it has none."""
        own = self.place(path)
        return scope.at(*own) if scope.node(*own) is not None else scope.at(*self.place(()))


def may_read(scope: SuiteScope, path: Path, where: Location | None, what: str) -> bool:
    """Return whether a file may be read; notes the refusal."""
    reason = None if scope.rules is None else scope.rules.boundary.refusal(path)
    if reason is None:
        return True
    scope.error(
        "untrusted-path",
        f"an untrusted suite may not read the {what}: {reason}",
        where,
        details=("links are followed to what they lead to",),
        fix="keep what the suite needs in the repository, in files whose names do not start with a dot",
    )
    return False


def may_run(scope: SuiteScope, info: MetricInfo | ProviderInfo, use: Use, kind: str) -> bool:
    """Return whether a metric or provider may be used; notes the refusal of what runs the user's own code."""
    if scope.rules is None or not info.runs_code:
        return True
    scope.error(
        "untrusted-code",
        f"{use.what} runs code (`{info.name}`), which an untrusted suite may not",
        use.at(scope, kind),
        details=("nothing of it was loaded",),
        fix="read the code, then run the suite with --no-untrusted",
    )
    return False


def may_call(scope: SuiteScope, info: ProviderInfo, use: Use) -> bool:
    """Return whether a target's or judge's calls go where the base lets them go; notes the refusal."""
    rules, own = scope.rules, Connection.of(info.name, use.options)
    if rules is None or info.name == _RECORDED or _is_packaged(own):
        return True
    if info.name == _LOCAL and use.options.get("path") is not None:
        return _no_weights(scope, use)
    if rules.named is None:
        return _no_base(scope, rules, use)
    return _is_named(scope, rules, rules.named, use, own)


def _is_packaged(own: Connection) -> bool:
    """Return whether it is a model that comes as a package: nothing of the suite's is loaded, nothing is sent."""
    return own.provider == _LOCAL and all(own.options.get(key) is None for key in _LOADED)


def _is_named(scope: SuiteScope, rules: UntrustedRules, named: NamedByBase, use: Use, own: Connection) -> bool:
    alike = [known for known in named.connections if known.provider == own.provider]
    if any(not own.differs_in(known) for known in alike):
        return True
    same_address = [known for known in alike if known.address() == own.address()]
    if not same_address:
        _unknown_endpoint(scope, rules, use, own)
        return False
    nearest = min(same_address, key=lambda known: len(own.differs_in(known)))
    for key in own.differs_in(nearest):
        _changed(scope, rules, use, key)
    return False


def _no_weights(scope: SuiteScope, use: Use) -> bool:
    scope.error(
        "untrusted-code",
        f"{use.what} loads a model file, which an untrusted suite may not",
        use.at(scope, "path"),
        details=("reading one is as risky as running code",),
        fix="name a packaged model, or read the change and run with --no-untrusted",
    )
    return False


def _no_base(scope: SuiteScope, rules: UntrustedRules, use: Use) -> bool:
    note = scope.error if rules.calls else scope.warn
    note(
        "untrusted-no-base",
        f"{use.what} has an endpoint, and there is no base revision that could vouch for it",
        use.at(scope),
        details=(rules.base,) if rules.base else (),
        fix="name the trusted revision: --base origin/main; in CI fetch it (fetch-depth: 0)",
    )
    return not rules.calls


def _unknown_endpoint(scope: SuiteScope, rules: UntrustedRules, use: Use, own: Connection) -> None:
    key = next((key for key in ADDRESSES if own.options.get(key) is not None), "provider")
    variable = _VARIABLE.search(str(own.options.get(key, "")))
    if variable is not None:
        _variable(scope, rules, use, key, variable[0])
        return
    scope.error(
        "untrusted-endpoint",
        f"{use.what} calls an endpoint that no suite of {rules.base} names",
        use.at(scope, key),
        details=("an untrusted suite may call what the base calls, with the keys that the base sends there",),
        fix=_BY_HAND,
    )


def _changed(scope: SuiteScope, rules: UntrustedRules, use: Use, key: str) -> None:
    value = use.options.get(key)
    variable = _VARIABLE.search(str(value))
    if variable is not None:
        _variable(scope, rules, use, key, variable[0])
        return
    credential = key in _CREDENTIALS
    scope.error(
        "untrusted-key" if credential else "untrusted-endpoint",
        f"{use.what} sends {'other credentials or headers' if credential else 'something else'} to its endpoint than "
        f"the suites of {rules.base}: '{key}' differs",
        use.at(scope, key),
        fix=_BY_HAND,
    )


def _variable(scope: SuiteScope, rules: UntrustedRules, use: Use, key: str, variable: str) -> None:
    scope.error(
        "untrusted-variable",
        f"{use.what} fills {variable} into '{key}', which no suite of {rules.base} does",
        use.at(scope, key),
        details=("an untrusted suite gets no environment variable that the base does not use in the same place",),
        fix=_BY_HAND,
    )


def limited(scope: SuiteScope, judge: JudgeSpec) -> JudgeSpec:
    """Return a judge with limits no wider than the base's: those of its name there, else of its endpoint."""
    if scope.rules is None or scope.rules.named is None:
        return judge
    own = Connection.of(judge.target.provider, judge.target.options)
    known = scope.rules.named.judges
    others = [each for each in known if each.name == judge.name] or [
        each for each in known if not own.differs_in(Connection.of(each.target.provider, each.target.options))
    ]
    kept = {
        name: _smallest([getattr(judge.limits, name), *(getattr(each.limits, name) for each in others)])
        for name in ("concurrency", "max_calls", "max_cost_usd")
    }
    limits = JudgeLimits(**kept)
    if limits == judge.limits:
        return judge
    scope.warn(
        "untrusted-limit",
        f"judge '{judge.name}' keeps the limits that it has in {scope.rules.base}",
        judge.target.where,
        details=tuple(f"{name}: {value:g}" for name, value in kept.items() if value is not None),
    )
    return replace(judge, limits=limits)


def _smallest(values: Sequence[Any]) -> Any:
    return min((value for value in values if value is not None), default=None)
