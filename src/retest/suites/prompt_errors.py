"""What can go wrong inside a template while it renders, before it is known where."""

from __future__ import annotations


class RenderError(Exception):
    """A mistake found while a prompt renders; becomes a Problem once file and line are known."""

    def __init__(self, *, slug: str, message: str, details: tuple[str, ...] = (), fix: str | None = None) -> None:
        super().__init__(message)
        self.slug = slug
        self.message = message
        self.details = details
        self.fix = fix
