"""The three endpoints of GitHub's REST API that a comment needs: list, create, update."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from retest.errors import ExitCode, Problem, RetestError, UsageError

_TIMEOUT_S = 30
_MAX_BYTES = 50_000_000  # of an answer; a hundred comments of the largest size are a tenth of it
_MAX_PAGES = 200
_PER_PAGE = 100
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_REFUSED = frozenset({401, 403, 404})
_NOT_FOUND = 404
_TOO_MANY = 429
_FIRST_SERVER_ERROR = 500


class CommentError(RetestError):
    """The comment could not be made or changed."""

    exit_code = ExitCode.USAGE


class TemporaryError(CommentError):
    """Trying again may help, after `retry_after_s` where GitHub said so."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment as GitHub has it."""

    number: int
    author: str
    body: str
    url: str


class GitHubApi:
    """Comments of one repository. The token goes to this address only, and into no message."""

    def __init__(self, api_url: str, repository: str, token: str) -> None:
        parts = urlsplit(api_url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            message = "cannot comment: the API's address is neither https nor on this machine"
            raise UsageError(Problem(slug="comment-settings", message=message))
        self._root = f"{api_url.rstrip('/')}/repos/{repository}/issues"
        self._token = token

    def comments(self, pull_request: int) -> Iterator[Comment]:
        """Yield the comments of a pull request, the oldest first, page by page."""
        for page in range(1, _MAX_PAGES + 1):
            found, headers = self._call("GET", f"/{pull_request}/comments?per_page={_PER_PAGE}&page={page}")
            if not isinstance(found, list):
                self._unreadable()
            yield from (self._comment(entry) for entry in found)
            if 'rel="next"' not in headers.get("link", ""):
                return

    def create(self, pull_request: int, body: str) -> Comment:
        """Return the comment just made."""
        return self._comment(self._call("POST", f"/{pull_request}/comments", {"body": body})[0])

    def change(self, number: int, body: str) -> Comment | None:
        """Return the comment just changed, None where somebody has deleted it."""
        try:
            return self._comment(self._call("PATCH", f"/comments/{number}", {"body": body})[0])
        except _GoneError:
            return None

    def _call(
        self, method: str, path: str, content: Mapping[str, str] | None = None
    ) -> tuple[object, Mapping[str, str]]:
        data = None if content is None else json.dumps(content).encode("ascii")
        request = Request(f"{self._root}{path}", data=data, method=method)  # noqa: S310 - https or loopback, see above
        request.add_header("Accept", "application/vnd.github+json")
        request.add_header("X-GitHub-Api-Version", "2022-11-28")
        request.add_header("User-Agent", "retest")
        request.add_header("Content-Type", "application/json")
        # Not sent on when the server redirects: the token is for this address alone.
        request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - https or loopback, see above
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return json.loads(answer.read(_MAX_BYTES)), headers
        except HTTPError as error:
            with error:
                self._refuse(method, error)
        except (OSError, HTTPException) as error:
            self._fail(f"GitHub could not be reached: {getattr(error, 'reason', error)}")
        except ValueError:
            self._unreadable()

    def _refuse(self, method: str, error: HTTPError) -> NoReturn:
        said = f"GitHub answered {error.code} {error.reason}"
        limited = error.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in error.headers
        if error.code >= _FIRST_SERVER_ERROR or error.code == _TOO_MANY or (error.code in _REFUSED and limited):
            self._fail(said, _seconds(error.headers.get("retry-after")))
        if method == "PATCH" and error.code == _NOT_FOUND:
            raise _GoneError(self._problem("comment-refused", said))
        if error.code in _REFUSED:
            fix = "give the job `permissions: pull-requests: write`; pull requests from forks cannot be commented on"
            raise CommentError(self._problem("comment-refused", f"the token may not comment here: {said}", fix))
        raise CommentError(self._problem("comment-failed", said))

    def _fail(self, message: str, retry_after_s: float | None = None) -> NoReturn:
        fix = "the verdict does not depend on the comment; run the job again"
        raise TemporaryError(self._problem("comment-failed", message, fix), retry_after_s)

    def _unreadable(self) -> NoReturn:
        raise CommentError(self._problem("comment-failed", "what answered is not GitHub's API: no such JSON"))

    def _problem(self, slug: str, message: str, fix: str | None = None) -> Problem:
        # A server may repeat what it was sent.
        return Problem(slug=slug, message=message.replace(self._token, "***"), fix=fix)

    def _comment(self, entry: object) -> Comment:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), int):
            self._unreadable()
        user = entry.get("user")
        author = user.get("login") if isinstance(user, Mapping) else None  # None: the account was deleted
        return Comment(
            number=entry["id"],
            author=str(author or ""),
            body=str(entry.get("body") or ""),
            url=str(entry.get("html_url") or "").replace(self._token, "***"),
        )


class _GoneError(CommentError):
    """What was to be changed is no longer there."""


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
