"""What Jinja reports, said with file, line, what is known and how to fix it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from jinja2 import Environment, Template, TemplateSyntaxError, nodes
from jinja2.exceptions import SecurityError

from retest.errors import Location, Problem
from retest.suites.prompt_errors import RenderError
from retest.suites.prompt_sandbox import MissingVariableError
from retest.suites.source_text import SourceText
from retest.suites.suggestions import did_you_mean, listing

_TAG = re.compile(r"\{[{%#]")


def syntax_problem(error: TemplateSyntaxError, source: SourceText) -> Problem:
    """Return a syntax error at its line."""
    return _syntax(f"template syntax: {error.message}", source, error.lineno)


def unknown_names(tree: nodes.Template, source: SourceText, environment: Environment) -> Iterator[Problem]:
    """Yield each filter and test that does not exist."""
    used = sorted(tree.find_all((nodes.Filter, nodes.Test)), key=lambda node: node.lineno)
    for node in used:
        kind, known = ("filter", environment.filters) if isinstance(node, nodes.Filter) else ("test", environment.tests)
        name: str = node.name
        if name not in known:
            fix = did_you_mean(name, (candidate for candidate in known if not candidate.startswith("_")))
            yield _syntax(f"no {kind} is called '{name}'", source, node.lineno, fix)


def _syntax(message: str, source: SourceText, line: int, fix: str | None = None) -> Problem:
    text = source.line_text(line)
    tag = _TAG.search(text)
    return Problem(
        slug="prompt-syntax",
        message=f"{message}{_of(source)}",
        where=source.location(line, tag.start() + 1 if tag else None),
        details=(text.strip()[:200],) if text.strip() else (),
        fix=fix,
    )


def render_problem(error: Exception, sources: Mapping[str, SourceText], variables: Mapping[str, Any]) -> Problem:
    """Return why a template did not render, at the line of the template that failed."""
    source, line = _failing_line(error, sources)
    where = None if source is None else source.location(line)
    if isinstance(error, MissingVariableError):
        return _missing(error, source, line, variables)
    if isinstance(error, RenderError):
        return Problem(slug=error.slug, message=error.message, where=where, details=error.details, fix=error.fix)
    if isinstance(error, SecurityError):
        return Problem(
            slug="prompt-unsafe",
            message=f"the template does something the sandbox refuses: {error}",
            where=where,
            fix="use only the variables, filters and tests of templates",
        )
    return Problem(
        slug="prompt-render",
        message=f"the template failed: {type(error).__name__}: {error}",
        where=where,
        details=() if source is None else (source.line_text(line).strip()[:200],),
    )


def _missing(
    error: MissingVariableError, source: SourceText | None, line: int, variables: Mapping[str, Any]
) -> Problem:
    where = None if source is None else _name_location(source, line, error.name)
    if error.owner is not None:
        return _missing_field(error, where)
    if error.name == "expected":
        return Problem(
            slug="prompt-expected-not-available",
            message="the prompt uses 'expected', which prompts never see: it is the answer",
            where=where,
            details=(f"available variables: {listing(variables) or 'none'}",),
            fix="take it out of the prompt, or map another field to `expected:` in the dataset",
        )
    return Problem(
        slug="prompt-undefined-variable",
        message=f"the prompt uses '{error.name}', which is not among the variables",
        where=where,
        details=(f"available variables: {listing(variables) or 'none'}",),
        fix=_variable_fix(error.name, variables),
    )


def _variable_fix(name: str, variables: Mapping[str, Any]) -> str:
    for holder, value in variables.items():
        if isinstance(value, Mapping) and name in value:
            return f"'{holder}' holds it: write {{{{ {holder}.{name} }}}}, or set `vars: {holder}` in the dataset"
    suggestion = did_you_mean(name, variables)
    return suggestion or f"add it to the dataset, or write {{{{ {name} | default('') }}}}"


def _missing_field(error: MissingVariableError, where: Location | None) -> Problem:
    known = [str(key) for key in error.owner] if isinstance(error.owner, Mapping) else []
    fields = f"its fields: {listing(known)}" if known else f"it is a {type(error.owner).__name__}"
    return Problem(
        slug="prompt-undefined-variable",
        message=f"the prompt uses the field '{error.name}' of a value that has none of that name",
        where=where,
        details=(fields,),
        fix=did_you_mean(error.name, known),
    )


def _name_location(source: SourceText, line: int, name: str) -> Location:
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source.line_text(line))
    return source.location(line, found.start() + 1 if found else None)


def _failing_line(error: Exception, sources: Mapping[str, SourceText]) -> tuple[SourceText | None, int]:
    """Return the innermost template line of the traceback."""
    found: tuple[SourceText | None, int] = (None, 1)
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        template = traceback.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template) and template.name is not None and template.name in sources:
            found = sources[template.name], template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def _of(source: SourceText) -> str:
    return f" ({source.label})" if source.label else ""
