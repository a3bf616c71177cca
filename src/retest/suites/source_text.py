"""One template text and the place in a file where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from retest.errors import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceText:
    """One template text and where it stands.

    Attributes:
        key: absolute path (of a made-up file for inline text); includes are resolved from its folder.
        display: the path as the user would type it.
        body: the template, without front matter.
        first_line: line of the file at which `body` starts.
        fixed_at: the place of everything in the text, where its lines are no lines of a file (a JSON string).
        label: says which text of the file, where there are several (``message 2``).
    """

    key: str
    display: str
    body: str
    first_line: int = 1
    label: str = ""
    fixed_at: Location | None = None

    def location(self, line: int, column: int | None = None) -> Location:
        """Return the file's location of a line of the body."""
        if self.fixed_at is not None:
            return self.fixed_at
        return Location(path=self.display, line=self.first_line + line - 1, column=column)

    def line_text(self, line: int) -> str:
        """Return a line of the body, "" past its end."""
        lines = self.body.split("\n")
        return lines[line - 1] if 0 < line <= len(lines) else ""
