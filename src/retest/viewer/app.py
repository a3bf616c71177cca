"""The viewer as an ASGI application: its addresses, and what is said where something is not there."""

from __future__ import annotations

from importlib import resources

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from retest.errors import RetestError
from retest.viewer.compare_pages import ComparePages
from retest.viewer.guard import Guard
from retest.viewer.prompt_pages import PromptPages
from retest.viewer.queue_pages import QueuePages
from retest.viewer.reviewing import ReviewPages
from retest.viewer.run_pages import RunPages
from retest.viewer.site import LANGUAGE_COOKIE, Site

_ASSETS = {
    "retest.css": ("retest.report.html", "text/css"),
    "view.css": ("retest.viewer", "text/css"),
    "view.js": ("retest.viewer", "text/javascript"),
    "icon.svg": ("retest.viewer", "image/svg+xml"),
}
_YEAR_S = 365 * 24 * 3600


def build_app(site: Site) -> ASGIApp:
    """Return the application, guarded."""
    runs, compare, prompts = RunPages(site), ComparePages(site), PromptPages(site)
    app = Starlette(
        routes=[
            Route("/", runs.runs),
            Route("/search", runs.search),
            Route("/runs/{run}", runs.run),
            Route("/runs/{run}/progress", runs.progress),
            Route("/runs/{run}/cases", runs.cases),
            Route("/runs/{run}/cases/{case}", runs.case),
            Route("/runs/{run}/raw", runs.raw),
            Route("/compare", compare.compare),
            Route("/compare/ready", compare.ready),
            Route("/compare/cases", compare.cases),
            Route("/compare/cases/{case}", compare.case),
            Route("/prompts", prompts.prompts),
            Route("/prompts/{prompt:path}/history", prompts.history),
            Route("/prompts/{prompt:path}/save", prompts.save, methods=["POST"]),
            Route("/prompts/{prompt:path}/try", prompts.attempt, methods=["POST"]),
            Route("/prompts/{prompt:path}", prompts.prompt),
            Route("/reviews", ReviewPages(site).save, methods=["POST"]),
            Route("/reviews", QueuePages(site).queue),
            Route("/language/{language}", _choose_language),
            Route("/assets/{name}", _asset),
        ],
        exception_handlers={
            RetestError: lambda request, error: _wrong(site, request, error),
            HTTPException: lambda request, error: _not_there(site, request, error),
        },
    )
    return Guard(app, site.gatekeeper)


def _wrong(site: Site, request: Request, error: Exception) -> Response:
    problems = [str(problem) for problem in error.problems] if isinstance(error, RetestError) else [str(error)]
    return site.page(request, "wrong.html", 404, problems=problems)


def _not_there(site: Site, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = error.detail if isinstance(error, HTTPException) else str(error)
    return site.page(request, "wrong.html", status, problems=[f"{status}: {text}"])


def _choose_language(request: Request) -> Response:
    """Keep a language in a cookie, and go back to the page."""
    back = request.query_params.get("back", "/")
    answer = RedirectResponse("/" + back.lstrip("/\\"), status_code=303)
    language = request.path_params["language"]
    if language in {"en", "ja"}:
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR_S, samesite="lax", path="/")
    return answer


def _asset(request: Request) -> Response:
    """Give a style sheet or script of the package; there is no path from a request to any other file."""
    name = request.path_params["name"]
    if name not in _ASSETS:
        return PlainTextResponse("not found", status_code=404)
    package, kind = _ASSETS[name]
    body = resources.files(package).joinpath("assets", name).read_bytes()
    return Response(body, media_type=kind, headers={"cache-control": "max-age=60"})
