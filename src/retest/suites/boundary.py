"""Folders that nothing an untrusted suite names may lead out of."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """The checkout of an untrusted revision: what lies in it may be read, but for hidden files.

    Hidden files are what others keep there: `.git` with a CI's token, `.env`, `.netrc`.

    Attributes:
        roots: real paths, links resolved.
    """

    roots: tuple[Path, ...]

    def refusal(self, path: Path) -> str | None:
        """Return why a file may not be read, None where it may; links are followed to their end."""
        try:
            inside = self._inside(Path(os.path.realpath(path)))
        except (OSError, ValueError):  # no file has this name, which whoever reads it will say
            return None
        if inside is None:
            return "it lies outside the checkout"
        hidden = next((part for part in inside.parts if part.startswith(".")), None)
        return None if hidden is None else f"it is hidden ({hidden})"

    def leads_out(self, path: Path) -> bool:
        """Return whether a path into the checkout ends outside of it, by a link; one named outside does not."""
        named = Path(os.path.normpath(path))
        return self._inside(named) is not None and self._inside(Path(os.path.realpath(path))) is None

    def _inside(self, path: Path) -> Path | None:
        return next((path.relative_to(root) for root in self.roots if path.is_relative_to(root)), None)

    def narrowed(self, folder: Path) -> Path:
        """Return a folder for includes, or the checkout's root where that folder reaches further."""
        real = Path(os.path.realpath(folder))
        return self.roots[0] if self._inside(real) is None else folder


def real_roots(*folders: Path) -> tuple[Path, ...]:
    """Return the folders with links resolved, each once."""
    return tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))
