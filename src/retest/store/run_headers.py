"""Turns the header of a run, its arms, metrics and cases into columns and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar

from retest.domain.case import Case
from retest.domain.run import JudgeCounts, Provenance, Run, RunArm, RunCounts, RunMetric
from retest.domain.suite import CasePasses, PassIf
from retest.errors import Location
from retest.store.payloads import (
    decode_json,
    decode_optional,
    decode_text,
    encode_json,
    encode_optional,
    encode_text,
)

T = TypeVar("T")

_HEADER = ("suite_path", "fingerprint", "samples_per_case", "planned", "dataset_fingerprint", "files")


def encode_header(run: Run) -> bytes:
    """Return what has no column of its own and does not change while the run goes on."""
    header = {name: getattr(run, name) for name in _HEADER}
    return encode_json({**header, "provenance": _as_dict(run.provenance)})


def decode_header(body: bytes) -> dict[str, Any]:
    """Return the keyword arguments of `Run` that `encode_header` kept."""
    header = {name: value for name, value in decode_json(body).items() if name in {*_HEADER, "provenance"}}
    return {**header, "provenance": _build(Provenance, header["provenance"])}


def encode_counts(counts: RunCounts) -> bytes:
    """Return the counts as JSON."""
    judges = {name: _as_dict(judge) for name, judge in counts.judges.items()}
    return encode_json({**_as_dict(counts), "judges": judges})


def decode_counts(body: bytes) -> RunCounts:
    """Return the counts that `encode_counts` was given."""
    values = decode_json(body)
    judges = {name: _build(JudgeCounts, judge) for name, judge in values.get("judges", {}).items()}
    return _build(RunCounts, {**values, "judges": judges})


def encode_arm(arm: RunArm) -> dict[str, Any]:
    """Return the columns of an arm, without its place and its prompt's text."""
    return {
        "name": encode_text(arm.name),
        "prompt_name": encode_text(arm.prompt_name),
        "prompt_path": encode_optional(arm.prompt_path),
        "prompt_hash": encode_text(arm.prompt_hash),
        "target_name": encode_text(arm.target_name),
        "provider": encode_text(arm.provider),
        "model": encode_optional(arm.model),
        "body": encode_json({"identity": arm.identity, "params": arm.params, "labels": arm.labels}),
    }


def decode_arm(row: Any, prompt_source: str) -> RunArm:
    """Return the arm that `encode_arm` was given."""
    body = decode_json(row.body)
    return RunArm(
        name=decode_text(row.name),
        prompt_name=decode_text(row.prompt_name),
        prompt_path=decode_optional(row.prompt_path),
        prompt_hash=decode_text(row.prompt_hash),
        prompt_source=prompt_source,
        target_name=decode_text(row.target_name),
        provider=decode_text(row.provider),
        model=decode_optional(row.model),
        identity=body["identity"],
        params=body["params"],
        labels=tuple(body["labels"]),
    )


def encode_metric(metric: RunMetric) -> bytes:
    """Return the whole metric as JSON."""
    return encode_json(
        {
            **_as_dict(metric),
            "pass_if": None if metric.pass_if is None else asdict(metric.pass_if),
            "case_passes": asdict(metric.case_passes),
        }
    )


def decode_metric(body: bytes) -> RunMetric:
    """Return the metric that `encode_metric` was given."""
    values = decode_json(body)
    pass_if = values.get("pass_if")
    values["pass_if"] = None if pass_if is None else _build(PassIf, pass_if)
    values["case_passes"] = _build(CasePasses, values["case_passes"])
    return _build(RunMetric, values)


def encode_case(case: Case) -> tuple[bytes, bytes | None]:
    """Return the case as JSON, and apart from it the place it was read from."""
    body = _as_dict(case)
    del body["where"]
    return encode_json(body), None if case.where is None else encode_json(_as_dict(case.where))


def decode_case(body: bytes, place: bytes | None) -> Case:
    """Return the case that `encode_case` was given."""
    values = decode_json(body)
    values["tags"] = tuple(values["tags"])
    values["where"] = None if place is None else _build(Location, decode_json(place))
    return _build(Case, values)


def _as_dict(item: Any) -> dict[str, Any]:
    """Return a dataclass's fields; unlike `asdict` it copies nothing and takes every kind of mapping."""
    return {name: getattr(item, name) for name in _names(type(item))}


def _build(kind: type[T], values: Mapping[str, Any]) -> T:
    """Build a dataclass from stored fields; one that this version does not know is left out."""
    known = _names(kind)
    return kind(**{name: value for name, value in values.items() if name in known})


_field_names: dict[object, tuple[str, ...]] = {}  # looked up once a class: that takes as long as writing them


def _names(kind: Any) -> tuple[str, ...]:
    """Return the names of a dataclass's fields."""
    names = _field_names.get(kind)
    if names is None:
        names = _field_names[kind] = tuple(part.name for part in fields(kind))
    return names
