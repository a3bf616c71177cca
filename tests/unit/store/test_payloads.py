"""What goes into a column comes out of it again."""

from __future__ import annotations

import json
import math
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retest.domain.sample import CallError, MetricFailure, Response, Score, Usage
from retest.store.payloads import (
    decode_error,
    decode_json,
    decode_response,
    decode_score,
    decode_text,
    decode_time,
    encode_error,
    encode_json,
    encode_response,
    encode_score,
    encode_text,
    encode_time,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates and NUL included
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(ANY_TEXT | st.text("\x00\x100123\ud800"))
def test_every_text_survives(text: str) -> None:
    """Whatever a Python string holds comes back as it was."""
    assert decode_text(encode_text(text)) == text


@given(ANY_TEXT)
def test_encoded_text_is_storable(text: str) -> None:
    """Encoded text is valid UTF-8 without NUL, as PostgreSQL demands."""
    assert b"\x00" not in encode_text(text).encode("utf-8")


def test_ordinary_text_is_left_alone() -> None:
    """Text without troublesome characters is stored as it is, so that it can be searched."""
    assert encode_text("返品 100% \u2028 😀 a_b") == "返品 100% \u2028 😀 a_b"


@given(ANY_JSON)
def test_every_json_value_survives(value: object) -> None:
    """JSON values come back equal, integers past 64 bits and lone surrogates included."""
    assert decode_json(encode_json(value)) == value


@given(ANY_JSON)
def test_stored_json_is_json(value: object) -> None:
    """What is stored can be read by any JSON parser."""
    json.loads(encode_json(value))


def test_numbers_that_json_lacks_become_null() -> None:
    """Numbers that JSON lacks are stored as null rather than refused."""
    assert decode_json(encode_json({"a": math.nan, "b": -math.inf})) == {"a": None, "b": None}


def test_mappings_and_sets_are_taken() -> None:
    """Other classes of mappings and sets are stored as objects and lists."""
    assert decode_json(encode_json({"a": UserDict({"b": 1}), "c": frozenset({2})})) == {"a": {"b": 1}, "c": [2]}


def test_what_is_no_json_is_kept_as_its_repr() -> None:
    """An object that user code left in the details costs neither the details nor the sample."""
    assert decode_json(encode_json({"odd": 1j, "fine": 1})) == {"odd": "1j", "fine": 1}


def test_a_circle_is_named_rather_than_raised() -> None:
    """Details that contain themselves are replaced by a note."""
    circle: list[object] = []
    circle.append(circle)
    assert "unstorable" in decode_json(encode_json(circle))


def test_nesting_without_end_is_named_rather_than_raised() -> None:
    """Details nested deeper than Python's own limit are replaced by a note."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert "unstorable" in decode_json(encode_json(deep))


def test_a_full_response_survives() -> None:
    """Every field of a response comes back."""
    response = Response(
        output="答え\x00\ud800",
        tool_calls=({"name": "find", "arguments": {"q": "返品"}, "id": None},),
        refusal="no",
        finish_reason="stop",
        model="gpt-4o-mini-2024-07-18",
        fingerprint="fp",
        usage=Usage(input_tokens=1, output_tokens=2, cached_tokens=0, reasoning_tokens=None),
        latency_ms=12.5,
        cost_usd=0.0,
        meta={"id": "x"},
    )
    assert decode_response(*encode_response(response)) == response


def test_a_bare_response_stores_nothing_but_its_text() -> None:
    """A response without anything else needs no payload."""
    assert encode_response(Response(output="")) == ("", None)


def test_an_error_survives() -> None:
    """Every field of an error comes back."""
    error = CallError(
        kind="rate_limit", message="遅い\x00", status=429, retryable=True, fatal=False, retry_after_s=2.5, attempts=3
    )
    assert decode_error(*encode_error(error)) == error


@pytest.mark.parametrize(
    "score",
    [
        Score(value=0.5),
        Score(value=-1e300, reason="理由", details={"a": [1]}),
        Score(value=math.inf),
        Score(value=0.0, reason="", details={}),
        MetricFailure(kind="raised", message="ValueError: \ud800"),
        MetricFailure(kind="not_applicable", message=""),
    ],
)
def test_a_score_survives(score: Score | MetricFailure) -> None:
    """Scores and failures come back equal."""
    assert decode_score(encode_score(score)) == score


def test_a_nan_score_stays_a_score() -> None:
    """A metric that returned NaN did not fail: it comes back as NaN."""
    score = decode_score(encode_score(Score(value=math.nan)))
    assert isinstance(score, Score)
    assert math.isnan(score.value)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_survives_to_the_microsecond(moment: datetime) -> None:
    """Moments come back exactly."""
    assert decode_time(encode_time(moment)) == moment


def test_moments_come_back_in_utc() -> None:
    """A moment in another zone is the same moment in UTC."""
    tokyo = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert decode_time(encode_time(tokyo)).isoformat() == "2026-01-01T00:00:00+00:00"


def test_a_moment_without_a_zone_is_refused() -> None:
    """A naive datetime would be guessed wrong somewhere."""
    with pytest.raises(ValueError, match="no time zone"):
        encode_time(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
