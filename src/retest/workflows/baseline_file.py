"""The baseline as a text file beside the suite: JSON lines that a person can review and git can merge or refuse."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from retest.domain.json_value import JsonValue
from retest.domain.run import Run, RunArm, RunMetric
from retest.domain.scores import ArmCalls, RunScores, ScoredCase
from retest.domain.self_test import MeasuredDrift
from retest.domain.suite import CasePasses, PassIf
from retest.errors import Location, Problem, UsageError

if TYPE_CHECKING:
    from retest.store.database import Store

FORMAT_VERSION = 1
# 1: a header line, then one line for each case and arm, sorted by case and arm. `drift` in the header may be missing.

SUFFIX = ".baseline.jsonl"
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError)  # what a line of another shape leads to
_CONFLICT = re.compile(r"^(<{7}|\|{7}|={7}|>{7})( |$)")

Outputs = Mapping[tuple[str, str], Sequence[str | None]]
"""(arm, case id) -> the answers in the order of their samples; None for an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFile:
    """What a baseline file holds: scores ready to compare, and where they were at hand the answers and the drift."""

    scores: RunScores
    run_id: str
    drifts: tuple[MeasuredDrift, ...] = ()
    outputs: Outputs = field(default_factory=dict)


def baseline_path(suite_path: str) -> str:
    """Return where a suite's baseline file stands: ``evals/support.yaml`` has ``evals/support.baseline.jsonl``."""
    path = PurePosixPath(suite_path)
    return str(path.with_name(path.stem + SUFFIX))


def write_baseline(
    scores: RunScores, run_id: str, outputs: Outputs | None = None, drifts: Iterable[MeasuredDrift] = ()
) -> str:
    """Return the file's text: the same run always gives the same text, and one changed case changes one line.

    Args:
        scores: of the run.
        run_id: what it is called in the store.
        outputs: its answers, where they are to be in the file.
        drifts: what `retest aa` measured of the suite, for comparisons where that store is not at hand.
    """
    lines = list(_case_lines(scores, outputs))
    header = _header(scores, run_id, len(lines))
    rows = [_drift_row(drift) for drift in sorted(drifts, key=lambda drift: (drift.arm, drift.metric))]
    header |= {"drift": rows} if rows else {}
    return "".join(_json_line(line) for line in (header, *lines))


def _header(scores: RunScores, run_id: str, n_lines: int) -> dict[str, Any]:
    return {
        "retest_baseline": FORMAT_VERSION,
        "lines": n_lines,
        "run": run_id,
        "suite": scores.suite,
        "suite_path": scores.suite_path,
        "fingerprint": scores.fingerprint,
        "dataset_fingerprint": scores.dataset_fingerprint,
        "draw": scores.draw,
        "samples_per_case": scores.samples_per_case,
        "started_at": scores.started_at.isoformat(),
        "status": scores.status,
        "revision": scores.revision,
        "arms": [dataclasses.asdict(arm) for arm in scores.arms],
        "metrics": [dataclasses.asdict(metric) for metric in scores.metrics],
        "calls": {name: _calls(calls) for name, calls in scores.calls.items()},
    }


def _drift_row(drift: MeasuredDrift) -> dict[str, Any]:
    measured = None if drift.measured_at is None else drift.measured_at.isoformat()
    return {**dataclasses.asdict(drift), "measured_at": measured}


def _drifts(rows: Sequence[Mapping[str, Any]]) -> Iterator[MeasuredDrift]:
    for row in rows:
        yield MeasuredDrift(
            arm=str(row["arm"]),
            metric=str(row["metric"]),
            signature=str(row["signature"]),
            tau2=float(row["tau2"]),
            n_runs=int(row["n_runs"]),
            measured_at=_time(row.get("measured_at")),
        )


def _calls(calls: ArmCalls) -> dict[str, Any]:
    return {
        "models": list(calls.models),
        "fingerprints": list(calls.fingerprints),
        "oldest": None if calls.oldest is None else calls.oldest.isoformat(),
        "newest": None if calls.newest is None else calls.newest.isoformat(),
        "identical_repeats": calls.identical_repeats,
    }


def _case_lines(scores: RunScores, outputs: Outputs | None) -> Iterator[dict[str, Any]]:
    arms = sorted(arm.name for arm in scores.arms)
    for case_id in sorted(scores.cases):
        for arm in arms:
            case = scores.cases[case_id]
            line: dict[str, Any] = {
                "case": case_id,
                "arm": arm,
                "content": case.content_hash,
                "expected": case.expected_hash,
                "scores": {
                    metric: list(cases[case_id])
                    for metric, cases in scores.scores.get(arm, {}).items()
                    if case_id in cases
                },
            }
            errors = scores.calls.get(arm, ArmCalls()).errors.get(case_id, 0)
            extra = {"cluster": case.cluster, "tags": list(case.tags), "errors": errors}
            line |= {name: value for name, value in extra.items() if value}
            if outputs is not None:
                line["outputs"] = list(outputs.get((arm, case_id), ()))
            yield line


def _json_line(value: Mapping[str, Any]) -> str:
    """Return one line that no editor and no `splitlines` breaks in two."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(", ", ": "), allow_nan=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def read_outputs(store: Store, run: Run) -> dict[tuple[str, str], list[str | None]]:
    """Return every answer of a stored run in the order of its scores: errors, which have none, come last."""
    from retest.domain.sample import Response

    found: dict[tuple[str, str], list[str | None]] = {}
    for sample in store.iter_samples(run.run_id):
        output = sample.outcome.output if isinstance(sample.outcome, Response) else None
        found.setdefault((sample.arm, sample.case_id), []).append(output)
    return {place: sorted(outputs, key=lambda output: output is None) for place, outputs in found.items()}


def read_baseline(text: str, path: str) -> BaselineFile:
    """Return what a baseline file's text says.

    Args:
        text: of the whole file.
        path: for messages and as the label of the comparison.

    Raises:
        UsageError: it has merge-conflict markers, is of a newer format, or is no baseline file.
    """
    lines = text.split("\n")
    _refuse_conflicts(lines, path)
    rows = [(number, _parse(line, path, number)) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows or not isinstance(rows[0][1].get("retest_baseline"), int):
        raise _broken(path, 1, "its first line is not the header of a baseline file")
    header = rows[0][1]
    if header["retest_baseline"] > FORMAT_VERSION:
        raise _newer(path, header["retest_baseline"])
    if header.get("lines") != len(rows) - 1:
        raise _broken(path, 1, f"the header counts {header.get('lines')} lines of cases, and there are {len(rows) - 1}")
    return _Reader(path, header).read(rows[1:])


class _Reader:
    """Collects the lines of cases below a header."""

    def __init__(self, path: str, header: Mapping[str, Any]) -> None:
        self._path, self._header = path, header
        try:
            self._arms = tuple(_arm(arm) for arm in header["arms"])
            self._metrics = tuple(_metric(metric) for metric in header["metrics"])
        except _UNREADABLE as error:
            raise _broken(path, 1, f"the header's arms or metrics cannot be read ({error})") from error
        self._cases: dict[str, ScoredCase] = {}
        self._scores: dict[str, dict[str, dict[str, list[float | None]]]] = {
            arm.name: {metric.name: {} for metric in self._metrics} for arm in self._arms
        }
        self._errors: dict[str, dict[str, int]] = {arm.name: {} for arm in self._arms}
        self._outputs: dict[tuple[str, str], list[str | None]] = {}
        self._seen: set[tuple[str, str]] = set()

    def read(self, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> BaselineFile:
        for number, row in rows:
            try:
                self._add(row)
            except _UNREADABLE as error:
                raise _broken(self._path, number, f"the line cannot be read ({error})") from error
        try:
            return BaselineFile(
                scores=self._run_scores(),
                run_id=str(self._header.get("run", "")),
                outputs=self._outputs,
                drifts=tuple(_drifts(self._header.get("drift", ()))),
            )
        except _UNREADABLE as error:
            raise _broken(self._path, 1, f"the header cannot be read ({error})") from error

    def _add(self, row: Mapping[str, Any]) -> None:
        case_id, arm = str(row["case"]), str(row["arm"])
        if (case_id, arm) in self._seen:
            raise ValueError(f"case {case_id} of arm {arm} is there twice")
        if arm not in self._scores:
            raise ValueError(f"the header has no arm {arm}")
        self._seen.add((case_id, arm))
        case = ScoredCase(
            content_hash=str(row["content"]),
            expected_hash=str(row["expected"]),
            cluster=row.get("cluster"),
            tags=tuple(row.get("tags", ())),
        )
        if self._cases.setdefault(case_id, case) != case:
            raise ValueError(f"the arms disagree on case {case_id}")
        for metric, values in row["scores"].items():
            if metric not in self._scores[arm]:
                raise ValueError(f"the header has no metric {metric}")
            self._scores[arm][metric][case_id] = [_score(value) for value in values]
        if row.get("errors"):
            self._errors[arm][case_id] = int(row["errors"])
        if "outputs" in row:
            self._outputs[(arm, case_id)] = list(row["outputs"])

    def _run_scores(self) -> RunScores:
        header = self._header
        calls = header["calls"]
        return RunScores(
            label=self._path,
            suite=header["suite"],
            suite_path=header["suite_path"],
            fingerprint=header["fingerprint"],
            dataset_fingerprint=header["dataset_fingerprint"],
            draw=int(header["draw"]),
            samples_per_case=int(header["samples_per_case"]),
            started_at=datetime.fromisoformat(header["started_at"]),
            arms=self._arms,
            metrics=self._metrics,
            cases=self._cases,
            scores=self._scores,
            calls={name: self._arm_calls(name, calls[name]) for name in self._scores if name in calls},
            status=header.get("status", "complete"),
            revision=header.get("revision"),
        )

    def _arm_calls(self, arm: str, calls: Mapping[str, Any]) -> ArmCalls:
        return ArmCalls(
            errors=self._errors[arm],
            models=tuple(calls["models"]),
            fingerprints=tuple(calls["fingerprints"]),
            oldest=_time(calls["oldest"]),
            newest=_time(calls["newest"]),
            identical_repeats=bool(calls["identical_repeats"]),
        )


def _score(value: JsonValue) -> float | None:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    raise ValueError(f"{value!r} is no score")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _arm(values: Mapping[str, Any]) -> RunArm:
    return RunArm(**{**values, "labels": tuple(values["labels"])})


def _metric(values: Mapping[str, Any]) -> RunMetric:
    pass_if = values["pass_if"]
    return RunMetric(
        **{
            **values,
            "pass_if": None if pass_if is None else PassIf(**pass_if),
            "case_passes": CasePasses(**values["case_passes"]),
        }
    )


def _refuse_conflicts(lines: Sequence[str], path: str) -> None:
    for number, line in enumerate(lines, start=1):
        if _CONFLICT.match(line):
            raise UsageError(
                Problem(
                    slug="baseline-merge-conflict",
                    message=f"{path} has unresolved merge conflicts",
                    where=Location(path=path, line=number),
                    details=("half of one baseline and half of another is no baseline",),
                    fix="take one side whole (git checkout --ours/--theirs FILE), then `retest baseline refresh`",
                )
            )


def _parse(line: str, path: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _broken(path, number, f"the line is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise _broken(path, number, "the line is not a JSON object")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _newer(path: str, version: int) -> UsageError:
    return UsageError(
        Problem(
            slug="baseline-file-newer",
            message=f"{path} was written by a newer retest",
            details=(f"it has format version {version}, this retest knows {FORMAT_VERSION}",),
            fix="update retest, or write the file anew: retest baseline refresh",
        )
    )


def _broken(path: str, number: int, why: str) -> UsageError:
    return UsageError(
        Problem(
            slug="baseline-file-format",
            message=f"{path} is not a sound baseline file",
            where=Location(path=path, line=number),
            details=(why,),
            fix="take the file from git again, or write it anew: retest baseline export",
        )
    )
