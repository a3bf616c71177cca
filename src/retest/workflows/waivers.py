"""Waivers: committed exceptions for one metric of one suite, in a file at the project's root, until they expire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.gate import Waiver
from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem, SuiteError, UsageError
from retest.workflows.whole_files import write_whole

if TYPE_CHECKING:
    from retest.suites.yaml_nodes import MapNode

FILE_NAME = "retest.waivers.yaml"
_REQUIRED = ("suite", "metric", "reason", "expires")
_KEYS = (*_REQUIRED, "author", "created")
_HEAD = "# What the gate lets pass, until when, and why. Review changes to this file as you review code.\nwaivers:\n"


def waiver_file(cwd: Path) -> Path:
    """Return where the project's waivers stand, whether or not there are any."""
    from retest.suites.discover import project_root

    return project_root(cwd) / FILE_NAME


def read_waivers(path: Path, shown: str = FILE_NAME) -> tuple[Waiver, ...]:
    """Return every waiver of the file, the expired ones too; none where there is no file.

    Args:
        path: of the file.
        shown: the path for messages.

    Raises:
        SuiteError: the file is not YAML, or an entry is incomplete or has a key that means nothing.
    """
    if not path.is_file():
        return ()
    return parse_waivers(path.read_bytes(), shown)


def parse_waivers(data: bytes, shown: str) -> tuple[Waiver, ...]:
    """Return the waivers that a file's content lists.

    Raises:
        SuiteError: as for `read_waivers`; all problems at once.
    """
    from retest.suites.yaml_nodes import ListNode, MapNode
    from retest.suites.yaml_reader import read_yaml

    tree = read_yaml(data, shown)
    entry = tree.entries.get("waivers") if isinstance(tree, MapNode) else None
    if not isinstance(tree, MapNode) or entry is None or len(tree.entries) != 1:
        raise SuiteError(_problem("the file holds one key, `waivers`, with a list below it", Location(path=shown)))
    if not isinstance(entry.node, ListNode):
        raise SuiteError(_problem("`waivers` is a list", entry.node.where))
    problems: list[Problem] = []
    waivers = []
    for item in entry.node.items:
        found = list(_entry_problems(item)) if isinstance(item, MapNode) else [_problem("not a mapping", item.where)]
        problems += found
        if isinstance(item, MapNode) and not found:
            waivers.append(_waiver(_texts(item)))
    if problems:
        raise SuiteError(*problems)
    return tuple(waivers)


def _texts(node: MapNode) -> dict[str, str]:
    from retest.suites.yaml_nodes import ScalarNode

    return {key: entry.node.text for key, entry in node.entries.items() if isinstance(entry.node, ScalarNode)}


def _entry_problems(node: MapNode) -> Iterator[Problem]:
    texts = _texts(node)
    for key, entry in node.entries.items():
        if key not in _KEYS:
            yield _problem(f"a waiver has no key '{key}'", entry.key)
    for key in _REQUIRED:
        if not texts.get(key, "").strip():
            yield _problem(f"a waiver needs `{key}`", node.where)
    for key in ("expires", "created"):
        if texts.get(key) and parse_day(texts[key]) is None:
            yield _problem(f"`{key}` is a day such as 2026-12-31, not {texts[key]!r}", node.entries[key].node.where)


def _problem(message: str, where: Location) -> Problem:
    return Problem(
        slug="waiver-file",
        message=message,
        where=where,
        details=(f"keys of a waiver: {', '.join(_KEYS)}",),
        fix="correct the entry; `retest waive` writes sound ones",
    )


def _waiver(texts: Mapping[str, str]) -> Waiver:
    return Waiver(
        suite=texts["suite"],
        metric=texts["metric"],
        reason=texts["reason"],
        expires=date.fromisoformat(texts["expires"]),
        author=texts.get("author", ""),
        created=parse_day(texts["created"]) if texts.get("created") else None,
    )


def parse_day(text: str) -> date | None:
    """Return the day that ``YYYY-MM-DD`` names, None where it names none."""
    try:
        return date.fromisoformat(text.strip()) if len(text.strip()) == len("2026-12-31") else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverWish:
    """A waiver as it is asked for; `metrics` are the suite's."""

    suite: str
    metric: str
    metrics: Sequence[str]
    reason: str
    expires: str
    author: str = ""


def make_waiver(wish: WaiverWish, existing: Sequence[Waiver], today: date) -> Waiver:
    """Return the waiver that is wished for.

    Raises:
        UsageError: the suite has no such metric, the day is none or has passed, there is no reason, or the metric is
            waived already.
    """
    reason, expires = " ".join(wish.reason.split()), parse_day(wish.expires)
    if wish.metric not in wish.metrics:
        raise _unknown_metric(wish)
    if not reason:
        raise _refused("a waiver needs a reason", 'say what was agreed: --reason "new tone, accepted in #123"')
    if expires is None:
        raise _refused(f"--expires {wish.expires!r} is no day", "write it as YYYY-MM-DD")
    if expires < today:
        raise _refused(f"{expires} has passed: such a waiver would lift nothing", "give a day to come")
    active = [item for item in existing if (item.suite, item.metric) == (wish.suite, wish.metric)]
    if any(item.is_active(today) for item in active):
        until = max(item.expires for item in active)
        raise _refused(f"{wish.metric} of {wish.suite} is waived until {until}", f"edit its entry in {FILE_NAME}")
    return Waiver(
        suite=wish.suite, metric=wish.metric, reason=reason, expires=expires, author=wish.author, created=today
    )


def _refused(message: str, fix: str) -> UsageError:
    return UsageError(Problem(slug="waiver-refused", message=message, fix=fix))


def _unknown_metric(wish: WaiverWish) -> UsageError:
    from retest.suites.suggestions import did_you_mean, listing

    return UsageError(
        Problem(
            slug="waiver-refused",
            message=f"suite {wish.suite} has no metric '{wish.metric}'",
            details=(f"it has: {listing(wish.metrics)}",),
            fix=did_you_mean(wish.metric, wish.metrics),
        )
    )


def add_waiver(path: Path, waiver: Waiver, shown: str = FILE_NAME) -> None:
    """Append a waiver to the file (made where there is none); what stands in it stays as it is, comments too.

    Raises:
        SuiteError: the file is broken, or its layout does not let an entry be appended.
    """
    before = path.read_text("utf-8") if path.is_file() else _HEAD
    known = parse_waivers(before.encode("utf-8"), shown) if path.is_file() else ()
    text = before if before.endswith("\n") else f"{before}\n"
    text += _entry_text(waiver)
    if parse_waivers(text.encode("utf-8"), shown) != (*known, waiver):
        raise SuiteError(_problem("an entry cannot be appended to this layout", Location(path=shown)))
    write_whole(path, text)


def _entry_text(waiver: Waiver) -> str:
    values: dict[str, JsonValue] = {
        "suite": waiver.suite,
        "metric": waiver.metric,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
        "author": waiver.author or None,
        "created": None if waiver.created is None else waiver.created.isoformat(),
    }
    # A JSON text is a YAML text in double quotes: nothing that a person types can end the entry.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    return "  - " + "\n    ".join(lines) + "\n"
