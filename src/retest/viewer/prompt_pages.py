"""The pages of prompts: read, change, try, save; the versions that runs used."""

from __future__ import annotations

from itertools import pairwise

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from retest.domain.prompt_log import LogWish, PromptLog
from retest.errors import RetestError
from retest.report.html.marks import text_diff
from retest.viewer.run_pages import run_means
from retest.viewer.site import Site, one, read_form
from retest.workflows.prompt_log import read_log
from retest.workflows.view_prompts import (
    ChangedOnDiskError,
    PromptText,
    TryWish,
    list_prompts,
    places_to_try,
    prompt_history,
    read_prompt_text,
    save_prompt,
    try_on_cases,
)

_MOST_TRIED = 10
_MOST_VERSIONS = 30


class PromptPages:
    """What is shown of prompts."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def prompts(self, request: Request) -> Response:
        """Show the prompts of the project."""
        return self._site.page(request, "prompts.html", prompts=list_prompts(self._site.workspace))

    def prompt(self, request: Request) -> Response:
        """Show a prompt with its text to change, and its history."""
        prompt = read_prompt_text(self._site.workspace, request.path_params["prompt"])
        return self._show(request, prompt)

    def history(self, request: Request) -> Response:
        """Show the versions of a prompt that runs used, each with what it came to and what it changed."""
        path = request.path_params["prompt"]
        versions = prompt_history(self._site.store, path)
        judged = request.query_params.get("verdicts") == "1"  # which reads all scores of each two versions
        changes = [list(text_diff(older.source, newer.source)) for newer, older in pairwise(versions)]
        return self._site.page(
            request,
            "history.html",
            prompt_path=path,
            versions=versions,
            changes=[*changes, []],
            means=run_means,
            log=self._log(path, verdicts=judged),
            judged=judged,
        )

    def _log(self, path: str, *, verdicts: bool) -> PromptLog | None:
        """Return the versions in git with their results; None outside git, and for what is none of the prompts."""
        workspace, wish = self._site.workspace, LogWish(limit=_MOST_VERSIONS, verdicts=verdicts)
        if path not in list_prompts(workspace):
            return None
        try:
            return read_log(workspace, self._site.store, path, wish)
        except RetestError:
            return None

    async def save(self, request: Request) -> Response:
        """Save a changed text to the working tree."""
        fields = await read_form(request, self._site.gatekeeper)
        draft = self._draft(request, fields)
        return await run_in_threadpool(self._save, request, draft, one(fields, "message"))

    def _save(self, request: Request, draft: PromptText, message: str) -> Response:
        try:
            saved = save_prompt(self._site.workspace, draft, message)
        except ChangedOnDiskError as error:
            diff = list(text_diff(error.current.text, draft.text))
            return self._show(request, draft, 409, problems=_messages(error), disk=error.current, diff=diff)
        except RetestError as error:
            return self._show(request, draft, 422, problems=_messages(error), message=message)
        return self._show(request, saved.prompt, saved=saved)

    async def attempt(self, request: Request) -> Response:
        """Try a text on some cases; the file stays as it is."""
        fields = await read_form(request, self._site.gatekeeper)
        return await run_in_threadpool(self._attempt, request, fields)

    def _attempt(self, request: Request, fields: dict[str, list[str]]) -> Response:
        draft = self._draft(request, fields)
        cases = fields.get("case", [])[:_MOST_TRIED]
        suite, _, target = one(fields, "place").partition("\t")
        wish = TryWish(path=draft.path, text=draft.text, suite=suite, target=target, cases=cases)
        message = one(fields, "message")
        try:
            tried = try_on_cases(self._site.workspace, wish)
        except RetestError as error:
            return self._show(request, draft, 422, problems=_messages(error), message=message, chosen=fields)
        return self._show(request, draft, tried=tried, message=message, chosen=fields)

    def _draft(self, request: Request, fields: dict[str, list[str]]) -> PromptText:
        text = one(fields, "text").replace("\r\n", "\n")
        return PromptText(path=request.path_params["prompt"], text=text, version=one(fields, "version"))

    def _show(self, request: Request, prompt: PromptText, status: int = 200, **values: object) -> Response:
        places = places_to_try(self._site.workspace, prompt.path)
        known: dict[str, object] = {
            "problems": [],
            "disk": None,
            "diff": [],
            "message": "",
            "saved": None,
            "tried": None,
            "chosen": {},
        }
        return self._site.page(
            request, "prompt.html", status, prompt=prompt, places=places, most_tried=_MOST_TRIED, **(known | values)
        )


def _messages(error: RetestError) -> list[str]:
    return [str(problem) for problem in error.problems]
