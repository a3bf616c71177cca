"""Who is let in: the host asked for, the token, the origin of forms."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse

from retest.viewer.guard import Gatekeeper, Guard, is_loopback
from retest.viewer.serve import ServeOptions, address, make_gatekeeper
from support.asgi import HOST, Browser

LOCAL = make_gatekeeper(ServeOptions())
REMOTE = make_gatekeeper(ServeOptions(host="0.0.0.0", token="s3cret", names=("review.example.com",)))  # noqa: S104 - on purpose


def browser(keeper: Gatekeeper, host: str = HOST) -> Browser:
    """Return a browser in front of a page that says hello."""
    return Browser(app=Guard(PlainTextResponse("hello"), keeper), headers={"host": host})


@pytest.mark.parametrize("host", ["127.0.0.1:8321", "localhost", "[::1]:8321", "LOCALHOST:1"])
def test_this_machine_is_let_in(host: str) -> None:
    """By every name that it has for itself."""
    assert browser(LOCAL, host).get("/").text == "hello"


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8321", "", "a b", "10.0.0.7"]
)
def test_another_name_is_refused(host: str) -> None:
    """A page that makes its own name lead here (DNS rebinding) reads nothing."""
    answer = browser(LOCAL, host).get("/")
    assert (answer.status, "hello" in answer.text) == (421, False)


def test_every_answer_has_the_policy() -> None:
    """Refusals too."""
    for keeper, host in ((LOCAL, HOST), (LOCAL, "evil.example"), (REMOTE, "10.0.0.7")):
        answer = browser(keeper, host).get("/")
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:9999"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://127.0.0.1.evil.example:8321"},
    ],
)
def test_a_form_of_another_site_is_refused(headers: dict[str, str]) -> None:
    """Whatever the browser says of where it came from must be this server."""
    answer = browser(LOCAL).post("/", {}, **headers)
    assert answer.status == 403


def test_a_form_without_any_origin_is_refused() -> None:
    """What does not say where it comes from did not come from a page of ours."""
    answer = Browser(app=Guard(PlainTextResponse("hello"), LOCAL), headers={"host": HOST}).post("/", {}, origin=None)
    assert answer.status == 403


def test_a_form_of_our_own_page_is_let_through() -> None:
    """Origin and host are the same."""
    assert browser(LOCAL).post("/", {}).text == "hello"


def test_beyond_this_machine_a_token_is_needed() -> None:
    """Without one, or with another, there is no page."""
    asking = browser(REMOTE, "10.0.0.7:8321")
    assert asking.get("/").status == 401
    assert asking.get("/?token=wrong").status == 401
    assert asking.get("/", cookie="retest_token=wrong").status == 401
    assert asking.get("/", authorization="Bearer s3cret").text == "hello"
    assert asking.get("/", cookie="a=b; retest_token=s3cret").text == "hello"


def test_the_token_moves_from_the_address_into_a_cookie() -> None:
    """It does not stay in the history, and no script can read it."""
    answer = browser(REMOTE, "review.example.com").get("/runs/x?token=s3cret&sort=a%26b")
    assert (answer.status, answer.headers["location"]) == (303, "/runs/x?sort=a%26b")
    cookie = answer.headers["set-cookie"]
    assert "retest_token=s3cret" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


def test_logging_in_leads_nowhere_else() -> None:
    """A path that reads like another host stays a path."""
    answer = browser(REMOTE, "10.0.0.7").get("//evil.example/?token=s3cret")
    assert answer.headers["location"] == "/evil.example/"


def test_a_name_that_nobody_gave_is_refused_with_the_token_too() -> None:
    """Addresses and the names given are taken, no other."""
    assert browser(REMOTE, "evil.example").get("/", cookie="retest_token=s3cret").status == 421


def test_a_token_is_made_up_where_one_is_needed() -> None:
    """Listening to other machines without a token is impossible."""
    keeper = make_gatekeeper(ServeOptions(host="0.0.0.0"))  # noqa: S104 - on purpose
    assert keeper.token is not None
    assert len(keeper.token) >= 32
    assert make_gatekeeper(ServeOptions()).token is None
    assert make_gatekeeper(ServeOptions(token="mine")).token == "mine"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - on purpose
        ("example.com", False),
    ],
)
def test_what_only_this_machine_can_reach(host: str, local: bool) -> None:  # noqa: FBT001 - the expectation
    """All of 127.0.0.0/8, and nothing that others may reach."""
    assert is_loopback(host) is local


def test_the_address_carries_the_token_where_one_is_needed() -> None:
    """What is printed can be opened."""
    assert address(ServeOptions(), 8321, None) == "http://127.0.0.1:8321/"
    assert address(ServeOptions(host="::1"), 1, None) == "http://[::1]:1/"
    assert address(ServeOptions(host="review.example.com"), 80, "t") == "http://review.example.com:80/?token=t"
