"""A gate's report as JUnit XML, valid against the schemas of Ant and of Jenkins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC
from xml.etree import ElementTree as ET

from retest.domain.gate import GateReport
from retest.report.decided_text import decided_lines, run_decision
from retest.report.logical_tests import LogicalTest, Status, logical_tests
from retest.report.verdict_text import waiver_text

# What XML 1.0 forbids, and the control characters that it allows but nobody can see.
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAGS: dict[Status, str] = {"failed": "failure", "error": "error", "skipped": "skipped"}


class JUnitReporter:
    """JUnit XML: a test suite per suite, a test case per metric of each arm, per limit, and per case that failed."""

    name = "junit"

    def render(self, reports: Sequence[GateReport]) -> bytes:
        """Return the document in UTF-8."""
        root = ET.Element("testsuites")
        for number, report in enumerate(reports):
            root.append(_suite(report, number))
        ET.indent(root)
        document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return document + b"\n"


def _suite(report: GateReport, number: int) -> ET.Element:
    tests = logical_tests(report)
    suite = ET.Element("testsuite", _attributes(report, tests, number))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", {"name": name, "value": legal(value)})
    classname = legal(report.suite).replace("/", ".") or "retest"
    suite.extend(_case(test, classname) for test in tests)
    told = [f"{test.name}: {test.text}" for test in tests if test.status == "passed" and test.text]
    ET.SubElement(suite, "system-out").text = legal("\n".join(told))
    ET.SubElement(suite, "system-err").text = ""
    return suite


def _attributes(report: GateReport, tests: Sequence[LogicalTest], number: int) -> dict[str, str]:
    run = report.run
    seconds = 0.0
    if run is not None and run.finished_at is not None:
        seconds = max(0.0, (run.finished_at - run.started_at).total_seconds())
    started = "1970-01-01T00:00:00" if run is None else f"{run.started_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    counts = {tag: sum(test.status == status for test in tests) for status, tag in _TAGS.items()}
    return {
        "name": legal(report.suite) or "retest",
        "package": "retest",
        "id": str(number),
        "tests": str(len(tests)),
        "failures": str(counts["failure"]),
        "errors": str(counts["error"]),
        "skipped": str(counts["skipped"]),
        "time": f"{seconds:.3f}",
        "timestamp": started,
        "hostname": "localhost",  # the schema wants one; the real one is nobody's business in a published report
    }


def _properties(report: GateReport) -> Iterator[tuple[str, str]]:
    yield "outcome", report.outcome
    yield "exit_code", str(report.exit_code)
    yield "suite_path", report.suite_path
    if report.run is not None:
        yield "run", report.run.run_id
        if report.run.provenance.git_commit is not None:
            yield "git_commit", report.run.provenance.git_commit
    if report.comparison is not None:
        yield "baseline_run", report.comparison.baseline.label
    if report.baseline_label is not None:
        yield "baseline", report.baseline_label
    decision = run_decision(report.run)
    if decision is not None:
        yield "until_decided", "; ".join(decided_lines(decision))
    if report.reproduce:
        yield "reproduce", report.reproduce
    for waiver in report.waivers:
        yield "waiver", waiver_text(report, waiver)


def _case(test: LogicalTest, classname: str) -> ET.Element:
    case = ET.Element("testcase", {"classname": classname, "name": legal(test.name), "time": "0.000"})
    if test.status == "skipped":
        ET.SubElement(case, "skipped", {"message": legal(test.message)})
    elif test.status != "passed":
        detail = ET.SubElement(case, _TAGS[test.status], {"type": test.kind, "message": legal(test.message)})
        detail.text = legal(test.text)
    return case


def legal(text: str) -> str:
    """Return the text without the characters that XML cannot hold, and on the line ends that it keeps."""
    return _ILLEGAL.sub("", text.replace("\r\n", "\n"))
