"""The files that make up a prompt: the prompt itself and all that it includes, read and checked before rendering."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from jinja2 import BaseLoader, Environment, TemplateNotFound, TemplateSyntaxError, meta, nodes

from retest.errors import Location, Problem
from retest.suites.front_matter import split_front_matter
from retest.suites.prompt_marks import mark_source
from retest.suites.prompt_sandbox import PromptEnvironment
from retest.suites.source_text import SourceText
from retest.suites.suggestions import did_you_mean
from retest.suites.template_problems import syntax_problem, unknown_names
from retest.suites.text_files import UnreadableTextError, read_text

_References = nodes.Extends | nodes.FromImport | nodes.Import | nodes.Include


class SourceLoader(BaseLoader):
    """Hands Jinja the texts that were read beforehand; nothing is read while a prompt renders."""

    def __init__(self) -> None:
        self.sources: dict[str, SourceText] = {}

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:  # noqa: ARG002 - Jinja's API
        """Return the marked text of a known source."""
        source = self.sources.get(template)
        if source is None:
            raise TemplateNotFound(template)
        return mark_source(source.body).text, source.key, None


class PromptTemplates(PromptEnvironment):
    """The environment of one prompt: includes are named relative to the file that names them."""

    def __init__(self, loader: SourceLoader) -> None:
        super().__init__(loader)
        self.source_loader = loader

    def join_path(self, template: str, parent: str) -> str:
        """Return the key of an included file."""
        return os.path.normpath(Path(parent).parent / template)

    @property
    def sources(self) -> Mapping[str, SourceText]:
        """The texts known so far, by key."""
        return self.source_loader.sources


class SourceReader:
    """Reads a prompt's texts and, recursively, what they include; collects every problem on the way."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.environment = PromptTemplates(SourceLoader())
        self.problems: list[Problem] = []
        self._trees: dict[str, nodes.Template] = {}
        self._used: dict[str, frozenset[str]] = {}

    def add(self, source: SourceText) -> None:
        """Parse a text and read what it includes."""
        self._add(source, ())

    def tree(self, key: str) -> nodes.Template:
        """Return the parsed text."""
        return self._trees[key]

    def used_variables(self, key: str) -> frozenset[str]:
        """Return the names that a text looks up and does not define itself (what it includes aside)."""
        return self._used[key]

    @property
    def included(self) -> dict[str, str]:
        """Bodies of all known texts, by key."""
        return {key: source.body for key, source in self.environment.sources.items()}

    def children(self, key: str) -> list[str]:
        """Return the keys of the texts that a text includes or extends (not of those it only imports macros from)."""
        nodes_here = self._trees[key].find_all((nodes.Include, nodes.Extends))
        return [child for node in nodes_here for child in self.included_by(key, node)]

    def included_by(self, key: str, node: nodes.Node) -> list[str]:
        """Return the keys of the files that one include of a text may bring in; missing ones are left out."""
        names = _names(node.template)  # type: ignore[attr-defined]  # includes and extends have it
        keys = [self.environment.join_path(name, key) for name in names if name is not None]
        return [child for child in keys if child in self._trees]

    def _add(self, source: SourceText, including: tuple[str, ...]) -> None:
        self.environment.source_loader.sources[source.key] = source
        try:
            tree = self.environment.parse(mark_source(source.body).text, source.key, source.key)
            unknown = list(unknown_names(tree, source, self.environment))
            if not unknown:
                self._used[source.key] = frozenset(meta.find_undeclared_variables(tree))
        except (TemplateSyntaxError, RecursionError) as error:
            self.problems.append(syntax_problem(_as_syntax_error(error), source))
            return
        self.problems.extend(unknown)
        self._trees[source.key] = tree
        for reference, name in _references(tree):
            self._follow(source, reference, name, (*including, source.key))

    def _follow(self, source: SourceText, reference: _References, name: str | None, including: tuple[str, ...]) -> None:
        where = source.location(reference.lineno, _column(source, reference.lineno))
        if name is None:
            self.problems.append(_dynamic_include(where))
            return
        path = Path(self.environment.join_path(name, source.key))
        problem = self._refusal(name, path, where)
        if problem is None and str(path) in including:
            problem = _cycle(name, where)
        if problem is not None:
            if not (problem.slug == "prompt-include-missing" and getattr(reference, "ignore_missing", False)):
                self.problems.append(problem)
            return
        if str(path) not in self.environment.sources:
            self._read(path, _display(source, path), where, including)

    def _refusal(self, name: str, path: Path, where: Location) -> Problem | None:
        try:
            real = path.resolve()
            is_there = real.is_file()
        except (
            OSError,
            ValueError,
            RuntimeError,
        ) as error:  # a NUL, half a character, a name too long, a loop of links
            return Problem(
                slug="prompt-include-missing", message=f"'{name:.80}' is no usable path ({error!s:.80})", where=where
            )
        if not real.is_relative_to(self.root):
            return Problem(
                slug="prompt-include-outside",
                message=f"the included file '{name}' lies outside the prompts folder {self.root}",
                where=where,
                fix="move it below that folder",
            )
        if any(part.startswith(".") for part in real.relative_to(self.root).parts):
            return Problem(
                slug="prompt-include-outside",
                message=f"the included file '{name}' is hidden (its name starts with a dot)",
                where=where,
                fix="rename it if it belongs to the prompt",
            )
        return None if is_there else _missing_include(name, path, where)

    def _read(self, path: Path, display: str, where: Location, including: tuple[str, ...]) -> None:
        try:
            text = read_text(path, display=display)
        except UnreadableTextError as error:
            self.problems.append(error.problem(where))
            return
        parts = split_front_matter(text)
        included = SourceText(key=str(path), display=display, body=parts.body, first_line=parts.body_line)
        self._add(included, including)


def _references(tree: nodes.Template) -> Iterator[tuple[_References, str | None]]:
    """Yield each reference to another file with each name it may take; None for a name computed at run time."""
    for reference in tree.find_all((nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)):
        for name in _names(reference.template):  # type: ignore[attr-defined]  # all four have it; find_all says Node
            yield reference, name  # type: ignore[misc]  # as above


def _names(expression: nodes.Expr) -> list[str | None]:
    if isinstance(expression, nodes.Const) and isinstance(expression.value, str):
        return [expression.value]
    if isinstance(expression, nodes.Tuple | nodes.List):
        return [name for item in expression.items for name in _names(item)]
    return [None]


def _column(source: SourceText, line: int) -> int | None:
    column = source.line_text(line).find("{%")
    return column + 1 if column >= 0 else None


def _display(source: SourceText, path: Path) -> str:
    """Return an included file's path relative to what the user typed for the including file."""
    relative = os.path.relpath(path, Path(source.key).parent)
    return Path(os.path.normpath(Path(source.display).parent / relative)).as_posix()


def _missing_include(name: str, path: Path, where: Location) -> Problem:
    folder = path.parent
    siblings = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return Problem(
        slug="prompt-include-missing",
        message=f"the included file '{name}' does not exist",
        where=where,
        fix=did_you_mean(path.name, siblings) or "paths start at the folder of the file that includes",
    )


def _dynamic_include(where: Location) -> Problem:
    return Problem(
        slug="prompt-dynamic-include",
        message="the name of an included file must be written out, not computed",
        where=where,
        details=("a prompt's version covers the files it includes, so they must be known before it renders",),
        fix="choose between written-out includes with {% if %}",
    )


def _cycle(name: str, where: Location) -> Problem:
    return Problem(
        slug="prompt-include-cycle",
        message=f"'{name}' includes itself, directly or through another file",
        where=where,
        fix="remove one of the includes",
    )


def _as_syntax_error(error: TemplateSyntaxError | RecursionError) -> TemplateSyntaxError:
    """Return the error of a template that cannot be parsed; one that nests without end is such a one."""
    if isinstance(error, TemplateSyntaxError):
        return error
    return TemplateSyntaxError("expressions or blocks are nested too deeply", 1)
