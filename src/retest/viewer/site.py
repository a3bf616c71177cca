"""What every page of the viewer needs: the store, the workspace, the templates, the language of who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from retest.report.html.render import environment
from retest.report.html.tables import slice_table, usage_rows
from retest.report.html.words import LANGUAGES, Language, Words
from retest.store.database import Store
from retest.viewer.guard import Gatekeeper
from retest.workflows.view_compare import Comparisons
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.viewer.reviewing import ReviewDesk  # which imports this module

LANGUAGE_COOKIE = "retest-language"
_MOST_FORM_BYTES = 2_000_000

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The viewer's surroundings; `language` is None where the browser's is meant, `reviews` where none are kept."""

    store: Store
    workspace: Workspace
    gatekeeper: Gatekeeper
    comparisons: Comparisons
    language: Language | None = None
    reviews: ReviewDesk | None = None
    words: Mapping[Language, Words] = field(default_factory=lambda: {name: Words(name) for name in LANGUAGES})

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page in the language of who asks."""
        words = self.words[self.language_of(request)]
        body = (
            environment("retest.viewer")
            .get_template(template)
            .render(
                w=words,
                t=words.shown,
                path=request.url.path,
                query=dict(request.query_params),
                form_key=self.gatekeeper.form_key,
                slice_table=slice_table,
                usage_rows=usage_rows,
                link=link,
                **values,
            )
        )
        return HTMLResponse(body, status_code=status)

    def language_of(self, request: Request) -> Language:
        """Return the language of the command line, else the one chosen on a page, else the browser's first."""
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        wanted = [self.language, chosen, *_preferred(request.headers.get("accept-language", ""))]
        known: dict[str | None, Language] = {name: name for name in LANGUAGES}
        return next((known[name] for name in wanted if name in known), "en")


def _preferred(header: str) -> list[str]:
    """Return the languages that a browser asks for, the dearest first."""
    found = []
    for place, part in enumerate(header.split(",")):
        name, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.partition("q=")[2] or 1)
        except ValueError:
            weight = 0.0
        found.append((-weight, place, name[:2].lower()))
    return [name for _, _, name in sorted(found)]


def link(path: str, query: Query | None = None, /, **changes: object) -> str:
    """Return an address with some of its query changed; what is empty is left out."""
    values = {**(query or {}), **{name: "" if value is None else str(value) for name, value in changes.items()}}
    rest = urlencode({name: value for name, value in values.items() if value})
    return f"{path}?{rest}" if rest else path


async def read_form(request: Request, gatekeeper: Gatekeeper) -> dict[str, list[str]]:
    """Return the fields of a form that one of our pages sent.

    Raises:
        HTTPException: it carries another key, or is too long.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            raise HTTPException(413, "the form is too long")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=5_000)
    if not gatekeeper.is_form_key(fields.get("key", [""])[0]):
        raise HTTPException(403, "the page is of an earlier `retest view`: load it again")
    return fields


def one(fields: Mapping[str, list[str]], name: str, default: str = "") -> str:
    """Return a field's first value."""
    return (fields.get(name) or [default])[0]


def number(text: str, default: int = 0) -> int:
    """Return a whole number of at most nine digits from an address; anything else is the default."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default  # noqa: PLR2004 - fits a column
