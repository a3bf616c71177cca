"""The JSON report: versioned, strict, complete."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from retest.domain.gate import GateReport
from retest.report.gate_json import JsonReporter
from support import gate_reports as reports


def load(*found: GateReport) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    document: dict[str, Any] = json.loads(JsonReporter().render(found), parse_constant=refuse)
    return document


@pytest.mark.parametrize("report", reports.every_situation())
def test_every_situation_is_strict_json(report: GateReport) -> None:
    """One versioned document; UTF-8 can hold it, whatever was answered."""
    document = load(report)
    assert (document["format"], document["exit_code"]) == (1, report.exit_code)
    assert document["suites"][0]["outcome"] == report.outcome
    JsonReporter().render([report]).encode("utf-8")


def test_everything_is_there() -> None:
    """Each field of a gate's report has its place, but for what a page to read shows, or GitHub's annotations."""
    (suite,) = load(reports.regressed())["suites"]
    fields = {field.name for field in dataclasses.fields(GateReport)} - {"baseline_label", "page", "folder"}
    assert fields | {"baseline"} <= suite.keys()


def test_the_worst_exit_code_is_that_of_all() -> None:
    """A failed suite wins over an incomplete one; no suite at all is nothing to judge."""
    assert load(reports.passed(), reports.incomplete(), reports.regressed())["exit_code"] == 1
    assert load()["exit_code"] == 5


def test_verdicts_reasons_and_waivers() -> None:
    """Scripts find the verdict by metric name, the reason, and the waiver that lifted it."""
    (suite,) = load(reports.waived())["suites"]
    assert suite["comparison"]["metrics"]["exact_match"]["verdict"] == "regressed"
    assert suite["reasons"][0]["waived_by"] == "labels move (until 2026-06-01)"
    assert suite["waivers"][0] == {
        "suite": "support/ja",
        "metric": "exact_match",
        "reason": "labels move",
        "expires": "2026-06-01",
        "author": "aiko",
        "created": None,
        "active": True,
    }


def test_the_machine_is_not_named() -> None:
    """A published report tells neither user nor host; the commit stays."""
    (suite,) = load(reports.passed())["suites"]
    provenance = suite["run"]["provenance"]
    assert not {"user", "host", "pid"} & provenance.keys()
    assert provenance["git_commit"] == "c0ffee00" * 5
