"""Files that a suite names: whether they are there, and what they hold."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from retest.domain.code_files import code_hash
from retest.domain.json_value import JsonValue
from retest.errors import Location
from retest.suites.scope import SuiteScope
from retest.suites.suggestions import did_you_mean
from retest.suites.untrusted_checks import may_read

_HASHED_BYTES = 256_000_000  # larger files (models) are told apart by their size: hashing them would slow every check
_CHUNK = 1 << 20
_PATH_KEYS = frozenset({"path", "schema", "tools", "file"})
_WITHOUT_EFFECT = frozenset({"timeout_s", "price", "cache_dir", "parallel", "threads"})


def check_file(scope: SuiteScope, path: Path, where: Location, what: str) -> bool:
    """Return whether a file is there and may be read; notes the problem, with the sibling that was probably meant."""
    if not may_read(scope, path, where, what):
        return False
    try:
        if path.is_file():
            return True
        is_folder = path.is_dir()
        parent = next((folder for folder in path.parents if folder.is_dir()), path)
    except OSError as error:  # a name too long, a folder that may not be read, a loop of links
        reason = error.strerror or type(error).__name__
        scope.error("suite-file-missing", f"cannot read the {what} {scope.shown(path):.200}: {reason}", where)
        return False
    shown = scope.shown(path)
    if is_folder:
        scope.error("suite-file-missing", f"the {what} {shown} is a folder", where, fix="name the file")
        return False
    missing = parent / path.relative_to(parent).parts[0]
    scope.error(
        "suite-file-missing",
        f"the {what} {shown} does not exist",
        where,
        details=() if missing == path else (f"there is no folder {scope.shown(missing)}",),
        fix=_closest_sibling(missing) or "paths are relative to the folder of the suite file",
    )
    return False


def _closest_sibling(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return None
    return did_you_mean(path.name, names)


def option_files(options: BaseModel, base_dir: Path) -> Iterator[tuple[str, Path]]:
    """Yield option key and file for each option that names a file (``file.py:function`` names ``file.py``)."""
    for key, value in options.model_dump(mode="json", by_alias=True).items():
        if isinstance(value, str) and value and (key in _PATH_KEYS or key.endswith(("_path", "_file"))):
            yield key, base_dir / _without_function(value)


def _without_function(text: str) -> str:
    head, colon, tail = text.rpartition(":")
    return head if colon and head.endswith(".py") and tail.isidentifier() else text


def file_fingerprint(path: Path) -> JsonValue:
    """Return what tells two versions of a file apart: its hash, the size of a very large one, None where unreadable.

    Of Python code with what it imports from the project.
    """
    try:
        if path.suffix == ".py":
            return code_hash(path)[:32]
        size = path.stat().st_size
        return size if size > _HASHED_BYTES else _hash_file(path)
    except OSError:
        return None


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def options_identity(options: BaseModel, base_dir: Path) -> JsonValue:
    """Return the options that can change a result: those that are not the default, files by content and not by path."""
    changed = options.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    identity = {key: value for key, value in changed.items() if not _is_without_effect(key)}
    for key, path in option_files(options, base_dir):
        if os.path.isfile(path):  # noqa: PTH113 - is_file() raises for a name that is too long
            identity[key] = [file_fingerprint(path), str(changed.get(key, "")).rpartition(".")[2]]
    return identity


def _is_without_effect(key: str) -> bool:
    return key in _WITHOUT_EFFECT or key.endswith("_env") or "headers" in key
