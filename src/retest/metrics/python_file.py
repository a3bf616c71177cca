"""The user's own code: a function of a Python file, loaded in this process, with problems told in the user's terms."""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from retest.domain.code_files import code_hash
from retest.domain.sample import MetricFailure
from retest.domain.user_exit import forbid_exit
from retest.errors import Location, Problem, SuiteError
from retest.metrics.metric_files import did_you_mean, read_file, resolved

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionPlace:
    """Where a function is: the file as the user would type it, its content when the metric was built.

    `content_hash` tells versions of the file apart, and of the project's files that it imports.
    """

    metric: str
    path: Path
    function: str
    content: bytes
    content_hash: str

    def problem(self, slug: str, message: str, *, line: int | None = None, fix: str | None = None) -> SuiteError:
        """Return an error that points into the file."""
        where = Location(path=str(self.path), line=line)
        return SuiteError(Problem(slug=slug, message=f"metric '{self.metric}': {message}", where=where, fix=fix))


def find_function(path: str, *, metric: str, base_dir: Path) -> FunctionPlace:
    """Return the place that ``file.py:function`` names, without running the file.

    Raises:
        SuiteError: the path has another form, or there is no such file.
    """
    file, colon, function = path.rpartition(":")
    if not (file and colon and function.isidentifier()):
        raise SuiteError(
            Problem(
                slug="metric-python-path",
                message=f"metric '{metric}': path must be a file and a function in it, not {path!r}",
                fix=f"path: {path.rstrip(':') or 'metrics/mine.py'}:score",
            )
        )
    resolved_path = resolved(file, base_dir)
    content = read_file(resolved_path, metric=metric, option="path")
    return FunctionPlace(
        metric=metric,
        path=resolved_path,
        function=function,
        content=content,
        content_hash=code_hash(resolved_path)[:12],
    )


def load_function(place: FunctionPlace) -> tuple[Callable[..., Any], ModuleType]:
    """Run the file and return the function with its module.

    Raises:
        SuiteError: the file is no Python, raises while it is loaded, or has no such function.
    """
    module = _loaded_module(place)
    function = getattr(module, place.function, None)
    if callable(function):
        return function, module
    if function is not None:
        raise place.problem(
            slug="metric-python-function", message=f"{place.function!r} is no function but {type(function).__name__}"
        )
    known = _functions(place)
    listed = ", ".join(known[:_LISTED]) or "none"
    raise place.problem(
        slug="metric-python-function",
        message=f"there is no function {place.function!r} in {place.path.name}; its functions: {listed}",
        fix=did_you_mean(place.function, known),
    )


def _loaded_module(place: FunctionPlace) -> ModuleType:
    file = place.path.resolve()
    name = f"retest_metric_{hashlib.sha256(bytes(str(file), 'utf-8', 'surrogateescape')).hexdigest()[:12]}"
    name = f"{name}_{place.content_hash}"
    if name in sys.modules:
        return sys.modules[name]
    code = _compiled(place, str(file))
    module = ModuleType(name)
    module.__file__ = str(file)
    # Dataclasses and pickling look a class's module up by name; files beside this one can be imported by it.
    sys.modules[name] = module
    forbid_exit()
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    try:
        exec(code, module.__dict__)  # noqa: S102 - running the user's metric is the feature; `runs_code` guards it
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise place.problem(
            slug="metric-python-import", message=f"the file cannot be loaded: {described(error, place)}"
        ) from error
    return module


def _compiled(place: FunctionPlace, filename: str) -> Any:
    try:
        return compile(place.content, filename, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise place.problem(
            slug="metric-python-syntax", message=f"the file is no Python: {error.msg}", line=error.lineno
        ) from None
    except (ValueError, RecursionError) as error:
        raise place.problem(slug="metric-python-syntax", message=f"the file is no Python: {error}") from None


def _functions(place: FunctionPlace) -> list[str]:
    tree = ast.parse(place.content)
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def failure_in(error: BaseException, place: FunctionPlace) -> MetricFailure:
    """Return an exception of the user's code as data, its own line first."""
    return MetricFailure(kind="raised", message=described(error, place))


def described(error: BaseException, place: FunctionPlace) -> str:
    """Return ``file:line: ValueError: what (in score: the line)``, with the innermost line of the user's own file."""
    what = f"{type(error).__name__}: {_text_of(error)}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)
    filename = str(place.path.resolve())
    own = [frame for frame in frames if frame.filename == filename]
    if not own:
        return f"{place.path}: {what}"
    frame = own[-1]
    source = f": {frame.line}" if frame.line else ""
    return f"{place.path}:{frame.lineno}: {what} (in {frame.name}{source})"


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's exception class may raise in turn
        return "an exception that cannot be shown"


def parameters_of(place: FunctionPlace, function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the function's parameters by name.

    Raises:
        SuiteError: it has no readable signature (some built-in functions).
    """
    try:
        return inspect.signature(function).parameters
    except (ValueError, TypeError) as error:
        raise place.problem(
            slug="metric-python-signature", message=f"cannot read the signature of {place.function}: {error}"
        ) from None
