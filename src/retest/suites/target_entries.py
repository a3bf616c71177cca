"""A suite's targets: defaults and entries joined, options checked against the registered providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from retest.domain.catalog import ProviderInfo
from retest.domain.embedding import WORDLESS_APIS
from retest.domain.json_value import JsonValue
from retest.domain.suite import TargetSpec
from retest.errors import RetestError
from retest.suites.named_files import check_file, option_files, options_identity
from retest.suites.prompt_params import KNOWN_PARAMS, param_problems
from retest.suites.scope import RawEntry, SuiteScope
from retest.suites.spec import DefaultsEntry, TargetEntry
from retest.suites.spec_problems import Subject, model_keys, spec_problems
from retest.suites.suggestions import closest, did_you_mean, listing
from retest.suites.untrusted_checks import Use, may_call, may_run
from retest.suites.yaml_nodes import NodePath

OWN_KEYS = tuple(TargetEntry.model_fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltTarget:
    """A checked target with its provider's description; `identity` is what can change its answers.

    `fixed_params` and `model_fixed` say what ``--set`` wrote, which no matrix overrides.
    """

    spec: TargetSpec
    info: ProviderInfo
    identity: JsonValue
    path: NodePath
    fixed_params: frozenset[str] = frozenset()
    model_fixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A target entry as data: `own` keys stand at `path` in the suite, `defaults` beneath them."""

    path: NodePath
    own: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "target"

    @property
    def what(self) -> str:
        return f"{self.kind} '{self.name}'"

    @property
    def values(self) -> dict[str, Any]:
        params = {"params": self.params} if self.params else {}
        return {**self.defaults, **self.own, **params}

    @property
    def params(self) -> dict[str, Any]:
        parts = (self.defaults.get("params"), self.own.get("params"))
        return {key: value for part in parts if isinstance(part, Mapping) for key, value in part.items()}

    @property
    def name(self) -> str:
        return str(self.own.get("name") or self.values.get("model") or self.values.get("provider"))

    def resolve(self, inner: NodePath) -> NodePath:
        """Return where a path inside the target stands in the suite."""
        own: Any = self.own
        keys = inner[:2] if inner[:1] == ("params",) else inner[:1]
        for key in keys:
            if not isinstance(own, Mapping) or key not in own:
                return ("defaults", "target", *inner)
            own = own[key]
        return (*self.path, *inner)


def build_targets(
    scope: SuiteScope, entries: Sequence[RawEntry], defaults: DefaultsEntry | None, *, kind: str = "target"
) -> list[BuiltTarget]:
    """Return the checked targets (or what else is written like one: `kind`); what is wrong is noted in `scope`."""
    shared = defaults.target if defaults else {}
    known = _known_options(scope, [{**shared, **own} for _, own in entries])
    drafts = [
        _Draft(path=path, own=own, defaults=_usable(scope, own, shared, known), kind=kind) for path, own in entries
    ]
    built = [target for draft in drafts if (target := _build(scope, draft)) is not None]
    _check_names(scope, built, kind)
    return built


def _options_model(scope: SuiteScope, provider: object) -> type[BaseModel] | None:
    info = scope.catalog.providers.get(str(provider))
    if info is None:
        return None
    try:
        return info.options()  # type: ignore[no-any-return]  # the catalog is typed without pydantic
    except RetestError:
        return None


def _known_options(scope: SuiteScope, entries: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    models = (_options_model(scope, entry.get("provider")) for entry in entries)
    return frozenset(key for model in models if model is not None for key in model_keys(model))


def _usable(
    scope: SuiteScope, own: Mapping[str, Any], shared: Mapping[str, Any], known: frozenset[str]
) -> dict[str, Any]:
    """Return the defaults that fit this target: an option that only other targets' providers have is left out."""
    model = _options_model(scope, own.get("provider", shared.get("provider")))
    fits = set(model_keys(model)) if model is not None else set()
    return {key: value for key, value in shared.items() if key in fits or key not in known or key in OWN_KEYS}


def _build(scope: SuiteScope, draft: _Draft) -> BuiltTarget | None:
    entry = _common_keys(scope, draft)
    info = _provider(scope, draft)
    scope.problems.extend(param_problems(draft.params, lambda name: scope.key(*draft.resolve(("params", name)))))
    if info is None or entry is None:
        return None
    options = _options(scope, draft, info)
    if options is None or not _may_be_used(scope, draft, info, options) or not _check_files(scope, draft, options):
        return None
    if not _answers(scope, draft, options):
        return None
    spec = TargetSpec(
        name=draft.name,
        provider=info.name,
        model=entry.model,
        options=options.model_dump(mode="json", by_alias=True),
        params=entry.params,
        base_dir=scope.base_dir,
        where=scope.at(*draft.path),
    )
    return BuiltTarget(
        spec=spec,
        info=info,
        identity=[info.name, options_identity(options, scope.base_dir)],
        path=draft.path,
        fixed_params=frozenset(name for name in entry.params if _is_fixed(scope, (*draft.path, "params", name))),
        model_fixed=_is_fixed(scope, (*draft.path, "model")),
    )


def _is_fixed(scope: SuiteScope, path: NodePath) -> bool:
    return any(path[:length] in scope.overridden for length in range(1, len(path) + 1))


def _common_keys(scope: SuiteScope, draft: _Draft) -> TargetEntry | None:
    try:
        return TargetEntry.model_validate(draft.values)
    except ValidationError as error:
        subject = Subject(model=TargetEntry, scope=scope, resolve=draft.resolve, what=draft.what)
        scope.problems.extend(spec_problems(error, subject))
        return None


def _provider(scope: SuiteScope, draft: _Draft) -> ProviderInfo | None:
    known, name = scope.catalog.providers, draft.values.get("provider")
    if name is None:
        scope.error(
            "suite-missing-key",
            f"the {draft.kind} has no provider",
            scope.at(*draft.path),
            details=(f"known providers: {listing(known)}",),
            fix="add `provider: openai`",
        )
        return None
    if name not in known:
        scope.error(
            "suite-unknown-provider",
            f"unknown provider '{name}'",
            scope.at(*draft.resolve(("provider",))),
            details=(f"known providers: {listing(known)}",),
            fix=did_you_mean(str(name), known),
        )
        return None
    return known[name]


def _options(scope: SuiteScope, draft: _Draft, info: ProviderInfo) -> BaseModel | None:
    try:
        model: type[BaseModel] = info.options()
    except RetestError as error:  # an optional library is missing
        scope.problems.extend(error.problems)
        return None
    values = {key: value for key, value in draft.values.items() if key not in OWN_KEYS or key in model_keys(model)}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        subject = Subject(
            model=model,
            scope=scope,
            resolve=draft.resolve,
            what=f"{draft.what} ({info.name})",
            extra_keys=OWN_KEYS,
            hint=_param_hint,
        )
        scope.problems.extend(spec_problems(error, subject))
        return None


def _param_hint(key: str) -> str | None:
    """Return where a model parameter belongs that stands beside `params`."""
    match = key if key in KNOWN_PARAMS else closest(key, KNOWN_PARAMS, cutoff=0.87)
    return f"model parameters go under `params`: params: {{{match}: ...}}" if match else None


def _may_be_used(scope: SuiteScope, draft: _Draft, info: ProviderInfo, options: BaseModel) -> bool:
    use = Use(what=draft.what, place=draft.resolve, options=options.model_dump(mode="json", by_alias=True))
    return may_run(scope, info, use, "provider") and may_call(scope, info, use)


def _answers(scope: SuiteScope, draft: _Draft, options: BaseModel) -> bool:
    """Return whether a target has an interface that answers in words; judges may have others."""
    api = getattr(options, "api", None)
    if draft.kind != "target" or api not in WORDLESS_APIS:
        return True
    scope.error(
        "suite-target-api",
        f"target '{draft.name}' has `api: {api}`, which answers no prompt",
        scope.at(*draft.resolve(("api",))),
        details=("moderations and embeddings are for the judges of `moderation` and `embedding_similarity`",),
        fix="put it under `judges`, and name a model that chats as the target",
    )
    return False


def _check_files(scope: SuiteScope, draft: _Draft, options: BaseModel) -> bool:
    found = [
        check_file(scope, scope.file(str(path)), scope.at(*draft.resolve((key,))), f"file of {draft.what}")
        for key, path in option_files(options, scope.base_dir)
    ]
    return all(found)


def _check_names(scope: SuiteScope, targets: Sequence[BuiltTarget], kind: str) -> None:
    seen: dict[str, BuiltTarget] = {}
    for target in targets:
        first = seen.setdefault(target.spec.name, target)
        if first is not target:
            scope.error(
                "suite-duplicate-name",
                f"two {kind}s are called '{target.spec.name}'",
                target.spec.where,
                details=(f"first at {first.spec.where}",),
                fix="give one of them a `name`",
            )
