from __future__ import annotations

import pytest

from retest.errors import UsageError
from retest.targets.credentials import (
    Scrubber,
    check_url,
    expand,
    expand_headers,
    hide_sensitive,
    is_sensitive,
    public_url,
    read_key,
    url_secrets,
)

SECRET = "tok-4f9c2a77"


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY",
        "authorization",
        "x-api-key",
        "Ocp-Apim-Subscription-Key",
        "api_key",
        "HF_TOKEN",
        "cookie",
        "sig",
    ],
)
def test_names_of_credentials_are_recognised(name: str) -> None:
    """Usual names of keys, tokens and cookies are sensitive."""
    assert is_sensitive(name)


@pytest.mark.parametrize("name", ["max_tokens", "keyboard", "HOST", "monkey", "tokens", "X-Variant"])
def test_other_names_are_not_sensitive(name: str) -> None:
    """A name that merely resembles one is left alone."""
    assert not is_sensitive(name)


def test_a_variable_is_filled_in_and_stays_hidden_where_it_is_a_credential() -> None:
    """The value is used; what is shown keeps ``${VAR}`` for credentials only."""
    found = expand("https://${HOST}/${MY_TOKEN}", {"HOST": "h", "MY_TOKEN": SECRET}, setting="url", where=None)
    assert found.value == f"https://h/{SECRET}"
    assert found.shown == "https://h/${MY_TOKEN}"
    assert SECRET not in repr(found)


@pytest.mark.parametrize("text", ["${MISSING}", "${}", "${A-B}", "x${MISSING}y"])
def test_an_unset_variable_is_a_usage_error_that_names_the_setting(text: str) -> None:
    """Nothing is sent to a half-filled address."""
    with pytest.raises(UsageError, match="base_url uses"):
        expand(text, {}, setting="base_url", where=None)


def test_header_values_from_the_environment_are_secrets_whatever_their_name() -> None:
    """A header's variable is never shown."""
    headers = expand_headers({"X-Team": "${TEAM}", "X-Plain": "b"}, {"TEAM": SECRET}, where=None)
    assert headers.values == {"X-Team": SECRET, "X-Plain": "b"}
    assert headers.shown == {"x-team": "${TEAM}", "x-plain": "b"}
    assert SECRET in headers.secrets
    assert SECRET not in repr(headers)


def test_a_literal_authorization_header_is_hidden_with_and_without_its_scheme() -> None:
    """Both ``Bearer x`` and ``x`` count as secrets."""
    headers = expand_headers({"Authorization": f"Bearer {SECRET}"}, {}, where=None)
    assert headers.shown == {"authorization": "***"}
    assert {SECRET, f"Bearer {SECRET}"} <= set(headers.secrets)


@pytest.mark.parametrize("value", ["a\nb", "日本", "a\rb"])
def test_a_header_value_that_cannot_be_sent_is_refused(value: str) -> None:
    """Header injection and non-ASCII values are found before any call."""
    with pytest.raises(UsageError, match="X-A"):
        expand_headers({"X-A": value}, {}, where=None)


def test_a_public_url_has_no_user_password_or_key() -> None:
    """User info goes, sensitive query values are starred, the rest stays."""
    assert public_url("https://u:p@h:8/v1?key=abc&v=2") == "https://h:8/v1?key=***&v=2"
    assert set(url_secrets("https://u:pass@h/?key=abc&v=2")) == {"pass", "abc", "dTpwYXNz"}


@pytest.mark.parametrize(
    "url", ["", "h/v1", "ftp://h", "http://", "http://h:99999", "file:///etc/passwd", "http://[::1"]
)
def test_what_is_no_http_address_is_refused(url: str) -> None:
    """A mistyped base_url is a usage error, not a failed run."""
    with pytest.raises(UsageError, match="http"):
        check_url(url, "base_url", None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1", "https://h", "http://[::1]:80/v1", "https://例え.jp/v1"])
def test_http_addresses_are_accepted(url: str) -> None:
    """Ports, IPv6 and international names are fine."""
    check_url(url, "base_url", None)


def test_scrubbing_removes_known_secrets_in_plain_and_quoted_form() -> None:
    """A secret with special characters is also found percent-encoded."""
    scrubber = Scrubber(["a/b+c=d", ""])
    assert scrubber.scrub("x a/b+c=d y a%2Fb%2Bc%3Dd z") == "x *** y *** z"


@pytest.mark.parametrize("text", ["sk-proj-abc123def", "Incorrect key sk-ab***************yz.", "Bearer abc.def.ghi"])
def test_scrubbing_removes_what_looks_like_a_key(text: str) -> None:
    """A shortened key that the server echoes is not in the list, and goes all the same."""
    assert "***" in Scrubber().scrub(text)
    assert "ab" not in Scrubber().scrub(text)


def test_scrubbing_leaves_ordinary_text_and_short_placeholders_alone() -> None:
    """A placeholder key such as 'x' does not garble messages."""
    assert Scrubber(["x", "abc"]).scrub("xylophone abc risk-averse 日本語") == "xylophone abc risk-averse 日本語"


def test_a_scrubber_shows_no_secret() -> None:
    """Neither repr nor str nor its visible attributes hold it."""
    assert SECRET not in repr(Scrubber([SECRET]))


def test_sensitive_fields_of_a_body_are_hidden_at_any_depth() -> None:
    """Identities of bodies with keys carry stars."""
    assert hide_sensitive({"a": [{"api_key": "x", "b": 1}]}) == {"a": [{"api_key": "***", "b": 1}]}


def test_a_key_is_read_without_surrounding_white_space() -> None:
    """The usual trailing line break of a pasted key does no harm."""
    assert read_key("K", {"K": " abc\n"}, where=None) == "abc"


@pytest.mark.parametrize("env", [{}, {"K": ""}, {"K": "  \n"}])
def test_an_empty_key_is_no_key(env: dict[str, str]) -> None:
    """An empty variable counts as unset."""
    assert read_key("K", env, where=None) is None


@pytest.mark.parametrize("key", ["a b", "a\nb", "鍵", "\u201cabc\u201d"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    """The message names the variable, not the value."""
    with pytest.raises(UsageError, match="the key in K holds") as caught:
        read_key("K", {"K": key}, where=None)
    assert key not in str(caught.value)
