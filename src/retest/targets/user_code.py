"""The user's Python: loading ``file.py:function``, and saying where in it something went wrong."""

from __future__ import annotations

import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from retest.domain.json_value import content_hash
from retest.domain.user_exit import forbid_exit
from retest.errors import Location, Problem, UsageError


def load_object(reference: str, base_dir: Path, where: Location | None) -> tuple[Any, Path]:
    """Return what ``file.py:name`` names, and the file.

    Raises:
        UsageError: the reference is malformed, the file cannot be imported, or has no such name.
    """
    file_name, colon, name = reference.rpartition(":")
    path = base_dir / file_name
    if not colon or not name or not file_name.endswith(".py"):
        raise _error(f"'{reference}' is no reference to Python code", where, "write it like bot.py:answer")
    if not path.is_file():
        raise _error(f"no such file: {file_name}", where, "the path is relative to the file that names it")
    found: Any = _import_file(path, where)
    for part in name.split("."):
        if not hasattr(found, part):
            names = ", ".join(sorted(key for key in vars(found) if not key.startswith("_"))) or "nothing"
            raise _error(f"{file_name} has no '{part}'; it has: {names}", where, "name a function of the file")
        found = getattr(found, part)
    return found, path


def _import_file(path: Path, where: Location | None) -> Any:
    """Run the file as a module; its folder comes first while it loads, and last afterwards (for imports made late)."""
    name = f"_retest_user_{path.stem}_{content_hash(str(path.resolve()))[:12]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - a .py path always has a loader
    assert spec.loader is not None  # noqa: S101 - the same
    module = module_from_spec(spec)
    folder = str(path.parent.resolve())
    sys.modules[name] = module
    forbid_exit()
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        message = f"{path.name} cannot be imported: {describe_exception(error, path)}"
        raise _error(message, where, "the file must import without errors") from error
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)
    return module


def describe_exception(error: BaseException, path: Path) -> str:
    """Return ``file.py:12 in answer: ValueError: ...``: the innermost frame of the user's file, then the exception."""
    frames = traceback.extract_tb(error.__traceback__)
    resolved = str(path.resolve())
    own = [frame for frame in frames if str(Path(frame.filename).resolve()) == resolved]
    what = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    if not own:
        return what
    return f"{path.name}:{own[-1].lineno} in {own[-1].name}: {what}"


def _error(message: str, where: Location | None, fix: str) -> UsageError:
    return UsageError(Problem(slug="target-python", message=message, where=where, fix=fix))
