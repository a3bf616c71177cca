"""A gate's report as GitHub workflow commands: annotations at the prompt's file in the pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retest.domain.gate import GateReason, GateReport
from retest.report.escape import visible
from retest.report.markdown_text import clip
from retest.report.verdict_text import (
    OUTCOME_WORDS,
    blocks,
    by_urgency,
    from_root,
    headline,
    idle_waivers,
    ordered_reasons,
    prompt_line,
    prompt_path,
    reason_text,
    waiver_text,
)

_SHOWN = 10  # annotations of each level; GitHub shows no more of one step
_CHARS = 1_000  # of a message


class GitHubReporter:
    """Workflow commands, one a line, for the standard output of a step."""

    name = "github"

    def render(self, reports: Sequence[GateReport]) -> str:
        """Return the annotations: errors for what blocks, warnings for what is lifted or only said, idle waivers."""
        urgent = by_urgency(reports)
        errors = [line for report in urgent for line in _errors(report)]
        warnings = [line for report in urgent for line in _warnings(report)]
        notices = [line for report in urgent for line in _notices(report)]
        lines = [*errors[:_SHOWN], *warnings[:_SHOWN], *notices[: _SHOWN - 1]]
        hidden = len(errors) + len(warnings) + len(notices) - len(lines)
        if hidden:
            lines.append(_command("notice", {"title": "retest"}, f"{hidden:,} more; the report has them all"))
        return "".join(f"{line}\n" for line in lines)


def _errors(report: GateReport) -> Iterator[str]:
    blocking = [reason for reason in ordered_reasons(report) if blocks(reason)]
    yield from (_annotation("error", report, reason) for reason in blocking)
    if not blocking and report.outcome != "passed":
        yield _command("error", _place(report, None), f"{report.suite}: {headline(report)}")


def _warnings(report: GateReport) -> Iterator[str]:
    yield from (_annotation("warning", report, reason) for reason in report.reasons if not blocks(reason))


def _notices(report: GateReport) -> Iterator[str]:
    for waiver in idle_waivers(report):
        yield _command("notice", _place(report, None), f"{report.suite}: waiver: {waiver_text(report, waiver)}")


def _annotation(level: str, report: GateReport, reason: GateReason) -> str:
    waived = "" if reason.waived_by is None else f" (waived: {reason.waived_by})"
    arm = "" if reason.arm is None else f"{reason.arm}: "
    return _command(level, _place(report, reason.arm), f"{report.suite}: {arm}{reason_text(report, reason)}{waived}")


def _place(report: GateReport, arm: str | None) -> dict[str, str]:
    path = prompt_path(report, arm)
    line = str(prompt_line(report, path))
    return {"file": from_root(report, path), "line": line, "title": f"retest: {OUTCOME_WORDS[report.outcome]}"}


def _command(level: str, properties: dict[str, str], message: str) -> str:
    spelt = ",".join(f"{name}={escape_property(value)}" for name, value in properties.items())
    return f"::{level} {spelt}::{escape_data(clip(message, _CHARS))}"


def escape_data(text: str) -> str:
    r"""Return text for the message of a command; ``##[`` is broken, for it starts a command of the older kind."""
    kept = visible(text.replace("\r\n", "\n")).replace("##[", "##\u2060[")
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return text for a property of a command."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")
