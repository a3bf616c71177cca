"""JUnit XML: valid for its readers, names that stay, and never green where the gate is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from lxml import etree

from retest.domain.gate import GateReason, GateReport
from retest.report.junit import JUnitReporter
from support import gate_reports as reports
from support.junit_schemas import ANT, JENKINS


def parse(*found: GateReport) -> Any:
    return etree.fromstring(JUnitReporter().render(found), etree.XMLParser(resolve_entities=False))


def case(tree: Any, name: str) -> Any:
    (found,) = [node for node in tree.iter("testcase") if node.get("name") == name]
    return found


@pytest.mark.parametrize("schema", [ANT, JENKINS], ids=["ant", "jenkins"])
@pytest.mark.parametrize("report", reports.every_situation())
def test_it_is_valid(report: GateReport, schema: str) -> None:
    """Readers of both kinds accept every situation, hostile text too."""
    etree.XMLSchema(etree.fromstring(schema)).assertValid(parse(report, reports.passed()))


def test_no_suite_is_valid_too() -> None:
    """A gate over nothing is an empty document, not a broken one."""
    etree.XMLSchema(etree.fromstring(ANT)).assertValid(parse())


@pytest.mark.parametrize("report", reports.every_situation())
def test_it_is_green_exactly_where_the_gate_passed(report: GateReport) -> None:
    """Any other outcome has at least one failure or error, and the counts say so."""
    (suite,) = parse(report)
    failures, errors = len(list(suite.iter("failure"))), len(list(suite.iter("error")))
    assert (failures + errors == 0) == (report.outcome == "passed")
    assert (suite.get("failures"), suite.get("errors")) == (str(failures), str(errors))
    assert suite.get("tests") == str(len(list(suite.iter("testcase"))))
    assert suite.get("skipped") == str(len(list(suite.iter("skipped"))))


def test_names_stay_the_same() -> None:
    """A test is found under its name whether it passes or fails, so that servers show its history."""

    def names(report: GateReport) -> list[tuple[str, str]]:
        return [(node.get("classname"), node.get("name")) for node in parse(report).iter("testcase")]

    wanted = ["intent/local: exact_match", "intent/local: valid_label", "intent/local: exact_match min", "gate"]
    assert names(reports.passed()) == [("support.ja", name) for name in wanted]
    assert names(reports.regressed()) == names(reports.passed())


def test_a_failure_says_why() -> None:
    """Reason in the message; before and after, interval, and k of n with both answers in the text."""
    (failure,) = case(parse(reports.regressed()), "intent/local: exact_match")
    assert failure.tag == "failure"
    assert failure.get("type") == "regressed"
    assert failure.get("message") == "exact_match regressed by 12.0 points [-18.0, -6.0]"
    assert "0.800 → 0.680 (-0.120, 95% interval [-0.180, -0.060]) over 60 cases" in failure.text
    assert "case-7: exact_match passed 3 of 3 → 0 of 3, newly failing\nbefore: billing\nafter: Billing." in failure.text


def test_a_failure_is_counted_once() -> None:
    """Where a metric's own test fails, the test of the gate as a whole does not fail as well."""
    tree = parse(reports.regressed())
    assert len(list(tree.iter("failure"))) == 1
    assert len(case(tree, "gate")) == 0


def test_a_guarded_case_has_its_own_test() -> None:
    """A case rule fails a test that is named after the case; the metric itself stays green."""
    tree = parse(reports.case_rule())
    (failure,) = case(tree, "intent/local: exact_match case case-7")
    assert failure.get("message") == "exact_match, case-7: must never fail, and fails in 3 of 3 samples"
    assert "after: Billing." in failure.text
    assert len(case(tree, "intent/local: exact_match")) == 0


def test_a_limit_has_its_own_test() -> None:
    """What is beyond a limit fails the limit's test, not that of the comparison."""
    reason = GateReason(kind="limit", message="limit: 0.6", blocking=True, arm=reports.ARM, metric="exact_match")
    failed = replace(
        reports.passed(),
        outcome="failed",
        exit_code=1,
        reasons=(reason,),
        summary=reports.summary(reports.limit("fail")),
    )
    tree = parse(failed)
    assert [node.getparent().get("name") for node in tree.iter("failure")] == ["intent/local: exact_match min"]


def test_what_cannot_be_compared_is_skipped_and_the_gate_has_an_error() -> None:
    """Nobody takes the absence of a comparison for a pass."""
    tree = parse(reports.not_comparable())
    (skipped,) = case(tree, "intent/local: tone")
    assert skipped.get("message") == "tone: not comparable: its definition changed"
    (error,) = case(tree, "gate")
    assert (error.tag, error.get("type")) == ("error", "nothing_to_judge")


def test_a_waived_regression_passes() -> None:
    """What a waiver lifts is told in the suite's output."""
    tree = parse(reports.waived())
    assert "regressed" in tree[0].findtext("system-out")
    assert "waived: labels move (until 2026-06-01)" in tree[0].findtext("system-out")


@pytest.mark.parametrize(
    ("judged_on", "said"),
    [
        (date(2026, 5, 1), "exact_match until 2026-06-01: labels move (aiko)"),
        (date(2026, 7, 1), "exact_match expired on 2026-06-01: it lifts nothing any more: labels move (aiko)"),
    ],
    ids=["active", "expired"],
)
def test_every_waiver_is_a_property(judged_on: date, said: str) -> None:
    """Also where it lifts nothing, until somebody takes it out."""
    report = replace(reports.waived(), reasons=(), judged_on=judged_on)
    found = {node.get("name"): node.get("value") for node in parse(report).iter("property")}
    assert found["waiver"] == said


def test_properties_name_the_runs() -> None:
    """Both runs, the commit and the baseline can be found again."""
    found = {node.get("name"): node.get("value") for node in parse(reports.passed()).iter("property")}
    assert found["run"] == "20260501-b2"
    assert found["baseline_run"] == "20260419-a1"
    assert found["git_commit"] == "c0ffee00" * 5
    assert found["baseline"] == "git:origin/main"


def test_the_machine_is_not_named() -> None:
    """A published report tells neither user nor host."""
    document = JUnitReporter().render([reports.passed()])
    assert b"build-7" not in document
    assert b"someone" not in document


def test_text_survives_but_for_what_xml_cannot_hold() -> None:
    """Control characters and lone surrogates go; Japanese, markup and ``]]>`` stay."""
    changed = reports.changed_case(before="前\x00\x1b\ufffe\ud800後 <b>&amp;]]>", after="🎌")
    (failure,) = case(parse(reports.regressed([changed])), "intent/local: exact_match")
    assert "before: 前後 <b>&amp;]]>\nafter: 🎌" in failure.text


def test_time_is_that_of_the_run() -> None:
    """The suite's time is the run's, its timestamp is UTC."""
    (suite,) = parse(reports.passed())
    assert (suite.get("time"), suite.get("timestamp")) == ("90.000", "2026-05-01T09:30:00")
