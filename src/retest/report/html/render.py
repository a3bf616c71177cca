"""The templates: every text that is put into a page is first made visible, then escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.loaders import ChoiceLoader
from markupsafe import Markup

from retest.domain.comparison import MetricComparison
from retest.domain.figures import MATRIX_LABELS
from retest.domain.pages import STATES, ShownSample
from retest.domain.sample import CallError, MetricFailure, Score
from retest.report import numbers, verdict_text
from retest.report.escape import one_line, visible
from retest.report.html import charts, marks
from retest.report.html.words import Words
from retest.report.messages import message_text
from retest.report.pairwise_text import is_doubtful, pairwise_remarks, rank_note

ANSWER_CHARS = 20_000
"""Of an answer on a page; laying out a million characters would freeze it."""

_TONES = {
    "regressed": "bad",
    "newly_failing": "bad",
    "worse": "bad",
    "failing": "bad",
    "error": "bad",
    "failed": "bad",
    "fail": "bad",
    "improved": "good",
    "newly_passing": "good",
    "better": "good",
    "passing": "good",
    "passed": "good",
    "pass": "good",
    "suspect": "warn",
    "mixed": "warn",
    "inconclusive": "warn",
    "incomplete": "warn",
    "interrupted": "warn",
    "running": "info",
}


def _shown(value: object) -> object:
    """Make whatever a template prints harmless to the reader; escaping for HTML comes after."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value


@cache
def environment(*packages: str) -> Environment:
    """Return the templates of the report, and behind them those of further packages."""
    env = Environment(
        loader=ChoiceLoader([PackageLoader(name) for name in ("retest.report.html", *packages)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=100,
    )
    env.globals.update(
        {
            "n": numbers,
            "v": verdict_text,
            "charts": charts,
            "marks": marks,
            "states": STATES,
            "matrix_labels": MATRIX_LABELS,
            "review_words": frozenset({"good", "bad", "tie", "preferred", "not_preferred"}),
            "tone": tone,
            "is_error": lambda outcome: isinstance(outcome, CallError),
            "is_score": lambda score: isinstance(score, Score),
            "is_failure": lambda score: isinstance(score, MetricFailure),
            "p_value": p_value,
            "pairwise_remarks": pairwise_remarks,
            "is_doubtful": is_doubtful,
            "rank_note": rank_note,
            "raw": raw_number,
            "difference": difference,
        }
    )
    env.filters.update(
        {"one_line": one_line, "moment": moment, "as_json": as_json, "message_text": message_text, "figures": figures}
    )
    return env


def render(template: str, words: Words, **values: Any) -> str:
    """Return a template of the report filled in."""
    return environment().get_template(template).render(w=words, t=words.shown, **values)


def tone(word: str) -> str:
    """Return how a verdict or a state is coloured."""
    return _TONES.get(word, "")


def moment(when: datetime | None) -> str:
    """Return a time to the minute, in UTC."""
    return numbers.MISSING if when is None else f"{when:%Y-%m-%d %H:%M} UTC"


def as_json(value: object) -> str:
    """Return a value as JSON to read, cut where it is very long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return text if len(text) <= ANSWER_CHARS else f"{text[:ANSWER_CHARS]}…"


def figures(sample: ShownSample) -> Sequence[str]:
    """Return latency, tokens and cost of an answer, as far as they are known."""
    outcome = sample.outcome
    if isinstance(outcome, CallError):
        return []
    usage, found = outcome.usage, []
    if outcome.latency_ms is not None:
        found.append(numbers.format_latency(outcome.latency_ms))
    if usage.input_tokens is not None or usage.output_tokens is not None:
        found.append(f"{numbers.format_count(usage.input_tokens)} → {numbers.format_count(usage.output_tokens)} tok")
    if outcome.cost_usd is not None:
        found.append(numbers.format_cost(outcome.cost_usd))
    if outcome.finish_reason not in {None, "stop"}:
        found.append(str(outcome.finish_reason))
    return found


def p_value(metric: MetricComparison) -> str:
    """Return the p-value behind a verdict: of the improvement where it is one, else of the drop, after correction."""
    if metric.verdict == "not_comparable":
        return numbers.MISSING
    return numbers.format_p(metric.p_better if metric.verdict == "improved" else metric.p_adjusted)


def raw_number(value: float | None) -> str:
    """Return a number for a script to sort by; empty where there is none."""
    return "" if value is None else f"{value:.9g}"


def difference(before: Mapping[str, float | None], after: Mapping[str, float | None], metric: str) -> float | None:
    """Return after - before of a case on a metric, None where either is not known."""
    first, second = before.get(metric), after.get(metric)
    return None if first is None or second is None else second - first
