from __future__ import annotations

from email.utils import formatdate

import pytest

from retest.targets.call_errors import ErrorBody, error_in_success, read_error_body, retry_after_s, status_error

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("status", "kind", "retryable", "fatal"),
    [
        (400, "bad_request", False, False),
        (401, "authentication", False, True),
        (402, "permission", False, True),  # no credit left: no other call can succeed
        (403, "permission", False, True),
        (404, "not_found", False, True),
        (408, "timeout", True, False),
        (409, "server_error", True, False),
        (413, "bad_request", False, False),
        (422, "bad_request", False, False),
        (429, "rate_limit", True, False),
        (500, "server_error", True, False),
        (503, "server_error", True, False),
        (529, "server_error", True, False),
    ],
)
def test_a_status_decides_kind_retry_and_fatality(status: int, kind: str, *, retryable: bool, fatal: bool) -> None:
    """The table of statuses that docs/targets.md prints."""
    error = status_error(status, ErrorBody(message="m"), {}, NOW)
    assert (error.kind, error.retryable, error.fatal, error.status) == (kind, retryable, fatal, status)


@pytest.mark.parametrize("status", [400, 403, 422, 429])
def test_a_content_filter_is_neither_retried_nor_fatal(status: int) -> None:
    """A refused case must not stop the run, and would be refused again."""
    error = status_error(status, ErrorBody(message="m", codes=frozenset({"content_filter"})), {}, NOW)
    assert (error.kind, error.retryable, error.fatal) == ("content_filter", False, False)


def test_an_exhausted_quota_ends_the_run() -> None:
    """429 with insufficient_quota does not go away by waiting."""
    error = status_error(
        429, ErrorBody(message="m", codes=frozenset({"insufficient_quota"})), {"retry-after": "1"}, NOW
    )
    assert (error.kind, error.retryable, error.fatal, error.retry_after_s) == ("rate_limit", False, True, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": formatdate(NOW + 86_430, usegmt=True), "date": formatdate(NOW + 86_400, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True), "date": "today"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds, a date; nonsense is no wish."""
    assert retry_after_s(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("body", "message", "codes"),
    [
        (b'{"error": {"message": "no", "code": "Bad_Code", "type": "t"}}', "no", {"bad_code", "t"}),
        (b'[{"error": {"message": "no", "code": 429}}]', "no", set()),  # Gemini
        (b'{"error": "plain"}', "plain", set()),  # Ollama
        (b'{"detail": "no"}', "no", set()),  # FastAPI
        (b'{"detail": [{"loc": ["a"]}]}', '[{"loc": ["a"]}]', set()),
        (b'{"message": "no", "code": "c"}', "no", {"c"}),
        (
            b'{"error": {"message": "no", "innererror": {"code": "ResponsibleAIPolicyViolation"}}}',
            "no",
            {"responsibleaipolicyviolation"},
        ),
        (b"<html>502</html>", "<html>502</html>", set()),
        ("失敗\n しました".encode(), "失敗 しました", set()),
        (b"\xff\xfe", "\ufffd\ufffd", set()),
        (b"", "", set()),
        (b"null", "null", set()),
    ],
)
def test_error_bodies_of_many_servers_are_understood(body: bytes, message: str, codes: set[str]) -> None:
    """Message and codes are found wherever the server puts them."""
    found = read_error_body(body)
    assert (found.message, set(found.codes)) == (message, codes)


def test_a_long_error_page_is_cut() -> None:
    """A message stays readable."""
    assert len(read_error_body(b"x" * 100_000).message) < 600


def test_a_200_with_an_upstream_status_in_its_code_counts_as_that_status() -> None:
    """Gateways hide a 401 in a 200; it is fatal all the same."""
    error = error_in_success({"error": {"message": "no", "code": 401}})
    assert (error.kind, error.fatal) == ("authentication", True)


def test_a_200_with_any_other_error_object_may_be_tried_again() -> None:
    """It is a bad response."""
    error = error_in_success({"error": {"message": "upstream failed", "code": None}})
    assert (error.kind, error.retryable, error.fatal) == ("bad_response", True, False)
