"""From a suite's tree to a Suite: form, names, files, then the dataset, with every problem on the way."""

from __future__ import annotations

from collections.abc import Sequence

from retest.domain.case import CaseSource
from retest.domain.json_value import content_hash
from retest.domain.judge import JudgeSpec
from retest.domain.suite import Redaction, Suite
from retest.suites.arms import BuiltArm, build_arms
from retest.suites.check import CaseCheck
from retest.suites.dataset_entry import build_dataset
from retest.suites.discover import suite_name
from retest.suites.gate_entries import build_gate, warn_without_assertion
from retest.suites.judge_entries import build_judges, check_same_model
from retest.suites.metric_entries import BuiltMetric, MetricSet, build_metrics
from retest.suites.metric_rules import check_rule_count, check_sample_counts
from retest.suites.prompt_entries import build_prompts
from retest.suites.scope import SuiteScope
from retest.suites.spec import SuiteSpec
from retest.suites.spec_base import samples_of_rule
from retest.suites.spec_reader import ReadSpec, read_spec
from retest.suites.target_entries import build_targets
from retest.suites.yaml_nodes import ListNode, ScalarNode, find


def build_suite(scope: SuiteScope, *, folder: str, source: str) -> Suite | None:
    """Return the suite, or None where `scope` notes an error.

    Args:
        scope: the file's tree.
        folder: its folder below the suites root, ``support/ja``; empty at the root.
        source: the YAML text.
    """
    read = read_spec(scope)
    spec = read.spec
    judges = {judge.spec.name: judge for judge in build_judges(scope, read.entries("judges"))}
    metrics = build_metrics(scope, read.entries("metrics"), spec.preset, spec.defaults, judges)
    gate = build_gate(scope, spec.gate, metrics.built, _metric_names(read, metrics), judges)
    prompts = build_prompts(scope, read.entries("prompts", "prompt"))
    targets = build_targets(scope, read.entries("targets", "target"), spec.defaults)
    arms = build_arms(scope, prompts, targets, spec.matrix)
    check_same_model(scope, _asked(metrics.built), arms)
    _check_counts(scope, spec, metrics.built)
    _check_sections(scope)
    check = CaseCheck(prompts, _all_or_none(read, metrics), gate)
    cases = build_dataset(scope, spec.dataset, check.take) if spec.dataset else None
    if cases is not None:
        check.report(scope)
    if not scope.has_errors():
        warn_without_assertion(scope, metrics.built)
    if scope.has_errors() or cases is None:
        return None
    return Suite(
        name=suite_name(folder, spec.name or scope.path.stem),
        path=scope.display,
        arms=tuple(built.arm for built in arms),
        cases=cases,
        metrics=tuple(built.spec for built in metrics.built),
        samples=spec.samples,
        description=spec.description,
        tags=tuple(spec.tags),
        gate=gate,
        case_passes=spec.case_passes,
        redact=_redactions(spec),
        judges=tuple(judge.spec for judge in judges.values()),
        fingerprint=_fingerprint(arms, cases, metrics.built, spec),
        source=source,
        metadata=spec.metadata,
    )


def _asked(metrics: Sequence[BuiltMetric]) -> list[JudgeSpec]:
    """Return the judges that some metric asks, each once."""
    judgings = [built.spec.judging for built in metrics if built.spec.judging is not None]
    return list({judge.name: judge for judging in judgings for judge in judging.judges}.values())


def _metric_names(read: ReadSpec, metrics: MetricSet) -> list[str]:
    """Return the names of all metrics, those with mistakes too, so that one mistake does not bring another."""
    node = read.scope.node("metrics")
    entries = node.items if isinstance(node, ListNode) else ()
    values = [find(entry, ("name",)) or find(entry, ("metric",)) or entry for entry in entries]
    return list(dict.fromkeys([*metrics.names, *(value.text for value in values if isinstance(value, ScalarNode))]))


def _all_or_none(read: ReadSpec, metrics: MetricSet) -> Sequence[BuiltMetric] | None:
    broken = any(path[0] in {"metrics", "preset", "defaults"} for path in read.dropped)
    return metrics.built if metrics.complete and not broken else None


def _check_counts(scope: SuiteScope, spec: SuiteSpec, metrics: Sequence[BuiltMetric]) -> None:
    check_sample_counts(scope, [metric.spec for metric in metrics], spec.samples)
    where = scope.at("case_passes")
    check_rule_count(scope, "case_passes", spec.case_passes, spec.samples, where)
    node = scope.node("case_passes")
    total = samples_of_rule(node.value) if isinstance(node, ScalarNode) else None
    if total not in {None, spec.samples} and (spec.case_passes.at_least or 0) <= spec.samples:
        message = f"case_passes counts {total} samples, and `samples` is {spec.samples}"
        scope.warn("suite-too-few-samples", message, where, fix=f"set samples: {total}")


def _check_sections(scope: SuiteScope) -> None:
    """Note the sections without which there is nothing to run or to judge."""
    sections = {
        "prompts": ("prompts", "prompt"),
        "dataset": ("dataset",),
        "targets": ("targets", "target"),
        "metrics": ("metrics", "preset"),
    }
    examples = {
        "prompts": "prompts: [../prompts/question.md]",
        "dataset": "dataset: ../datasets/questions.jsonl",
        "targets": "targets: [{provider: openai, model: gpt-4o-mini}]",
        "metrics": "metrics: [exact_match], or a preset",
    }
    for section, keys in sections.items():
        if not any(scope.has(key) for key in keys):
            scope.error(
                "suite-missing-section",
                f"the suite has no '{section}'",
                next((scope.key(key) for key in keys if scope.node(key) is not None), scope.tree.where),
                fix=f"add `{examples[section]}`",
            )


def _redactions(spec: SuiteSpec) -> tuple[Redaction, ...]:
    return tuple(
        Redaction(pattern=entry.pattern, field=entry.field, replace_with=entry.replace_with) for entry in spec.redact
    )


def _fingerprint(arms: Sequence[BuiltArm], cases: CaseSource, metrics: Sequence[BuiltMetric], spec: SuiteSpec) -> str:
    """Hash what can change a sample or a score: not the arms' names and order, nor the number of samples."""
    return content_hash(
        {
            "arms": sorted(content_hash(built.identity) for built in arms),
            "cases": cases.fingerprint,
            "metrics": sorted(content_hash(built.identity) for built in metrics),
            "redact": [entry.model_dump(mode="json") for entry in spec.redact],
        }
    )
