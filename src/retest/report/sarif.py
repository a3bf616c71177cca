"""A gate's report as SARIF 2.1.0, for code scanning: one result a reason, at the first line of the prompt's file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath, PurePosixPath
from urllib.parse import quote

from retest.domain.gate import GateReason, GateReport
from retest.domain.json_value import content_hash
from retest.report.escape import visible
from retest.report.json_report import dump_json
from retest.report.markdown_text import clip
from retest.report.verdict_text import blocks, from_root, headline, prompt_line, prompt_path, reason_text, waiver_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_HOME = "https://github.com/retest-dev/retest"
_RULES = {
    "regressed": "A metric got worse than the baseline by more than chance explains",
    "limit": "A metric is surely beyond its limit",
    "case_rule": "A case that must never fail failed",
    "judge": "A judge has not shown the agreement with people that the gate demands",
    "cost": "The answers cost more than allowed",
    "latency": "The answers took longer than allowed",
    "errors": "Too many samples have no answer or no score",
    "unproven": "It is not proven that a metric is no worse",
    "not_comparable": "Something could not be compared",
    "baseline": "There is no baseline to compare with",
    "gate": "The gate did not pass",
}


class SarifReporter:
    """SARIF 2.1.0."""

    name = "sarif"

    def render(self, reports: Sequence[GateReport]) -> str:
        """Return a log with one run over all suites."""
        return f"{dump_json(sarif_document(reports))}\n"


def sarif_document(reports: Sequence[GateReport]) -> dict[str, object]:
    """Return the log; a rule is a kind of reason and the metric it is about, such as ``regressed/exact_match``."""
    results = [result for report in reports for result in _results(report)]
    rules = {str(result["ruleId"]): result for result in results}
    positions = {rule: number for number, rule in enumerate(rules)}
    for result in results:
        result["ruleIndex"] = positions[str(result["ruleId"])]
    driver = {"name": "retest", "informationUri": _HOME, "rules": [_rule(rule) for rule in rules]}
    run: dict[str, object] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": "retest/gate/"},
        "results": results,
    }
    waivers = [f"{report.suite}: {waiver_text(report, waiver)}" for report in reports for waiver in report.waivers]
    if waivers:
        run["properties"] = {"waivers": [visible(clip(text, 1_000)) for text in waivers]}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _results(report: GateReport) -> Iterator[dict[str, object]]:
    yield from (_result(report, reason) for reason in report.reasons)
    if report.outcome != "passed" and not any(blocks(reason) for reason in report.reasons):
        message = f"{report.suite}: {headline(report)}"
        yield _entry("gate", message, _region(report, None), content_hash([report.suite, "gate"]))


def _result(report: GateReport, reason: GateReason) -> dict[str, object]:
    rule = reason.kind if reason.metric is None else f"{reason.kind}/{visible(clip(reason.metric, 100))}"
    identity = content_hash([report.suite, reason.kind, reason.arm, reason.metric, reason.case_id])
    arm = "" if reason.arm is None else f"{reason.arm}: "
    message = f"{report.suite}: {arm}{reason_text(report, reason)}"
    entry = _entry(rule, message, _region(report, reason.arm), identity)
    if reason.waived_by is not None:
        justification = visible(reason.waived_by)
        return entry | {"suppressions": [{"kind": "external", "justification": justification}]}
    return entry if blocks(reason) else entry | {"level": "note"}


def _region(report: GateReport, arm: str | None) -> dict[str, object]:
    path = prompt_path(report, arm)
    region = {"startLine": prompt_line(report, path)}
    return {"artifactLocation": {"uri": file_uri(from_root(report, path))}, "region": region}


def _entry(rule: str, message: str, location: dict[str, object], identity: str) -> dict[str, object]:
    return {
        "ruleId": rule,
        "level": "error",
        "message": {"text": visible(clip(message, 1_000))},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"retestReason/v1": identity},
    }


def _rule(rule: str) -> dict[str, object]:
    kind = rule.partition("/")[0]
    description = {"text": _RULES.get(kind, _RULES["gate"])}
    return {"id": rule, "shortDescription": description, "helpUri": f"{_HOME}/blob/main/docs/ci.md"}


def file_uri(path: str) -> str:
    """Return a path as a relative URI reference with ``/``, or an absolute one for an absolute path."""
    pure = PurePath(path)
    if pure.is_absolute():
        return pure.as_uri()
    return quote(PurePosixPath(path).as_posix().encode("utf-8", "backslashreplace"), safe="/")
