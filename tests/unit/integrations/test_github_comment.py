"""One comment, kept up to date, against a server that speaks GitHub's endpoints."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from retest.errors import RetestError, UsageError
from retest.integrations.github_api import CommentError
from retest.integrations.github_comment import CommentPlace, main, update_comment, with_marker
from retest.report.markdown import render_markdown
from support import gate_reports as reports
from support.github_server import LOGIN, Failure, GitHubServer, stored

TOKEN = "ghs_planted0token"
MARKED = "verdict\n\n<!-- retest:gate -->"


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with GitHubServer(token=TOKEN) as running:
        yield running


def place(server: GitHubServer) -> CommentPlace:
    return CommentPlace(repository="o/r", pull_request=7, token=TOKEN, api_url=server.url)


def update(server: GitHubServer, body: str = MARKED, *, key: str | None = None) -> tuple[str, list[float]]:
    """Return what was done, and how long was waited in between."""
    waits: list[float] = []
    return update_comment(place(server), body, key=key, sleep=waits.append).action, waits


def methods(server: GitHubServer) -> list[str]:
    return [method for method, _ in server.requests]


def test_the_first_report_is_a_new_comment(server: GitHubServer) -> None:
    """With no comment of ours there, one is made."""
    assert update(server) == ("created", [])
    assert [comment["body"] for comment in server.comments] == [MARKED]


def test_the_next_report_changes_it_in_place(server: GitHubServer) -> None:
    """The same comment gets the new text; others stay as they are."""
    server.comments += [stored(1, "someone", "hello"), stored(2, None, "by a deleted account")]
    update(server)
    assert update(server, MARKED.replace("verdict", "判定 🎌"))[0] == "updated"
    assert [comment["body"] for comment in server.comments] == [
        "hello",
        "by a deleted account",
        "判定 🎌\n\n<!-- retest:gate -->",
    ]


def test_the_same_report_changes_nothing(server: GitHubServer) -> None:
    """An unchanged comment is not written again, also where GitHub keeps other line ends."""
    server.comments.append(stored(1, LOGIN, MARKED.replace("\n", "\r\n")))
    assert update(server)[0] == "unchanged"
    assert methods(server) == ["GET"]


def test_a_real_report_is_kept_up_to_date(server: GitHubServer) -> None:
    """What the Markdown report ends with is what its comment is found by."""
    assert update(server, render_markdown([reports.regressed()]))[0] == "created"
    assert update(server, render_markdown([reports.japanese(2_000)]))[0] == "updated"
    assert update(server, render_markdown([reports.hostile()]))[0] == "updated"
    assert len(server.comments) == 1


def test_the_comment_is_found_on_a_later_page(server: GitHubServer) -> None:
    """All pages are looked through."""
    server.page_size = 20
    server.comments += [stored(n, "someone", "hello") for n in range(1, 95)]
    server.comments.append(stored(95, LOGIN, f"old\n\n{MARKED}"))
    assert update(server)[0] == "updated"
    assert methods(server) == ["GET"] * 5 + ["PATCH"]


def test_nobody_elses_comment_is_touched(server: GitHubServer) -> None:
    """A comment with the marker by another author is left alone: they could put words into the verdict later."""
    server.comments.append(stored(1, "mallory", MARKED))
    assert update(server, MARKED.replace("verdict", "failed"))[0] == "created"
    assert server.comments[0]["body"] == MARKED


def test_a_quoted_marker_is_no_marker(server: GitHubServer) -> None:
    """Only the last line counts."""
    server.comments.append(stored(1, LOGIN, f"{MARKED}\n\nand more"))
    assert update(server)[0] == "created"


def test_keys_keep_two_gates_apart(server: GitHubServer) -> None:
    """Each key has its own comment."""
    assert update(server, key="en")[0] == "created"
    assert update(server, key="ja")[0] == "created"
    assert update(server, "new", key="en")[0] == "updated"
    assert [comment["body"].splitlines()[-1] for comment in server.comments] == [
        "<!-- retest:en -->",
        "<!-- retest:ja -->",
    ]


@pytest.mark.parametrize("key", ["--> <b>", "a--b", "日本語", "a b"])
def test_a_key_cannot_end_its_marker(key: str) -> None:
    """Whatever the key, the marker is one invisible comment that is recognised again."""
    once = with_marker("x", key)
    assert once.count("-->") == 1
    assert with_marker(once, None) == once


def test_a_comment_deleted_meanwhile_is_made_again(server: GitHubServer) -> None:
    """Between listing and changing, somebody removed it."""
    server.comments.append(stored(1, LOGIN, f"old\n\n{MARKED}"))
    server.failures.append(Failure(method="PATCH", status=404))
    assert update(server)[0] == "created"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_asked_again(server: GitHubServer, status: int) -> None:
    """Up to three attempts, with growing waits."""
    server.failures += [Failure(method="GET", status=status)] * 2
    assert update(server) == ("created", [1.0, 5.0])


def test_a_server_that_stays_in_trouble(server: GitHubServer) -> None:
    """After the third attempt the error says what GitHub answered."""
    server.failures += [Failure(method="POST", status=503)] * 3
    with pytest.raises(CommentError, match=r"503.*\n.*\[comment-failed\]"):
        update(server)
    assert server.comments == []


def test_a_comment_that_was_made_although_the_answer_was_lost(server: GitHubServer) -> None:
    """A creation that seemed to fail is looked for before it is tried again, so there is never a second comment."""
    server.failures.append(Failure(method="POST", status=502, after=True))
    assert update(server)[0] == "unchanged"
    assert len(server.comments) == 1


@pytest.mark.parametrize("headers", [{"Retry-After": "7"}, {"Retry-After": "7", "X-RateLimit-Remaining": "0"}])
def test_a_rate_limit_is_waited_for(server: GitHubServer, headers: dict[str, str]) -> None:
    """GitHub's secondary limits are a 403 that says when to come back."""
    server.failures.append(Failure(method="GET", status=403, headers=headers))
    assert update(server) == ("created", [7.0])


def test_no_wait_is_longer_than_a_minute(server: GitHubServer) -> None:
    """A job does not hang for an hour because of a comment."""
    server.failures.append(Failure(method="GET", status=429, headers={"Retry-After": "3600"}))
    assert update(server)[1] == [60.0]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_said_at_once(server: GitHubServer, method: str, status: int) -> None:
    """A token that may not comment (a fork's) is not tried again; the message says which permission is needed."""
    server.failures.append(Failure(method=method, status=status))
    with pytest.raises(CommentError, match=r"pull-requests: write.*\[comment-refused\]"):
        update(server)
    assert server.comments == []


def test_a_wrong_token(server: GitHubServer) -> None:
    """The server's 401 is a refusal, and the token is in no message."""
    with pytest.raises(CommentError, match="401") as caught:
        update_comment(replace(place(server), token="wrong0token"), MARKED)
    assert "wrong0token" not in str(caught.value)


@pytest.mark.parametrize("body", ["<html>", '{"message": "a proxy"}', '[{"id": "x"}]', "[5]", ""])
def test_what_is_not_githubs_api(server: GitHubServer, body: str) -> None:
    """Something else that answers 200 is not taken for an empty list of comments."""
    server.failures.append(Failure(method="GET", status=200, body=body))
    with pytest.raises(CommentError, match="comment-failed"):
        update(server)
    assert server.comments == []


def test_nothing_listens() -> None:
    """A server that cannot be reached is an error after three attempts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    waits: list[float] = []
    with pytest.raises(CommentError, match="could not be reached"):
        update_comment(
            CommentPlace(repository="o/r", pull_request=7, token=TOKEN, api_url=url), MARKED, sleep=waits.append
        )
    assert waits == [1.0, 5.0]


def test_the_token_is_not_sent_on(server: GitHubServer) -> None:
    """A redirect to another server does not carry the token there."""
    with GitHubServer(token=TOKEN) as other:
        target = f"{other.url}/repos/o/r/issues/7/comments"
        server.failures.append(Failure(method="GET", status=302, headers={"Location": target}))
        with pytest.raises(CommentError, match="401"):
            update(server)
        assert methods(other) == ["GET"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"repository": "o/r/../x"},
        {"repository": "o"},
        {"pull_request": 0},
        {"token": ""},
        {"token": "a\r\nX: y"},
        {"api_url": "http://example.test"},
        {"api_url": "file:///etc/passwd"},
    ],
)
def test_an_impossible_place(server: GitHubServer, wrong: dict[str, str]) -> None:
    """Nothing is sent; the error is one of usage."""
    with pytest.raises(UsageError, match="comment-settings"):
        update_comment(replace(place(server), **wrong), MARKED)  # type: ignore[arg-type] # a field each
    assert server.requests == []


def test_the_token_is_not_shown() -> None:
    """Neither a place nor a traceback of it spells the token."""
    assert TOKEN not in repr(CommentPlace(repository="o/r", pull_request=7, token=TOKEN))


# -- as a program ------------------------------------------------------------------------------------------------------


def run(server: GitHubServer, body: Path, token: str = TOKEN) -> tuple[int, str]:
    out = io.StringIO()
    arguments = ["--repository", "o/r", "--pull-request", "7", "--body", str(body), "--api-url", server.url]
    return main(arguments, {"GITHUB_TOKEN": token}, out), out.getvalue()


def test_the_program_comments(server: GitHubServer, tmp_path: Path) -> None:
    """File in, comment and one line out."""
    body = tmp_path / "report.md"
    body.write_text(MARKED, "utf-8")
    assert run(server, body) == (0, "comment created: https://github.test/c/1\n")


@pytest.mark.parametrize("token", ["", TOKEN, "wrong0token"])
def test_the_program_explains_what_went_wrong(server: GitHubServer, tmp_path: Path, token: str) -> None:
    """Exit code 2 and the problem; the token is never printed, even where the server repeats it."""
    body = tmp_path / "report.md"
    body.write_text(MARKED, "utf-8")
    server.failures.append(Failure(method="GET", status=403, body=token, headers={"X-Echo": token}))
    code, out = run(server, body, token)
    assert code == 2
    assert out.startswith("error: ")
    assert not token or token not in out


def test_the_program_without_a_report(server: GitHubServer, tmp_path: Path) -> None:
    """A missing file is named; nothing is sent."""
    code, out = run(server, tmp_path / "none.md")
    assert (code, server.requests) == (2, [])
    assert "none.md" in out


def test_errors_are_those_of_retest() -> None:
    """Callers catch one family of errors."""
    assert issubclass(CommentError, RetestError)
