"""Checks that need the whole dataset: made while it is first read, without holding cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from retest.domain.case import Case
from retest.domain.json_value import JsonValue
from retest.domain.prompt import Template
from retest.domain.suite import GatePolicy
from retest.errors import Location, Problem, SuiteError
from retest.suites.judge_inputs import InputCheck
from retest.suites.metric_entries import BuiltMetric
from retest.suites.prompt_entries import BuiltPrompt
from retest.suites.scope import SuiteScope
from retest.suites.suggestions import did_you_mean, listing

_SHOWN_ROWS = 3
_SHOWN_FAILURES = 5
_RENDERED = 200  # cases rendered by the check; a run renders all of them before its first call
_LIKELY_EXPECTED = frozenset({"expected", "answer", "label", "output", "reference", "target"})
_MAX_NAMES = 500  # distinct variable names kept for messages


@dataclass(slots=True)
class _Rows:
    """Rows with one fault: how many, and the first few."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    example: Case | None = None

    def add(self, case: Case) -> None:
        self.count += 1
        self.example = self.example or case
        if len(self.first) < _SHOWN_ROWS:
            self.first.append(f"{case.where} (case {case.case_id!r})" if case.where else f"case {case.case_id!r}")

    def details(self) -> tuple[str, ...]:
        """Return the first rows, one a line."""
        rest = self.count - len(self.first)
        return (*self.first, f"and {rest} more") if rest else tuple(self.first)


@dataclass(slots=True, kw_only=True)
class _Pass:
    """What one pass over the dataset finds out."""

    templates: dict[str, Template]  # by prompt
    every: frozenset[str]  # variables that some prompt requires
    metrics_need_expected: bool
    wanted: set[str]  # ids and tags that the gate names
    shown: InputCheck
    checks: Sequence[tuple[str, Callable[[JsonValue], str | None]]] = ()  # by metric
    cases: int = 0
    without_expected: _Rows = field(default_factory=_Rows)
    missing: dict[tuple[str, str], _Rows] = field(default_factory=dict)
    names: dict[str, None] = field(default_factory=dict)
    failures: dict[Problem, _Rows] = field(default_factory=dict)
    bad_expected: dict[tuple[str, str], _Rows] = field(default_factory=dict)  # by metric and reason

    def take(self, case: Case) -> None:
        """Look at the next case."""
        self.cases += 1
        if self.cases <= _RENDERED:
            self._render(case)
        if case.expected is None:
            self.without_expected.add(case)
        else:
            self._check_expected(case)
        if not self.every <= case.vars.keys():
            self._note_missing(case)
        self.shown.take(case)
        if len(self.names) < _MAX_NAMES:
            self.names.update(dict.fromkeys(case.vars))
        if self.wanted:
            self.wanted -= {case.case_id, *case.tags}

    def _check_expected(self, case: Case) -> None:
        for metric, check in self.checks:
            reason = check(case.expected)
            if reason is not None and (
                (metric, reason) in self.bad_expected or len(self.bad_expected) < _SHOWN_FAILURES
            ):
                self.bad_expected.setdefault((metric, reason), _Rows()).add(case)

    def _note_missing(self, case: Case) -> None:
        for prompt, template in self.templates.items():
            for name in template.required_variables - case.vars.keys():
                self.missing.setdefault((prompt, name), _Rows()).add(case)

    def _render(self, case: Case) -> None:
        """Find what only rendering shows: a variable in a branch, a filter on the wrong type."""
        for template in self.templates.values():
            if template.required_variables <= case.vars.keys():
                for problem in _render_problems(template, case.vars):
                    if problem in self.failures or len(self.failures) < _SHOWN_FAILURES:
                        self.failures.setdefault(problem, _Rows()).add(case)


def _render_problems(template: Template, variables: Mapping[str, JsonValue]) -> tuple[Problem, ...]:
    try:
        template.render(variables)
    except SuiteError as error:
        return error.problems
    return ()


class CaseCheck:
    """Looks for variables that rows lack, for cases that nothing can judge, and for case ids that are not there.

    Args:
        prompts: those that could be read.
        metrics: None where some had mistakes, so that what the others can judge says nothing.
        gate: its `never_fail` names cases and tags.
    """

    def __init__(self, prompts: Sequence[BuiltPrompt], metrics: Sequence[BuiltMetric] | None, gate: GatePolicy) -> None:
        self._prompts, self._metrics, self._gate = prompts, metrics, gate
        templates = {built.prompt.name: built.prompt.template for built in prompts}
        self._found = _Pass(
            templates=templates,
            every=frozenset().union(*(template.required_variables for template in templates.values())),
            metrics_need_expected=bool(metrics) and all(metric.needs_expected for metric in metrics or ()),
            wanted=set(gate.never_fail),
            shown=InputCheck(metric.shown for metric in metrics or () if metric.shown is not None),
            checks=[(one.spec.name, one.check_expected) for one in metrics or () if one.check_expected is not None],
        )
        self.take = self._found.take

    def report(self, scope: SuiteScope) -> None:
        """Note in the suite what was found in all of its cases."""
        found = self._found
        if found.cases == 0:
            scope.error("suite-no-cases", "the dataset has no cases", scope.key("dataset"))
            return
        _report_variables(scope, found, self._prompts)
        _report_failures(scope, found)
        found.shown.report(scope, found.cases, list(found.names))
        if self._metrics is not None:
            _report_expected(scope, found, self._metrics)
            _report_bad_expected(scope, found, self._metrics)
        _report_gate(scope, found, self._gate)


def _report_variables(scope: SuiteScope, found: _Pass, prompts: Sequence[BuiltPrompt]) -> None:
    by_name = {built.prompt.name: built for built in prompts}
    for (prompt, name), rows in sorted(found.missing.items()):
        where = _place(scope, by_name[prompt], name, rows)
        if rows.count == found.cases:
            scope.error(
                "suite-unknown-variable",
                f"prompt '{prompt}' uses the variable '{name}', and no row of the dataset has it",
                where,
                details=(f"variables of the rows: {listing(found.names) or 'none'}",),
                fix=_fix_for(name, found.names)
                or f"add '{name}' to the dataset, or give it a default: {{{{ {name} | default('') }}}}",
            )
        else:
            scope.error(
                "suite-missing-variable",
                f"the variable '{name}' of prompt '{prompt}' is missing from {rows.count} of {found.cases} rows",
                where,
                details=rows.details(),
                fix=f"fill it in, or give it a default: {{{{ {name} | default('') }}}}",
            )


def _fix_for(name: str, known: Iterable[str]) -> str | None:
    """Return how to mend an unknown variable, None where only the dataset can."""
    if name == "expected":
        return "take it out: a prompt never sees the reference answer, or every model would be right"
    return did_you_mean(name, known)


def _place(scope: SuiteScope, built: BuiltPrompt, name: str, rows: _Rows) -> Location:
    """Return where the prompt uses the variable: where rendering fails once the other variables are there."""
    template = built.prompt.template
    others = dict.fromkeys(template.variables - {name}, "")
    known = rows.example.vars if rows.example else {}
    for problem in _render_problems(template, {**others, **known}):
        if problem.where is not None:
            return problem.where
    return Location(path=built.prompt.path) if built.prompt.path else scope.at(*built.path)


def _report_failures(scope: SuiteScope, found: _Pass) -> None:
    for problem, rows in found.failures.items():
        details = (*problem.details, *(f"rendered with {row}" for row in rows.details()))
        scope.error(problem.slug, problem.message, problem.where, details=details, fix=problem.fix)


def _report_expected(scope: SuiteScope, found: _Pass, metrics: Sequence[BuiltMetric]) -> None:
    rows = found.without_expected
    needing = [metric for metric in metrics if metric.needs_expected]
    if rows.count == found.cases:
        for metric in needing:
            scope.error(
                "suite-no-expected",
                f"metric '{metric.spec.name}' compares with the expected answer, and no row has one",
                metric.spec.where,
                details=(f"fields seen as variables: {listing(found.names) or 'none'}",),
                fix=_expected_fix(scope, found),
            )
    elif rows.count and found.metrics_need_expected:
        scope.error(
            "suite-unjudgeable-case",
            f"no metric can judge {rows.count} of {found.cases} cases: they have no expected answer",
            scope.key("dataset"),
            details=rows.details(),
            fix="fill in the expected answers, or add a metric that needs none",
        )


def _report_bad_expected(scope: SuiteScope, found: _Pass, metrics: Sequence[BuiltMetric]) -> None:
    places = {metric.spec.name: metric.spec.where for metric in metrics}
    for (metric, reason), rows in found.bad_expected.items():
        scope.warn(
            "suite-bad-expected",
            f"metric '{metric}' cannot judge {rows.count} of {found.cases} cases: {reason}",
            places[metric] or scope.key("metrics"),
            details=rows.details(),
            fix="correct the rows, or what the metric takes",
        )


def _expected_fix(scope: SuiteScope, found: _Pass) -> str:
    if scope.node("dataset", "expected") is not None:
        return "fill in the expected answers, or choose a metric that needs none"
    likely = next(
        (name for name in found.names if name in {"expected", "answer", "label", "output", "reference"}), None
    )
    return f"set dataset.expected: {likely or '<field with the expected answer>'}"


def _report_gate(scope: SuiteScope, found: _Pass, gate: GatePolicy) -> None:
    for name in sorted(found.wanted):
        scope.error(
            "gate-unknown-case",
            f"gate.never_fail names '{name}', and no case has that id or tag",
            scope.at("gate", "never_fail"),
        )
    if found.cases < gate.min_cases:
        scope.error(
            "gate-too-few-cases",
            f"gate.min_cases is {gate.min_cases}, and the dataset has {found.cases} cases: it can never be judged",
            scope.at("gate", "min_cases"),
        )
