"""Which metrics `retest rescore` scores with: a suite's, a registered one with options, or a run's own rebuilt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from retest.domain.json_value import JsonValue
from retest.domain.judge import JudgeSpec, judging_from
from retest.domain.pairwise import PAIRWISE
from retest.domain.run import Run, RunMetric
from retest.domain.suite import MetricSpec, Suite
from retest.errors import Problem, SuiteError, UsageError
from retest.metrics.base import Metric
from retest.metrics.registry import build_metric, metric_classes
from retest.workflows.review_columns import REVIEW
from retest.workflows.run_header import run_metric
from retest.workflows.score_again import Unbuildable, rebuild_metric
from retest.workflows.untrusted import code_refused


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringMetric:
    """A metric that is ready to score, as the run will keep it, and the judges that it asks."""

    stored: RunMetric
    metric: Metric[Any]
    judges: tuple[JudgeSpec, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWish:
    """What to score with.

    Attributes:
        suite: whose metrics are meant; None where there is none.
        names: only these; none means all of the suite.
        options: of the one registered metric that is named.
        name: what to call its column.
        run_code: it may be one that runs the user's code; not where the files are a stranger's.
    """

    suite: Suite | None = None
    names: tuple[str, ...] = ()
    options: Mapping[str, JsonValue] = field(default_factory=dict)
    name: str | None = None
    run_code: bool = True


def choose_metrics(run: Run, wish: MetricWish, cwd: Path) -> list[ScoringMetric]:
    """Return the metrics to score a run with.

    A name means the suite's metric of that name; else a registered metric; else the run's own as it was defined.

    Raises:
        UsageError: nothing has that name, its options are wrong, or it scores pairs or is scored by people.
        SuiteError: a file it needs cannot be read.
    """
    specs = {} if wish.suite is None else {spec.name: spec for spec in wish.suite.metrics}
    if wish.options or wish.name is not None:
        return [_registered(_only_name(wish), wish, cwd)]
    found: list[ScoringMetric] = []
    for name in wish.names or _scorable(specs.values()):
        if name in specs and wish.suite is not None:
            found.append(_of_suite(specs[name], wish.suite))
        elif name in metric_classes():
            found.append(_registered(name, wish, cwd))
        else:
            base_dir, known = (cwd / run.suite_path).parent, [*specs, *metric_classes()]
            found.append(_rebuilt(run, name, base_dir, known, run_code=wish.run_code))
    return found


def _scorable(specs: Iterable[MetricSpec]) -> list[str]:
    """Return the names of a suite's metrics that score samples one by one from what is stored."""
    return [spec.name for spec in specs if spec.metric not in {PAIRWISE, REVIEW}]


def _only_name(wish: MetricWish) -> str:
    if len(wish.names) == 1 and wish.names[0] in metric_classes():
        return wish.names[0]
    raise _refused(
        "--option and --as go with one registered metric", fix="name it: --metric contains --option values=…"
    )


def _of_suite(spec: MetricSpec, suite: Suite) -> ScoringMetric:
    _refuse_unscorable(spec.name, spec.metric)
    metric = build_metric(spec)
    judges = () if spec.judging is None else spec.judging.judges
    return ScoringMetric(stored=run_metric(spec, metric, suite), metric=metric, judges=judges)


def _registered(name: str, wish: MetricWish, cwd: Path) -> ScoringMetric:
    _refuse_unscorable(name, name)
    cls = metric_classes()[name]
    if cls.info.runs_code and not wish.run_code:
        raise SuiteError(code_refused(f"metric '{name}'", name))
    if cls.info.needs_model:
        raise _refused(f"{name} asks a judge, which a suite must name", fix="give --suite with a suite that has it")
    try:
        options = cls.Options.model_validate(dict(wish.options)).model_dump(mode="json", exclude_unset=True)
    except ValueError as error:
        lines = _option_faults(error)
        fix = f"`retest metrics {name}` lists its options; give them with --option KEY=VALUE"
        raise _refused(f"the options of {name} are not right", *lines, fix=fix) from None
    metric = build_metric(MetricSpec(name=wish.name or name, metric=name, options=options, base_dir=cwd))
    stored = RunMetric(
        name=wish.name or name,
        metric=name,
        signature=metric.signature(),
        options=options,
        low=metric.low,
        high=metric.high,
        direction=metric.direction,
        scale=metric.scale,
        binary=metric.binary,
    )
    return ScoringMetric(stored=stored, metric=metric)


def _option_faults(error: ValueError) -> list[str]:
    """Return what is wrong with each option, from the validator's message: a line with the name, one with the fault."""
    lines = [line.strip() for line in str(error).splitlines()[1:] if "further information" not in line]
    faults = [fault.partition(" [type=")[0] for fault in lines[1::2]]
    return [f"{name}: {fault}" for name, fault in zip(lines[::2], faults, strict=False)]


def _rebuilt(run: Run, name: str, base_dir: Path, known: Sequence[str], *, run_code: bool) -> ScoringMetric:
    stored = next((metric for metric in run.metrics if metric.name == name), None)
    if stored is None:
        from retest.suites.suggestions import did_you_mean, listing

        names = list(dict.fromkeys([*(metric.name for metric in run.metrics), *known]))
        raise UsageError(
            Problem(
                slug="rescore-unknown-metric",
                message=f"neither the suite, nor retest, nor the run has a metric '{name}'",
                details=(f"there are: {listing(names)}",),
                fix=did_you_mean(name, names) or "`retest metrics` lists them",
            )
        )
    _refuse_unscorable(name, stored.metric)
    if stored.judging is not None:
        judging = judging_from(stored.judging, base_dir)
        spec = MetricSpec(name=name, metric=stored.metric, options=stored.options, judging=judging, base_dir=base_dir)
        metric = build_metric(spec)
        return ScoringMetric(stored=_renewed(stored, metric), metric=metric, judges=judging.judges)
    built = rebuild_metric(stored, base_dir, run_code=run_code)
    if isinstance(built, Unbuildable):
        raise _refused(f"{name} cannot be built again", built.reason, fix="give --suite with a suite that defines it")
    return ScoringMetric(stored=_renewed(stored, built), metric=built)


def _renewed(stored: RunMetric, metric: Metric[Any]) -> RunMetric:
    return replace(stored, signature=metric.signature(), low=metric.low, high=metric.high)


def _refuse_unscorable(name: str, metric: str) -> None:
    if metric == REVIEW:
        raise _refused(f"{name} is what people say", fix="`retest review` enters it; it counts at once")
    if metric == PAIRWISE:
        raise _refused(f"{name} compares two answers: it has no score of one", fix="`retest diff` asks it")


def _refused(message: str, *details: str, fix: str) -> UsageError:
    return UsageError(Problem(slug="rescore-metric", message=message, details=details, fix=fix))
