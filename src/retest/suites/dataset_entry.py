"""A suite's dataset, opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retest.domain.case import Case, CaseSource
from retest.errors import SuiteError
from retest.suites.dataset_files import DatasetFile, DatasetOptions, InlineCase, open_dataset
from retest.suites.named_files import check_file
from retest.suites.scope import SuiteScope
from retest.suites.spec import DatasetEntry
from retest.suites.yaml_nodes import ListNode, NodePath, find


def build_dataset(scope: SuiteScope, entry: DatasetEntry, look: Callable[[Case], object]) -> CaseSource | None:
    """Return the opened dataset, each of its cases shown to `look`; what is wrong is noted in `scope`."""
    places = list(_path_places(scope, entry))
    present = [check_file(scope, scope.file(text), scope.at(*path), "dataset file") for path, text in places]
    if not all(present):
        return None
    try:
        return open_dataset(_options(scope, entry), look)
    except SuiteError as error:
        scope.problems.extend(error.problems)
        return None


def _path_places(scope: SuiteScope, entry: DatasetEntry) -> Iterator[tuple[NodePath, str]]:
    start: NodePath = ("dataset", "path") if scope.keys("dataset") else ("dataset",)
    in_list = isinstance(find(scope.tree, start), ListNode)
    for index, text in enumerate(entry.path):
        yield ((*start, index) if in_list else start), text


def _options(scope: SuiteScope, entry: DatasetEntry) -> DatasetOptions:
    return DatasetOptions(
        files=tuple(_file(scope, entry, text) for text in entry.path),
        cases=tuple(_inline_cases(scope, entry)),
        id=entry.id,
        expected=entry.expected,
        vars=entry.vars,
        cluster=entry.cluster,
        tags=entry.tags,
        where=entry.where,
        limit=entry.limit,
        subset=entry.subset.size if entry.subset else None,
        seed=entry.subset.seed if entry.subset else 0,
    )


def _file(scope: SuiteScope, entry: DatasetEntry, text: str) -> DatasetFile:
    path = scope.file(text)
    return DatasetFile(
        path=path,
        display=scope.shown(path),
        format=entry.format,
        encoding=entry.encoding,
        columns=tuple(entry.columns) if entry.columns else None,
        delimiter=entry.delimiter,
    )


def _inline_cases(scope: SuiteScope, entry: DatasetEntry) -> Iterator[InlineCase]:
    start: NodePath = ("dataset", "cases") if scope.keys("dataset") else ("dataset",)
    for index, fields in enumerate(entry.cases or ()):
        yield InlineCase(fields=fields, where=scope.at(*start, index))
