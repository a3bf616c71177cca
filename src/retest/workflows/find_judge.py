"""The judge that a person names: a metric of a suite, a definition file, or a definition that comes with retest."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retest.domain.judge import SECOND_ANSWER, JudgeDefinition, JudgeLanguage, JudgeSpec, Judging
from retest.domain.pairwise import PAIRWISE
from retest.domain.suite import MetricSpec, Suite
from retest.errors import Problem, UsageError
from retest.suites.judge_files import packaged_definition, packaged_names, read_definition

FOLDER = "judges"
LANGUAGES: tuple[JudgeLanguage, ...] = ("en", "ja")
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedJudge:
    """A definition, and the metric that asks by it; `spec` has no judging where only the definition is known."""

    definition: JudgeDefinition
    spec: MetricSpec | None = None


def find_judge(
    name: str,
    *,
    cwd: Path,
    suite: Suite | None = None,
    language: JudgeLanguage = "en",
    judges: Sequence[str] = (),
) -> NamedJudge:
    """Return the judge of that name.

    Args:
        name: a metric of the suite, a file, a definition in ``judges/``, or one that comes with retest.
        cwd: where paths start.
        suite: whose metrics and judges may be named.
        language: of a definition that comes with retest.
        judges: which of the suite's judges to ask; the only one where none is named.

    Raises:
        UsageError: there is no such definition or judge.
        SuiteError: the definition has mistakes.
    """
    metric = _suite_metric(name, suite)
    if metric is not None and metric.judging is not None:
        return NamedJudge(definition=metric.judging.definition, spec=_with_judges(metric, suite, judges))
    definition = _definition(name, cwd, language, suite)
    if suite is None:
        return NamedJudge(definition=definition)
    asked = _chosen(suite, judges)
    spec = MetricSpec(
        name=definition.name,
        metric=_metric_of(definition),
        judging=Judging(definition=definition, judges=asked),
        base_dir=(cwd / suite.path).parent,
    )
    return NamedJudge(definition=definition, spec=spec)


def _suite_metric(name: str, suite: Suite | None) -> MetricSpec | None:
    return None if suite is None else next((metric for metric in suite.metrics if metric.name == name), None)


def _with_judges(metric: MetricSpec, suite: Suite | None, judges: Sequence[str]) -> MetricSpec:
    if not judges or suite is None or metric.judging is None:
        return metric
    from dataclasses import replace

    return replace(metric, judging=Judging(definition=metric.judging.definition, judges=_chosen(suite, judges)))


def _metric_of(definition: JudgeDefinition) -> str:
    if SECOND_ANSWER in definition.inputs:
        return PAIRWISE
    return "judge_rubric" if definition.scale.form == "rubric" else "judge"


def _chosen(suite: Suite, names: Sequence[str]) -> tuple[JudgeSpec, ...]:
    known = {judge.name: judge for judge in suite.judges}
    unknown = [name for name in names if name not in known]
    if unknown or (not names and len(known) != 1):
        raise UsageError(
            Problem(
                slug="calibrate-judge",
                message=f"the suite has no judge '{unknown[0]}'" if unknown else "which judge is to be asked?",
                details=(f"judges of {suite.path}: {', '.join(known) or 'none'}",),
                fix="name one of the suite's `judges`: --judge NAME",
            )
        )
    return tuple(known[name] for name in names) if names else tuple(known.values())


def _definition(name: str, cwd: Path, language: JudgeLanguage, suite: Suite | None) -> JudgeDefinition:
    if name.endswith(_SUFFIXES):
        return read_definition(cwd / name, name)
    for suffix in _SUFFIXES:
        if (cwd / FOLDER / f"{name}{suffix}").is_file():
            return read_definition(cwd / FOLDER / f"{name}{suffix}", f"{FOLDER}/{name}{suffix}")
    plain = name.removeprefix("judge_")
    if plain in packaged_names(language):
        return packaged_definition(plain, language)
    raise UsageError(_unknown(name, cwd, language, suite))


def _unknown(name: str, cwd: Path, language: JudgeLanguage, suite: Suite | None) -> Problem:
    own = [path.stem for path in own_files(cwd)]
    metrics = [] if suite is None else [metric.name for metric in suite.metrics if metric.judging is not None]
    known = [*metrics, *own, *packaged_names(language)]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return Problem(
        slug="judge-unknown",
        message=f"there is no judge definition '{name}'",
        details=(f"known: {', '.join(dict.fromkeys(known))}",),
        fix=f"did you mean '{close[0]}'?" if close else "name a file: judges/NAME.yaml",
    )


def own_files(cwd: Path) -> list[Path]:
    """Return the definition files in ``judges/``, in order."""
    folder = cwd / FOLDER
    return sorted(path for suffix in _SUFFIXES for path in folder.glob(f"*{suffix}")) if folder.is_dir() else []
