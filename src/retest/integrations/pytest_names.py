"""What the items of a suite are called: a name for each case, the same in every session and every worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from retest.domain.json_value import content_hash
from retest.report.escape import one_line

GATE = "gate"
_LONGEST = 120  # characters of a name
_MARK = 8  # hex digits that tell long names of one beginning apart
SUFFIXES = (".yaml", ".yml")


def item_names(case_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (name of the item, case id); a name is on one line, without ``::``, and no other item's."""
    taken = {GATE}
    for case_id in case_ids:
        base = _readable(case_id)
        name, number = base, 2
        while name in taken:
            name, number = f"{base}#{number}", number + 1
        taken.add(name)
        yield name, case_id


def split_node_id(node_id: str) -> tuple[str, str] | None:
    """Return the path and the item's name that a node id of a suite holds, None for one of another kind of file."""
    path, _, name = node_id.partition("::")
    return (path, name) if name and path.lower().endswith(SUFFIXES) else None


def _readable(case_id: str) -> str:
    text = one_line(case_id).replace("::", ":").strip()
    if len(text) > _LONGEST:
        return f"{text[: _LONGEST - _MARK - 1]}~{content_hash(case_id)[:_MARK]}"
    return text or "empty"
