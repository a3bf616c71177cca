"""Datasets: opened with one pass that checks every row, then read again and again as a stream of cases."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from retest.domain.case import Case, CaseSource
from retest.domain.json_value import canonical_json, content_hash
from retest.errors import Location, Problem, SuiteError
from retest.suites.dataset_fields import MISSING, Draft, draft, file_fields, inline_fields, look_up
from retest.suites.dataset_filters import RowFilter
from retest.suites.dataset_options import DatasetFile, DatasetOptions, InlineCase
from retest.suites.dataset_problems import MAX_PROBLEMS, ProblemList, duplicate_id
from retest.suites.dataset_rows import Row, read_rows
from retest.suites.digest_set import DigestSet
from retest.suites.suggestions import did_you_mean, listing

__all__ = ["DatasetFile", "DatasetOptions", "InlineCase", "open_dataset"]

FileState = tuple[int, int]
_DIGEST_DIGITS = 16  # of a content hash, for 64 bits
_MAX_NAMES = 500


def open_dataset(options: DatasetOptions, look: Callable[[Case], object] | None = None) -> CaseSource:
    """Read every row once and check it; the source returned reads the files anew for each iteration.

    Args:
        options: where the rows are, and what their fields mean.
        look: is shown each case once, in order, for other checks of all cases: each reading takes time.

    Raises:
        SuiteError: the problems of the rows (the first 20 and a count), or no case at all.
    """
    return _Survey(options, look).source()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """What the first pass found out about the rows.

    Attributes:
        repeated: digests of contents that several rows share; their ids get ``#2``, ``#3``.
        threshold: cases whose subset hash is at most this take part; None for all.
        states: size and time of change of each file.
    """

    repeated: frozenset[int] = frozenset()
    threshold: int | None = None
    states: tuple[FileState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dataset:
    """A checked dataset: satisfies `CaseSource`."""

    options: DatasetOptions
    selection: _Selection
    count: int
    fingerprint: str

    def __iter__(self) -> Iterator[Case]:
        """Yield the cases, files in their order, then the suite's own.

        Raises:
            SuiteError: a file changed since it was checked.
        """
        if _states(self.options) != self.selection.states:
            raise SuiteError(_changed(self.options))
        return _cases(self.options, self.selection)

    def __len__(self) -> int:
        return self.count


class _Numbering:
    """Numbers rows of equal content, in the order of the files and before any filter: filters change no id.

    The first pass finds out which contents repeat (`known` is None); later passes count only those.
    """

    def __init__(self, known: frozenset[int] | None = None) -> None:
        self._known = known
        self._digests = DigestSet()
        self._counts: Counter[int] = Counter()
        self.repeated: set[int] = set()

    def number(self, digest: int) -> int:
        """Return how often this content has come by now."""
        if self._known is not None:
            if digest not in self._known:
                return 1
            self._counts[digest] += 1
            return self._counts[digest]
        if not self._digests.add(digest):
            return 1
        self.repeated.add(digest)
        self._counts[digest] += 1
        return self._counts[digest] + 1


class _Survey:
    """The first pass: checks every row, and finds what must be known before later passes can stream."""

    def __init__(self, options: DatasetOptions, look: Callable[[Case], object] | None) -> None:
        self._options = options
        self._look = look
        self._problems = ProblemList()
        self._filter = RowFilter(options.where)
        self._numbering = _Numbering()
        self._ids = DigestSet()
        self._duplicates: set[int] = set()
        self._accepted = 0
        self._unseen = set(file_fields(options).sure) if options.files else set()
        self._names: dict[str, None] = {}
        self._ranks: list[int] = []  # the lowest ranks, negated: a heap whose top is the highest of them
        self._fingerprint = Fingerprint()

    def source(self) -> CaseSource:
        """Return the checked dataset.

        Raises:
            SuiteError: the problems found.
        """
        states = _states(self._options)
        for item in _drafts(self._options):
            if isinstance(item, Draft):
                self._take(item)
            else:
                self._problems.add(*item)
        self._check()
        selection = _Selection(repeated=frozenset(self._numbering.repeated), threshold=self._threshold(), states=states)
        if self._options.subset is not None:
            for case in _cases(self._options, selection):
                self._add(case)
        return _Dataset(
            options=self._options,
            selection=selection,
            count=self._fingerprint.count,
            fingerprint=self._fingerprint.hexdigest(),
        )

    def _take(self, item: Draft) -> None:
        case = _case(item, self._numbering)
        if not self._filter.accepts(item):
            return
        self._accepted += 1
        if item.case_id is not None and self._ids.add(hash(item.case_id)):
            self._duplicates.add(hash(item.case_id))
        if self._unseen:
            self._look_for_fields(item)
        if self._options.subset is not None:
            self._keep_rank(_rank(self._options.seed, case.case_id), self._options.subset)
        elif self._options.limit is None or self._fingerprint.count < self._options.limit:
            self._add(case)

    def _add(self, case: Case) -> None:
        self._fingerprint.add(case)
        if self._look is not None:
            self._look(case)

    def _look_for_fields(self, item: Draft) -> None:
        self._unseen = {name for name in self._unseen if look_up(item.row.fields, name) is MISSING}
        if len(self._names) < _MAX_NAMES:
            self._names.update(dict.fromkeys(item.row.fields))

    def _keep_rank(self, rank: int, subset: int) -> None:
        if len(self._ranks) < subset:
            heapq.heappush(self._ranks, -rank)
        elif self._ranks and rank < -self._ranks[0]:
            heapq.heapreplace(self._ranks, -rank)

    def _threshold(self) -> int | None:
        return None if self._options.subset is None else -self._ranks[0]

    def _check(self) -> None:
        """Raise what was found; the later checks only speak where the rows themselves are sound."""
        start = _start(self._options)
        self._problems.add(*self._option_problems(start))
        self._problems.raise_any()
        self._problems.add(*self._filter.unknown_fields(start))
        if not self._accepted and not self._problems.count:
            self._problems.add(*(self._filter.problems(start) if self._options.where else [_no_cases(start)]))
        elif self._accepted:
            self._problems.add(*(self._unseen_field(name, start) for name in sorted(self._unseen)))
        if self._duplicates:
            self._problems.add(*_duplicate_problems(self._options, frozenset(self._duplicates)))
        self._problems.raise_any()

    def _option_problems(self, start: Location | None) -> Iterator[Problem]:
        for name in ("limit", "subset"):
            value = getattr(self._options, name)
            if value is not None and value < 1:
                yield Problem(slug="dataset-option", message=f"`{name}` must be at least 1, not {value}", where=start)

    def _unseen_field(self, name: str, start: Location | None) -> Problem:
        return Problem(
            slug="dataset-field",
            message=f"no row has the field '{name}', which the suite names",
            where=start,
            details=(f"fields: {listing(self._names)}",),
            fix=did_you_mean(name, self._names),
        )


class Fingerprint:
    """Hashes cases in order: their ids, variables, expected answers, clusters and tags."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.count = 0

    def add(self, case: Case) -> None:
        """Take the next case."""
        parts = [case.case_id, case.content_hash, case.expected, case.cluster, list(case.tags)]
        self._hash.update(canonical_json(parts) + b"\n")
        self.count += 1

    def hexdigest(self) -> str:
        """Return the hash of the cases so far."""
        return self._hash.hexdigest()[:32]


def _cases(options: DatasetOptions, selection: _Selection) -> Iterator[Case]:
    """Yield the cases that take part."""
    return islice(_accepted_cases(options, selection), options.limit)


def _accepted_cases(options: DatasetOptions, selection: _Selection) -> Iterator[Case]:
    numbering = _Numbering(selection.repeated)
    accepted = RowFilter(options.where)
    for item in _drafts(options):
        if not isinstance(item, Draft):
            raise SuiteError(*item)
        if item.case_id is not None and not _ranked(item.case_id, options.seed, selection.threshold):
            continue  # before its content is hashed, which costs most
        case = _case(item, numbering)
        if accepted.accepts(item) and (item.case_id or _ranked(case.case_id, options.seed, selection.threshold)):
            yield case


def _ranked(case_id: str, seed: int, threshold: int | None) -> bool:
    return threshold is None or _rank(seed, case_id) <= threshold


def _drafts(options: DatasetOptions) -> Iterator[Draft | list[Problem]]:
    """Yield each row's parts, or its problems."""
    names = file_fields(options)
    for file in options.files:
        empty = True
        try:
            for row in read_rows(file):
                empty = False
                yield [row] if isinstance(row, Problem) else draft(row, names)
        except SuiteError as error:
            empty = False
            yield list(error.problems)
        if empty:
            yield [_no_cases(Location(path=file.display))]
    names = inline_fields(options)
    for case in options.cases:
        yield draft(Row(fields=case.fields, where=case.where), names)


def _case(item: Draft, numbering: _Numbering) -> Case:
    content = content_hash(item.vars)
    case_id = item.case_id
    if case_id is None:
        number = numbering.number(int(content[:_DIGEST_DIGITS], 16))
        case_id = content if number == 1 else f"{content}#{number}"
    return Case(
        case_id=case_id,
        vars=item.vars,
        content_hash=content,
        expected=item.expected,
        cluster=item.cluster,
        tags=item.tags,
        meta=item.meta,
        where=item.row.where,
    )


def _rank(seed: int, case_id: str) -> int:
    """Return a case's place in the seed's shuffle; it depends on no other case."""
    text = f"{seed}\0{case_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


def _duplicate_problems(options: DatasetOptions, digests: frozenset[int]) -> Iterator[Problem]:
    """Find the rows behind repeated digests; the ids themselves are compared, so no two ids are confused."""
    first: dict[str, Location] = {}
    accepted = RowFilter(options.where)
    for item in _drafts(options):
        if not isinstance(item, Draft) or item.case_id is None or hash(item.case_id) not in digests:
            continue
        if not accepted.accepts(item):
            continue
        if item.case_id in first:
            yield duplicate_id(item.case_id, first[item.case_id], item.row.where)
        elif len(first) < MAX_PROBLEMS:
            first[item.case_id] = item.row.where


def _states(options: DatasetOptions) -> tuple[FileState, ...]:
    return tuple(_state(file.path) for file in options.files)


def _state(path: Path) -> FileState:
    try:
        stat = path.stat()
    except OSError:
        return (-1, -1)
    return (stat.st_size, stat.st_mtime_ns)


def _start(options: DatasetOptions) -> Location | None:
    if options.files:
        return Location(path=options.files[0].display)
    return options.cases[0].where if options.cases else None


def _no_cases(where: Location | None) -> Problem:
    return Problem(
        slug="dataset-empty",
        message="the dataset has no cases",
        where=where,
        fix="add rows; a CSV file with only a header has none",
    )


def _changed(options: DatasetOptions) -> Problem:
    return Problem(
        slug="dataset-changed",
        message="a dataset file changed while it was in use",
        where=_start(options),
        fix="run the command again",
    )
