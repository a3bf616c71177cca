"""One comment on a pull request, kept up to date: made once, found again by its marker, changed in place.

``python -m retest.integrations.github_comment --repository owner/name --pull-request 7 --body report.md``, with the
token in the environment variable ``GITHUB_TOKEN``. The comment is only recognised if the given author wrote it and its
last line is the marker, so nobody else can put words into it. The verdict never depends on the comment.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TextIO

from retest.errors import ExitCode, Problem, RetestError, UsageError
from retest.integrations.github_api import CommentError, GitHubApi, TemporaryError
from retest.report.escape import visible
from retest.report.markdown_text import MARKER, marker

AUTHOR = "github-actions[bot]"  # who comments with the token of a workflow
_WAITS_S = (1.0, 5.0)  # before the second and the third attempt
_MAX_WAIT_S = 60.0
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

Action = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentPlace:
    """Where to comment, and as whom: `author` is the login that the token belongs to."""

    repository: str
    pull_request: int
    token: str = field(repr=False)
    author: str = AUTHOR
    api_url: str = "https://api.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentResult:
    """What was done, and where a person can read it."""

    action: Action
    url: str


def update_comment(
    place: CommentPlace, body: str, *, key: str | None = None, sleep: Callable[[float], None] = time.sleep
) -> CommentResult:
    """Make the one comment say `body`; tries three times where trying again may help.

    Args:
        place: the pull request.
        body: Markdown; its last line is the marker (added where it is missing).
        key: tells the comments of several gates on one pull request apart; by default the body's own marker does.
        sleep: waits so many seconds.

    Raises:
        UsageError: the place is impossible.
        CommentError: GitHub refused, or could not be reached.
    """
    _check(place)
    text = with_marker(body, key)
    api = GitHubApi(place.api_url, place.repository, place.token)
    for wait in (*_WAITS_S, None):
        try:
            return _update_once(api, place, text)
        except TemporaryError as error:
            if wait is None:
                raise CommentError(*error.problems) from None
            # Listed anew each time: a comment whose creation seemed to fail may be there all the same.
            sleep(min(max(wait, error.retry_after_s or 0.0), _MAX_WAIT_S))
    raise AssertionError("the last attempt returns or raises")


def with_marker(body: str, key: str | None) -> str:
    """Return the body with the marker of `key`, or its own, as the last line."""
    lines = body.rstrip().split("\n")
    own = lines.pop() if MARKER.fullmatch(lines[-1]) else None
    last = marker(key) if key is not None else own or marker()
    return "\n".join([*lines, last])


def _check(place: CommentPlace) -> None:
    wrong = []
    if not _REPOSITORY.fullmatch(place.repository):
        wrong.append("the repository is not of the form owner/name")
    if place.pull_request < 1:
        wrong.append("the pull request is not a number from 1")
    if not place.token or not place.token.isascii() or not place.token.isprintable():
        wrong.append("the token is empty, or not plain text")
    if wrong:
        raise UsageError(*(Problem(slug="comment-settings", message=f"cannot comment: {what}") for what in wrong))


def _update_once(api: GitHubApi, place: CommentPlace, text: str) -> CommentResult:
    last = text.rpartition("\n")[2]
    for comment in api.comments(place.pull_request):
        if comment.author != place.author or comment.body.rstrip().rpartition("\n")[2] != last:
            continue
        if comment.body.replace("\r\n", "\n").rstrip() == text:
            return CommentResult(action="unchanged", url=comment.url)
        changed = api.change(comment.number, text)
        if changed is not None:
            return CommentResult(action="updated", url=changed.url)
    return CommentResult(action="created", url=api.create(place.pull_request, text).url)


def main(arguments: Sequence[str], environment: Mapping[str, str], out: TextIO) -> int:
    """Comment as the arguments say, and return the exit code: 0, or 2 with the reason."""
    options = _parser().parse_args(arguments)
    place = CommentPlace(
        repository=options.repository,
        pull_request=options.pull_request,
        token=environment.get(options.token_env, ""),
        author=options.author,
        api_url=options.api_url,
    )
    try:
        body = Path(options.body).read_text("utf-8", "replace")
        result = update_comment(place, body, key=options.key)
    except OSError as error:
        out.write(f"error: cannot read {visible(options.body)}: {error.strerror}\n")
        return int(ExitCode.USAGE)
    except RetestError as error:
        out.write(f"{visible(str(error))}\n")
        return int(error.exit_code)
    out.write(f"comment {result.action}: {visible(result.url)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m retest.integrations.github_comment",
        description="Keep one comment on a pull request up to date; the token is read from the environment.",
    )
    parser.add_argument("--repository", required=True, metavar="OWNER/NAME")
    parser.add_argument("--pull-request", required=True, type=int, metavar="NUMBER")
    parser.add_argument("--body", required=True, metavar="FILE", help="Markdown, as `--report markdown=FILE` wrote it")
    parser.add_argument("--key", help="tells the comments of several gates apart")
    parser.add_argument("--author", default=AUTHOR, help="login that the token belongs to (default: %(default)s)")
    parser.add_argument("--api-url", default="https://api.github.com", help="of GitHub Enterprise, say")
    parser.add_argument("--token-env", default="GITHUB_TOKEN", metavar="NAME", help="variable with the token")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout))
