"""Dataset files for tests: write them, open them, see their cases or their problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retest.domain.case import Case
from retest.errors import Problem, SuiteError
from retest.suites.dataset_files import DatasetFile, DatasetOptions, open_dataset


def write(folder: Path, name: str, content: str | bytes) -> DatasetFile:
    """Write a dataset file exactly as given."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return DatasetFile(path=path, display=name)


def jsonl(folder: Path, *rows: Any, name: str = "d.jsonl") -> DatasetFile:
    """Write one JSON value per line."""
    return write(folder, name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def cases(*files: DatasetFile, **options: Any) -> list[Case]:
    """Return the cases of a dataset that must be accepted."""
    source = open_dataset(DatasetOptions(files=files, **options))
    found = list(source)
    assert len(source) == len(found)
    return found


def problems(*files: DatasetFile, **options: Any) -> list[Problem]:
    """Return the problems of a dataset that must not be accepted."""
    with pytest.raises(SuiteError) as caught:
        open_dataset(DatasetOptions(files=files, **options))
    return list(caught.value.problems)


def places(found: list[Problem]) -> list[tuple[str, str]]:
    """Return slug and place of each problem."""
    return [(problem.slug, str(problem.where)) for problem in found]
