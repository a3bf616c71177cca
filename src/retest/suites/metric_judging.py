"""What a metric that asks a model judges with: its definition and its judges, found and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from retest.domain.catalog import JudgeInfo
from retest.domain.embedding import WORDLESS_APIS
from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeDefinition, JudgeSpec, Judging
from retest.errors import SuiteError
from retest.suites.judge_entries import BuiltJudge
from retest.suites.judge_files import packaged_definition, read_definition
from retest.suites.named_files import check_file
from retest.suites.scope import SuiteScope
from retest.suites.suggestions import did_you_mean, listing
from retest.suites.yaml_nodes import ListNode, MapNode, NodePath, ScalarNode, find


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedMetric:
    """A metric entry that asks a model: what it is called, its options, what it judges by, where its keys stand."""

    what: str
    options: BaseModel
    info: JudgeInfo
    place: Callable[[NodePath], NodePath]

    def option(self, name: str) -> Any:
        """Return an option, None where this metric has none of that name."""
        return getattr(self.options, name, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltJudging:
    """What a metric judges with; `identity` is what can change its scores."""

    judging: Judging
    identity: JsonValue


def build_judging(scope: SuiteScope, metric: JudgedMetric, judges: Mapping[str, BuiltJudge]) -> BuiltJudging | None:
    """Return the definition and the judges of a metric, None where `scope` notes an error."""
    chosen = _judges(scope, metric, judges)
    definition = _definition(scope, metric)
    if definition is None or not chosen:
        return None
    _check_apis(scope, metric, [judge.spec for judge in chosen])
    return BuiltJudging(
        judging=Judging(definition=definition, judges=tuple(judge.spec for judge in chosen)),
        identity=[definition.content_hash, *(judge.identity for judge in chosen)],
    )


def _judges(scope: SuiteScope, metric: JudgedMetric, judges: Mapping[str, BuiltJudge]) -> list[BuiltJudge]:
    single, several = metric.option("judge"), metric.option("judges")
    names = [single] if single is not None else list(several or ())
    key = "judge" if single is not None else "judges"
    if not names and len(fitting := _fitting(metric, judges)) == 1:
        return fitting
    if not names:
        _no_judge(scope, metric, judges)
    known = _named(scope)
    for name in (name for name in names if name not in known):
        _unknown_judge(scope, metric, name, key, judges)
    return [judges[name] for name in names] if set(names) <= judges.keys() else []


def _fitting(metric: JudgedMetric, judges: Mapping[str, BuiltJudge]) -> list[BuiltJudge]:
    """Return the judges that the metric can ask; an only one that does not fit is named by its error."""
    return list(judges.values()) if len(judges) == 1 else [one for one in judges.values() if _takes(metric, one.spec)]


def _takes(metric: JudgedMetric, judge: JudgeSpec) -> bool:
    """Return whether a judge has the interface that the metric needs."""
    api = judge.target.options.get("api")
    return api == metric.info.api if metric.info.api is not None else api not in WORDLESS_APIS


def _named(scope: SuiteScope) -> set[str]:
    """Return the names of all judges in the file, those with mistakes too: one mistake does not bring another."""
    node = scope.node("judges")
    entries = node.items if isinstance(node, ListNode) else () if node is None else (node,)
    names = (find(entry, ("name",)) for entry in entries)
    return {name.text for name in names if isinstance(name, ScalarNode)}


def _no_judge(scope: SuiteScope, metric: JudgedMetric, judges: Mapping[str, BuiltJudge]) -> None:
    node = scope.node("judges")
    broken = not judges and (isinstance(node, MapNode) or (isinstance(node, ListNode) and bool(node.items)))
    if not broken:  # else their own mistakes are noted
        several = f"the suite's judges: {listing(judges)}" if judges else "the suite has no `judges`"
        scope.error(
            "suite-no-judge",
            f"{metric.what} asks a model, and names no judge",
            scope.at(*metric.place(())),
            details=(several,),
            fix="add `judge: NAME` to the metric"
            + ("" if judges else ", and to the suite `judges: [{name: NAME, provider: openai, model: ...}]`"),
        )


def _unknown_judge(
    scope: SuiteScope, metric: JudgedMetric, name: str, key: str, judges: Mapping[str, BuiltJudge]
) -> None:
    scope.error(
        "suite-unknown-judge",
        f"{metric.what} names the judge '{name}', and the suite has none of that name",
        scope.at(*metric.place((key,))),
        details=(f"judges of this suite: {listing(judges) or 'none'}",),
        fix=did_you_mean(name, judges)
        or f"add it to the suite's `judges`: {{name: {name}, provider: ..., model: ...}}",
    )


def _definition(scope: SuiteScope, metric: JudgedMetric) -> JudgeDefinition | None:
    own = metric.option("definition")
    if own is None:
        name = metric.info.definition(metric.options)
        if name is not None:
            return packaged_definition(name, metric.option("language") or "en")
        scope.error(
            "suite-missing-key",
            f"the key 'definition' of {metric.what} is missing",
            scope.at(*metric.place(())),
            fix="add `definition: ../judges/NAME.yaml`",
        )
        return None
    path = scope.file(own)
    where = scope.at(*metric.place(("definition",)))
    if not check_file(scope, path, where, f"judge definition of {metric.what}"):
        return None
    try:
        definition = read_definition(path, scope.shown(path))
    except SuiteError as error:
        scope.problems.extend(error.problems)
        return None
    if definition.scale.form not in metric.info.forms:
        scope.error(
            "suite-judge-form",
            f"{metric.what} reads a scale of the form {' or '.join(metric.info.forms)}, and {definition.path} has the "
            f"form {definition.scale.form}",
            where,
            fix=f"use the metric `{'judge_rubric' if definition.scale.form == 'rubric' else 'judge'}`",
        )
        return None
    return definition


def _check_apis(scope: SuiteScope, metric: JudgedMetric, judges: Sequence[JudgeSpec]) -> None:
    for judge in judges:
        api, needed = judge.target.options.get("api"), metric.info.api
        if not _takes(metric, judge):
            scope.error(
                "suite-judge-api",
                f"{metric.what} needs a judge with `api: {needed or 'chat'}`, and judge '{judge.name}' has "
                f"{f'`api: {api}`' if api else 'none'}",
                judge.target.where,
                fix=f"give it a judge of its own: {{name: ..., provider: openai, api: {needed or 'chat'}, model: ...}}",
            )
