"""Reads a stored run as a comparison needs it: scores and figures of calls, never the answers' texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from retest.domain.case import Case
from retest.domain.json_value import content_hash
from retest.domain.run import Run, RunArm
from retest.domain.scores import ArmCalls, CallFigures, CaseScores, RunScores, ScoredCase
from retest.runner.table import NOT_APPLICABLE
from retest.workflows.review_columns import review_columns

if TYPE_CHECKING:
    from retest.store.database import Store

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_run_scores(store: Store, run: Run) -> RunScores:
    """Return all scores of a stored run, reviews among them, with what decides whether they can be compared."""
    columns = review_columns(store, run)
    run = columns.run
    ids: list[str] = []
    cases: dict[str, ScoredCase] = {}
    for _, case in store.iter_cases(run.run_id):
        ids.append(case.case_id)
        cases[case.case_id] = scored_case(case)
    calls = {arm.name: _read_calls(store, run, arm, ids) for arm in run.arms}
    scores = {
        arm.name: {
            metric.name: columns.case_scores(metric.name, index, ids)
            if metric.name in columns.scores
            else _read_scores(store, (run, arm, metric.name), ids, calls)
            for metric in run.metrics
        }
        for index, arm in enumerate(run.arms)
    }
    return RunScores(
        label=run.run_id,
        suite=run.suite,
        suite_path=run.suite_path,
        fingerprint=run.fingerprint,
        dataset_fingerprint=run.dataset_fingerprint,
        draw=run.draw,
        samples_per_case=run.samples_per_case,
        started_at=run.started_at,
        arms=run.arms,
        metrics=run.metrics,
        cases=cases,
        scores=scores,
        calls=calls,
        status=run.status,
        revision=run.provenance.git_commit,
    )


def scored_case(case: Case) -> ScoredCase:
    """Return what identifies a case, without its content."""
    return ScoredCase(
        content_hash=case.content_hash,
        expected_hash=content_hash(case.expected),
        cluster=case.cluster,
        tags=tuple(case.tags),
    )


def _read_calls(store: Store, run: Run, arm: RunArm, ids: Sequence[str]) -> ArmCalls:
    answers: dict[str, list[CallFigures]] = {}
    errors: Counter[str] = Counter()
    models: set[str] = set()
    fingerprints: set[str] = set()
    oldest = newest = None  # microseconds since 1970
    for call in store.iter_calls(run.run_id, arm.name):
        case_id = ids[call.case_index]
        if call.error_kind is not None:
            errors[case_id] += 1
            continue
        figures = CallFigures(call.latency_ms, call.input_tokens, call.output_tokens, call.cost_usd)
        answers.setdefault(case_id, []).append(figures)
        if call.model is not None:
            models.add(call.model)
        if call.fingerprint is not None:
            fingerprints.add(call.fingerprint)
        oldest = call.created_us if oldest is None else min(oldest, call.created_us)
        newest = call.created_us if newest is None else max(newest, call.created_us)
    return ArmCalls(
        answers=answers,
        errors=errors,
        models=tuple(sorted(models)),
        fingerprints=tuple(sorted(fingerprints)),
        oldest=_moment(oldest),
        newest=_moment(newest),
        identical_repeats=_identical_repeats(run, arm),
    )


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _identical_repeats(run: Run, arm: RunArm) -> bool:
    """Return what the run itself found out when it held the answers."""
    arms = cast("Mapping[str, Any]", run.summary.get("arms") or {})
    return bool(arms.get(arm.name, {}).get("identical_repeats"))


def _read_scores(
    store: Store, place: tuple[Run, RunArm, str], ids: Sequence[str], calls: Mapping[str, ArmCalls]
) -> CaseScores:
    """Return case id -> scores of an arm's samples; a failed call or a failed metric is None.

    Where a metric has nothing to say on a sample, the sample is not there at all: nothing is missing.
    """
    run, arm, metric = place
    failures = store.metric_failures(run.run_id, metric, arm.name)
    silent = {(case, sample) for case, sample, kind in failures if kind in NOT_APPLICABLE}
    found: dict[str, list[float | None]] = {}
    for case, sample, value in store.case_scores(run.run_id, metric, arm.name):
        if value is not None or (case, sample) not in silent:
            found.setdefault(ids[case], []).append(value)
    for case_id, errors in calls[arm.name].errors.items():
        found.setdefault(case_id, []).extend([None] * errors)
    return found
