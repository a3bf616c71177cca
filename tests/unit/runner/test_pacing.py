"""When a failed call is tried again."""

from __future__ import annotations

import random

import pytest

from retest.domain.sample import CallError
from retest.runner.pacing import FailureStreak, RetryPolicy

POLICY = RetryPolicy(attempts=3, base_s=0.5, cap_s=4.0, patience_s=60.0)


def wait(error: CallError, attempt: int = 1, waited_s: float = 0.0) -> float | None:
    return POLICY.wait_before_retry(error, attempt, waited_s, random.Random(1))  # noqa: S311 - jitter


def failing(kind: str = "server_error", **changes: object) -> CallError:
    return CallError(kind=kind, message="no", **{"retryable": True, **changes})  # type: ignore[arg-type] # test data


def test_what_cannot_pass_is_not_retried() -> None:
    """A bad request stays one, a refused key too."""
    assert wait(failing(retryable=False)) is None
    assert wait(failing(fatal=True)) is None


def test_attempts_end() -> None:
    """The third of three attempts stands."""
    assert wait(failing(), attempt=2) is not None
    assert wait(failing(), attempt=3) is None


def test_a_rate_limit_is_waited_out_by_time_not_by_attempts() -> None:
    """A busy endpoint loses no call as long as patience lasts."""
    assert wait(failing("rate_limit"), attempt=50, waited_s=59.0) is not None
    assert wait(failing("rate_limit"), attempt=50, waited_s=60.0) is None


def test_retry_after_is_honoured_with_a_little_jitter() -> None:
    """Waiting calls do not all return in the same instant, and none returns early."""
    waited = wait(failing("rate_limit", retry_after_s=7.0))
    assert waited is not None
    assert 7.0 <= waited <= 7.5


def test_an_absurd_retry_after_is_cut() -> None:
    """A server that asks for a day gets two minutes."""
    waited = wait(failing("rate_limit", retry_after_s=86_400.0))
    assert waited is not None
    assert waited <= 121


@pytest.mark.parametrize("attempt", [1, 2, 60])
def test_back_off_stays_within_its_cap(attempt: int) -> None:
    """However often it failed, no wait is longer than the cap."""
    waited = wait(failing("rate_limit"), attempt=attempt)
    assert waited is not None
    assert 0 < waited <= 4.0


def test_a_streak_of_failures_ends_at_a_success() -> None:
    """Only failures in a row stop a run."""
    streak = FailureStreak(limit=3)
    assert [streak.note(failed=failed) for failed in (True, True, False, True, True, True)] == [False] * 5 + [True]
