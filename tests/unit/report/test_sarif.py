"""SARIF: the rules of version 2.1.0 that readers insist on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest

from retest.domain.gate import GateReport
from retest.report.sarif import SarifReporter, file_uri
from support import gate_reports as reports

URI_REFERENCE = re.compile(r"(?:[\w\-.~!$&'()*+,;=:@/]|%[0-9A-F]{2})+", re.ASCII)


def run_of(*found: GateReport) -> dict[str, Any]:
    document = json.loads(SarifReporter().render(found))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-2.1.0.json")
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


@pytest.mark.parametrize("found", [[], *([report] for report in reports.every_situation()), reports.every_situation()])
def test_its_structure_holds(found: list[GateReport]) -> None:
    """Driver with unique rules; each result has a message, a known level, its rule's index, and a place."""
    run = run_of(*found)
    driver = run["tool"]["driver"]
    ids = [rule["id"] for rule in driver["rules"]]
    assert driver["name"] == "retest"
    assert len(ids) == len(set(ids))
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note", "none"}
        assert result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["region"]["startLine"] == 1
        assert URI_REFERENCE.fullmatch(place["physicalLocation"]["artifactLocation"]["uri"])


def test_files_are_named_from_the_root_of_the_repository() -> None:
    """Code scanning looks from there, wherever the gate ran."""
    (result,) = run_of(replace(reports.regressed(), folder="services/ボット/"))["results"]
    location = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert unquote(location["uri"]) == "services/ボット/prompts/intent.md"


def test_waivers_stand_in_the_properties_of_the_run() -> None:
    """Whether they lift something or not; without one there are no properties."""
    assert run_of(reports.waived())["properties"]["waivers"] == [
        "support/ja: exact_match until 2026-06-01: labels move (aiko)"
    ]
    assert "properties" not in run_of(reports.passed())


@pytest.mark.parametrize("report", reports.every_situation())
def test_an_outcome_that_is_no_pass_has_an_open_error(report: GateReport) -> None:
    """A result of level error, not suppressed, exactly where the gate did not pass."""
    results = run_of(report)["results"]
    assert any(result["level"] == "error" and "suppressions" not in result for result in results) == (
        report.outcome != "passed"
    )


def test_a_regression() -> None:
    """The rule is the verdict and the metric, the place the prompt's first line."""
    (result,) = run_of(reports.regressed())["results"]
    assert result["ruleId"] == "regressed/exact_match"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "prompts/intent.md"
    assert "regressed by 12.0 points" in result["message"]["text"]


def test_a_waiver_suppresses() -> None:
    """What is waived is there, suppressed with the waiver's reason."""
    (result,) = run_of(reports.waived())["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": "labels move (until 2026-06-01)"}]


def test_a_result_is_recognised_from_run_to_run() -> None:
    """The fingerprint is of what failed, not of its numbers."""
    first, second = (
        run_of(report)["results"][0]["partialFingerprints"] for report in (reports.regressed(), reports.waived())
    )
    assert first == second


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("prompts/x.md", "prompts/x.md"),
        ("prompts/a b%20,日.md", "prompts/a%20b%2520%2C%E6%97%A5.md"),
        ("a:b.md", "a%3Ab.md"),
        ("/srv/p x.md", "file:///srv/p%20x.md"),
    ],
)
def test_paths_as_uris(path: str, uri: str) -> None:
    """Relative paths stay relative; what a URI cannot hold is percent-encoded."""
    assert file_uri(path) == uri
