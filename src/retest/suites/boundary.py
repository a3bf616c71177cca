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
            real = Path(os.path.realpath(path))
        except (OSError, ValueError):  # no file has this name, which whoever reads it will say
            return None
        inside = next((real.relative_to(root) for root in self.roots if real.is_relative_to(root)), None)
        if inside is None:
            return "it lies outside the checkout"
        hidden = next((part for part in inside.parts if part.startswith(".")), None)
        return None if hidden is None else f"it is hidden ({hidden})"

    def narrowed(self, folder: Path) -> Path:
        """Return a folder for includes, or the checkout's root where that folder reaches further."""
        real = Path(os.path.realpath(folder))
        if any(real.is_relative_to(root) for root in self.roots):
            return folder
        return self.roots[0]


def real_roots(*folders: Path) -> tuple[Path, ...]:
    """Return the folders with links resolved, each once."""
    return tuple(dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders))
