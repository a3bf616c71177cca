"""The report file: everything in one document, the pages of the cases packed and unpacked only when they are opened."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources

from markupsafe import Markup

from retest.domain.gate import GateReport
from retest.domain.pages import CaseDetail, CaseEntry, ReportPage
from retest.report.escape import visible
from retest.report.html.render import render
from retest.report.html.tables import slice_table, usage_rows
from retest.report.html.words import Language, Words

_CASES_PER_CHUNK = 20
_ALL_CHARS = 40_000_000  # of all answers in one file
_CHARS = (2_000, 20_000)  # of one answer: at least, at most
_VERDICTS = ("regressed", "inconclusive", "improved", "not_worse", "unchanged", "not_comparable")

Ranges = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One suite in the file; `gate` is what was decided about it, where a gate was asked."""

    page: ReportPage
    gate: GateReport | None = None

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        """Return how many metrics came to each verdict."""
        arms = () if self.page.comparison is None else self.page.comparison.arms
        counts = Counter(str(metric.verdict) for arm in arms for metric in arm.metrics)
        return [(verdict, counts[verdict]) for verdict in _VERDICTS if counts[verdict]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """How a file is made: in which language (None: the browser's), when, by which version."""

    made_at: datetime
    version: str
    language: Language | None = None


def report_document(sections: Sequence[Section], making: Making) -> str:
    """Return the whole file; it names no other."""
    words = Words(making.language)
    chunks, entries = _pack(sections, words)
    css, script = asset("retest.css"), asset("report.js")
    words_json = _json(words.dictionary())
    tags = sorted({tag for entry in entries for tag in entry.tags})
    pairs = [pair for section in sections for pair in section.page.pairs]
    return render(
        "report.html",
        words,
        title=", ".join(section.page.suite for section in sections) or "retest",
        sections=sections,
        entries=entries,
        left_out=sum(section.page.left_out for section in sections),
        metric_names=list(dict.fromkeys(panel.name for pair in pairs for panel in pair.metrics)),
        ranges=_ranges(sections),
        directions={panel.name: panel.direction for pair in pairs for panel in pair.metrics},
        pair_names=[
            f"{section.page.suite} {pair.name}" if len(sections) > 1 else pair.name
            for section in sections
            for pair in section.page.pairs
        ],
        used_states={entry.state for entry in entries} | {state for e in entries for state in e.states.values()},
        tags=tags,
        tag_numbers={tag: number for number, tag in enumerate(tags)},
        compared=any(pair.reference is not None for pair in pairs),
        nav=_navigation(sections),
        slice_table=slice_table,
        usage_rows=usage_rows,
        css=Markup(css),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        words_json=Markup(words_json),  # noqa: S704 - no "<" is left in it
        chunks=chunks,
        policy=content_policy(css, script),
        version=making.version,
        made_at=making.made_at,
    )


def asset(name: str) -> str:
    """Return a style sheet or script that comes with the package."""
    return resources.files(__package__).joinpath("assets", name).read_text("utf-8")


def content_policy(css: str, script: str) -> str:
    """Return the policy under which nothing runs but this script, and nothing is loaded from anywhere."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(css)}'; img-src 'none';"
        " connect-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True).replace("<", "\\u003c")


def _ranges(sections: Sequence[Section]) -> Ranges:
    return {
        panel.name: (panel.range_low, panel.range_high)
        for section in sections
        for pair in section.page.pairs
        for panel in pair.metrics
    }


def _navigation(sections: Sequence[Section]) -> list[tuple[str, str]]:
    pairs = [pair for section in sections for pair in section.page.pairs]
    prompts = any(section.page.comparison is not None and section.page.comparison.prompts for section in sections)
    found = [("metrics", "metrics")]
    if pairs and slice_table(pairs[0]) is not None:
        found.append(("slices", "slices"))
    if prompts:
        found.append(("prompt", "prompt"))
    return [*found, ("cases", "cases")]


def _pack(sections: Sequence[Section], words: Words) -> tuple[list[str], list[CaseEntry]]:
    """Return the packed pages, twenty to a piece, and the rows of all cases."""
    chunks: list[str] = []
    entries: list[CaseEntry] = []
    waiting: list[str] = []
    most_chars = _answer_room(sections)
    ranges = _ranges(sections)
    for detail in _numbered(sections):
        entries.append(detail.entry)
        waiting.append(case_fragment(detail, words, ranges, most_chars) if detail.entry.has_page else "")
        if len(waiting) == _CASES_PER_CHUNK:
            chunks.append(_packed(waiting))
            waiting = []
    if waiting:
        chunks.append(_packed(waiting))
    return chunks, entries


def _numbered(sections: Sequence[Section]) -> Iterator[CaseDetail]:
    """Yield all pages, the cases and pairs of arms counted through all sections."""
    number = pairs = 0
    for section in sections:
        for detail in section.page.details():
            yield replace(detail, entry=replace(detail.entry, number=number, pair=detail.entry.pair + pairs))
            number += 1
        pairs += len(section.page.pairs)


def _answer_room(sections: Sequence[Section]) -> int:
    cases = sum(pair.n_cases for section in sections for pair in section.page.pairs)
    samples = max((0 if s.page.run is None else s.page.run.samples_per_case for s in sections), default=1)
    room = _ALL_CHARS // max(1, cases * max(1, samples))
    return min(max(room, _CHARS[0]), _CHARS[1])


def case_fragment(detail: CaseDetail, words: Words, ranges: Ranges, most_chars: int) -> str:
    """Return the page of a case, without what stands around it."""
    return render("case.html", words, d=detail, ranges=ranges, most_chars=most_chars)


def _packed(fragments: Sequence[str]) -> str:
    body = json.dumps([visible(text) for text in fragments], ensure_ascii=False).encode()
    return base64.b64encode(gzip.compress(body, 9, mtime=0)).decode("ascii")
