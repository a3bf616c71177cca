"""Cases that changed, in Markdown: what went, what came, how many of its samples passed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, takewhile

from retest.domain.comparison import Answer, ArmComparison, ChangedCase
from retest.report.markdown_text import bullets, clip, escape_text, fence, folded, listed
from retest.report.numbers import plural
from retest.report.verdict_text import case_change_text

_LEAD = 40  # equal characters kept before the first that differs
_LINES = 12  # of an excerpt
_OPEN = 3  # cases that are shown without a click


def changed_cases(arm: ArmComparison, *, excerpts: int, chars: int, lines: int) -> list[str]:
    """Return blocks with the cases that got worse, the worst first: some with their answers, some as a line.

    Those that chance alone may explain come too, and are counted apart.

    Args:
        arm: whose `changed` holds the worst first.
        excerpts: cases shown with both answers.
        chars: of each answer.
        lines: further cases, a line each.
    """
    worse = [case for case in arm.changed if case.is_worse]
    if not worse:
        return []
    doubtful = sum(all(change.label == "suspect" for change in case.changes) for case in worse)
    total = max(arm.n_worse, len(worse) - doubtful) + doubtful
    chance = f"; {doubtful:,} more may be chance" if doubtful else ""
    parts = [f"**Cases that got worse: {total - doubtful:,}** (better: {arm.n_better:,}{chance})"]
    parts += [_with_answers(case, chars) for case in worse[: min(excerpts, _OPEN)]]
    more = [_with_answers(case, chars) for case in worse[_OPEN:excerpts]]
    if more:
        parts.append(folded(f"{plural(len(more), 'more case')} with answers", "\n\n".join(more)))
    if rest := _rest(worse[excerpts:], total - min(excerpts, len(worse)), lines):
        parts.append(rest)
    return parts


def _rest(cases: Sequence[ChangedCase], total: int, lines: int) -> str:
    shown = [_line(case) for case in cases[:lines]]
    if total > len(shown):
        shown.append(f"{total - len(shown):,} more; `retest diff --limit {total}` shows more")
    return bullets(shown)


def _line(case: ChangedCase) -> str:
    changes = "; ".join(escape_text(case_change_text(change), chars=150) for change in case.changes[:3])
    return f"**{escape_text(case.case_id, chars=80)}** {changes}"


def _with_answers(case: ChangedCase, chars: int) -> str:
    return f"{_line(case)}\n\n{fence(_excerpts(case.before, case.after, chars), 'diff')}"


def _excerpts(before: Answer | None, after: Answer | None, chars: int) -> str:
    """Return both answers from shortly before the first character that differs."""
    old, new = _said(before), _said(after)
    if old == new:
        return _prefixed("  ", old, 0, chars)
    equal = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = max(0, equal - _LEAD)
    return "\n".join(_prefixed(sign, text, start, chars) for sign, text in (("- ", old), ("+ ", new)))


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "(no sample)"
    if answer.output is None:
        return f"(no answer: {answer.error or 'unknown error'})"
    return answer.output or "(empty answer)"


def _prefixed(sign: str, text: str, start: int, chars: int) -> str:
    shown = ("…" if start else "") + clip(text[start:], chars)
    lines = shown.replace("\r\n", "\n").split("\n")
    return "\n".join(f"{sign}{line}" for line in listed(lines, _LINES))


def flaky_cases(arms: Sequence[ArmComparison], shown: int) -> str | None:
    """Return the cases whose samples disagree on both sides alike, None where there are none."""
    names = list(dict.fromkeys(chain.from_iterable(arm.flaky for arm in arms)))
    if not names:
        return None
    ids = ", ".join(listed([escape_text(name, chars=80) for name in names], shown))
    return f"**Flaky** (pass in some samples only, before and after): {ids}"
