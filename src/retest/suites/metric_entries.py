"""A suite's metrics: preset, defaults and entries joined, options checked against the registered metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from retest.domain.catalog import MetricInfo
from retest.domain.json_value import JsonValue
from retest.domain.judge import EXPECTED
from retest.domain.suite import MetricSpec, PassIf
from retest.errors import Location, RetestError
from retest.suites.judge_entries import BuiltJudge
from retest.suites.judge_inputs import JudgeInputs
from retest.suites.metric_judging import BuiltJudging, JudgedMetric, build_judging
from retest.suites.metric_rules import JudgedEntry, check_judging
from retest.suites.named_files import check_file, option_files, options_identity
from retest.suites.presets import PRESETS
from retest.suites.scope import RawEntry, SuiteScope
from retest.suites.spec import DefaultsEntry, MetricEntry
from retest.suites.spec_problems import Subject, model_keys, spec_problems
from retest.suites.suggestions import did_you_mean, listing
from retest.suites.untrusted_checks import Use, may_run
from retest.suites.yaml_nodes import NodePath

OWN_KEYS = tuple(MetricEntry.model_fields)
_NOT_SHARED = frozenset({"metric", "name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltMetric:
    """A checked metric with its registered description.

    Attributes:
        identity: what can change its scores.
        shown: what its judge is shown of a case, where it asks one.
        check_expected: says why an expected answer cannot be compared, where the metric can tell.
    """

    spec: MetricSpec
    info: MetricInfo
    needs_expected: bool
    identity: JsonValue
    shown: JudgeInputs | None = None
    check_expected: Callable[[JsonValue], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSet:
    """The metrics without mistakes; `names` of all entries; `complete` where none had a mistake."""

    built: tuple[BuiltMetric, ...]
    names: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A metric entry as data: `own` keys stand at `path` in the suite, `defaults` beneath them."""

    path: NodePath
    own: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def metric(self) -> str:
        return str(self.own.get("metric"))

    @property
    def name(self) -> str:
        return str(self.own.get("name") or self.metric)

    @property
    def values(self) -> dict[str, Any]:
        return {**self.defaults, **self.own}

    def resolve(self, inner: NodePath) -> NodePath:
        """Return where a path inside the entry stands in the suite."""
        if inner and inner[0] not in self.own and inner[0] in self.defaults:
            return ("defaults", "metrics", self.metric, *inner)
        return self.path if self.path[0] == "preset" else (*self.path, *inner)


def build_metrics(
    scope: SuiteScope,
    entries: Sequence[RawEntry],
    preset: str | None,
    defaults: DefaultsEntry | None,
    judges: Mapping[str, BuiltJudge] | None = None,
) -> MetricSet:
    """Return the checked metrics; what is wrong is noted in `scope`.

    Args:
        scope: the suite.
        entries: path in the suite and content of each entry, as mappings.
        preset: the preset's name.
        defaults: what metrics share.
        judges: models that metrics may ask, by name.
    """
    shared = defaults.metrics if defaults else {}
    _check_defaults(scope, shared)
    drafts = list(_join(scope, entries, preset, shared))
    built = tuple(metric for draft in drafts if (metric := _build(scope, draft, judges or {})) is not None)
    return MetricSet(built=built, names=tuple(draft.name for draft in drafts), complete=len(built) == len(drafts))


def _check_defaults(scope: SuiteScope, shared: Mapping[str, Mapping[str, Any]]) -> None:
    for name, values in shared.items():
        if name not in scope.catalog.metrics:
            _unknown_metric(scope, name, scope.key("defaults", "metrics", name))
        for key in _NOT_SHARED & values.keys():
            scope.error(
                "suite-unknown-key",
                f"unknown key '{key}' in defaults.metrics.{name}",
                scope.key("defaults", "metrics", name, key),
                details=("each entry has its own",),
                fix="remove it",
            )


def _join(
    scope: SuiteScope,
    entries: Sequence[RawEntry],
    preset: str | None,
    shared: Mapping[str, Mapping[str, Any]],
) -> Iterator[_Draft]:
    """Yield preset entries that no own entry replaces, then the own ones, each name once."""
    drafts = [_Draft(path=path, own=own, defaults=shared.get(str(own["metric"]), {})) for path, own in entries]
    names = {draft.name for draft in drafts}
    for values in PRESETS.get(preset or "", ()):
        draft = _Draft(path=("preset",), own=values, defaults=shared.get(str(values["metric"]), {}))
        if draft.name not in names:
            yield draft
    seen: dict[str, _Draft] = {}
    for draft in drafts:
        if draft.name in seen:
            _duplicate(scope, draft, seen[draft.name])
        else:
            seen[draft.name] = draft
            yield draft


def _duplicate(scope: SuiteScope, draft: _Draft, first: _Draft) -> None:
    scope.error(
        "suite-duplicate-name",
        f"two metrics are called '{draft.name}'",
        scope.at(*draft.path),
        details=(f"first at {scope.at(*first.path)}",),
        fix="give one of them a `name`",
    )


def _unknown_metric(scope: SuiteScope, name: str, where: Location) -> None:
    known = scope.catalog.metrics
    scope.error(
        "suite-unknown-metric",
        f"unknown metric '{name}'",
        where,
        details=(f"known metrics: {listing(known, limit=60)}",),
        fix=did_you_mean(name, known),
    )


def _build(scope: SuiteScope, draft: _Draft, judges: Mapping[str, BuiltJudge]) -> BuiltMetric | None:
    info = scope.catalog.metrics.get(draft.metric)
    if info is None:
        _unknown_metric(scope, draft.metric, scope.at(*draft.resolve(("metric",))))
        return None
    if not may_run(scope, info, Use(what=_what(draft), place=draft.resolve), "metric"):
        return None
    common = _common_keys(scope, draft)
    options = _options(scope, draft, info)
    if common is None or options is None or not _check_files(scope, draft, options):
        return None
    judging = _judging(scope, draft, options, info, judges)
    if judging is None and info.judge is not None:
        return None
    if judging is not None:
        info = _as_defined(info, judging)
    check_judging(scope, JudgedEntry(what=_what(draft), entry=common, info=info, place=draft.resolve))
    spec = MetricSpec(
        name=draft.name,
        metric=draft.metric,
        options=options.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        pass_if=PassIf(min=common.pass_if.min, max=common.pass_if.max) if common.pass_if else None,
        aggregate=common.aggregate or "mean",
        case_passes=common.case_passes,
        direction=common.direction,
        judging=None if judging is None else judging.judging,
        within=() if scope.rules is None else scope.rules.boundary.roots,
        base_dir=scope.base_dir,
        where=scope.at(*draft.path),
    )
    return BuiltMetric(
        spec=spec,
        info=info,
        needs_expected=_needs_expected(options, info, judging),
        identity=[
            spec.name,
            spec.metric,
            options_identity(options, scope.base_dir),
            *([] if judging is None else [judging.identity]),
        ],
        shown=None if judging is None else _shown(spec, info, options, judging),
        check_expected=None if info.check_expected is None else info.check_expected(options),
    )


def _judging(
    scope: SuiteScope, draft: _Draft, options: BaseModel, info: MetricInfo, judges: Mapping[str, BuiltJudge]
) -> BuiltJudging | None:
    if info.judge is None:
        return None
    judged = JudgedMetric(what=_what(draft), options=options, info=info.judge, place=draft.resolve)
    return build_judging(scope, judged, judges)


def _as_defined(info: MetricInfo, judging: BuiltJudging) -> MetricInfo:
    """Return the description with the range and direction of the definition's scale."""
    scale = judging.judging.definition.scale
    return replace(info, low=scale.low, high=scale.high, direction=scale.better, binary=scale.binary)


def _needs_expected(options: BaseModel, info: MetricInfo, judging: BuiltJudging | None) -> bool:
    if judging is not None:
        return EXPECTED in judging.judging.definition.inputs
    return info.needs_expected and not _stands_in(options, info)


def _shown(spec: MetricSpec, info: MetricInfo, options: BaseModel, judging: BuiltJudging) -> JudgeInputs:
    """Return what fields of a case must hold: the definition's inputs but for those that the options give."""
    definition = judging.judging.definition
    given = {name for name in (info.judge.fixed_inputs if info.judge else ()) if getattr(options, name, None)}
    if definition.scale.criteria:
        given.add("criteria")
    names = tuple(name for name in definition.case_fields if name not in given)
    return JudgeInputs(metric=spec.name, names=names, named=getattr(options, "inputs", {}), where=spec.where)


def _stands_in(options: BaseModel, info: MetricInfo) -> bool:
    """Return whether the options say what is right, so that no case needs an expected answer."""
    given = options.model_dump(by_alias=True, exclude_defaults=True)
    return any(key in given for key in info.instead_of_expected)


def _common_keys(scope: SuiteScope, draft: _Draft) -> MetricEntry | None:
    """Return the keys that every metric has; mistakes can only come from defaults, the file itself was checked."""
    try:
        return MetricEntry.model_validate(draft.values)
    except ValidationError as error:
        subject = Subject(model=MetricEntry, scope=scope, resolve=draft.resolve, what=_what(draft))
        scope.problems.extend(spec_problems(error, subject))
        return None


def _what(draft: _Draft) -> str:
    return f"metric '{draft.name}'"


def _options(scope: SuiteScope, draft: _Draft, info: MetricInfo) -> BaseModel | None:
    try:
        model: type[BaseModel] = info.options()
    except RetestError as error:  # an optional library is missing
        scope.problems.extend(error.problems)
        return None
    keys = model_keys(model)
    values = {key: value for key, value in draft.values.items() if key not in OWN_KEYS or key in keys}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        subject = Subject(model=model, scope=scope, resolve=draft.resolve, what=_what(draft), extra_keys=OWN_KEYS)
        scope.problems.extend(spec_problems(error, subject))
        return None


def _check_files(scope: SuiteScope, draft: _Draft, options: BaseModel) -> bool:
    found = [
        check_file(scope, scope.file(str(path)), scope.at(*draft.resolve((key,))), f"file of {_what(draft)}")
        for key, path in option_files(options, scope.base_dir)
    ]
    return all(found)
