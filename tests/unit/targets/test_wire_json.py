from __future__ import annotations

import pytest

from retest.targets.wire_json import as_text, dump_json, parse_json


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        ('"\u2028"'.encode(), "\u2028"),
        (b'"\\ud800"', "\ud800"),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('"日本語"'.encode(), "日本語"),
        (b"[Infinity]", [float("inf")]),
    ],
)
def test_what_real_endpoints_send_is_read(data: bytes, value: object) -> None:
    """Lone surrogates, a byte order mark, U+2028 and infinities are read."""
    assert parse_json(data) == value


@pytest.mark.parametrize("data", [b"", b"{", b"<html>", b"\xff", b"{} {}", b"[" * 100_000])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    """Even nesting without end."""
    with pytest.raises(ValueError, match=r".+"):
        parse_json(data)


@pytest.mark.parametrize("value", ["\ud800", {"a": "x\udfff"}, 2**70, {"k": [1, None, "日本"]}, float("inf")])
def test_any_value_can_be_sent(value: object) -> None:
    """Lone surrogates and huge integers have a form on the wire that is valid UTF-8."""
    dump_json(value).decode("utf-8")


def test_a_lone_surrogate_survives_the_round_trip() -> None:
    """What was recorded is what is sent."""
    assert parse_json(dump_json({"a": "x\ud800y"})) == {"a": "x\ud800y"}


def test_a_value_without_json_form_is_a_type_error() -> None:
    """A bug in the caller is not sent as a string."""
    with pytest.raises(TypeError):
        dump_json({"a": object()})


def test_text_stays_text_and_other_values_become_json() -> None:
    """A recorded object is scored as its JSON, Japanese unescaped."""
    assert (as_text("a"), as_text({"名": 1}), as_text(None), as_text(obj := True), obj) == (
        "a",
        '{"名": 1}',
        "null",
        "true",
        True,
    )
