"""Passwords of a store are shown neither in its URL nor in what others say about it."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
import sqlalchemy as sa

from retest.cli.config import open_workspace
from retest.domain.masking import mask_url, mask_words

PASSWORDS = {
    "plain": "Rosebud8",
    "slash": "Rose/bud8",
    "space": "Rose bud8",
    "colon": "Rose:bud8",
    "query": "Rose?bud#8&x",
    "at": "Rose@bud8",
    "encoded": "Rose%2Fbud8",
    "newline": "Rose\nbud8",
    "Japanese": "薔薇/つぼみ8",
    "percent": "Rose%bud8",
}
PARTS = ("Rose", "bud8", "薔薇", "つぼみ8")


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
@pytest.mark.parametrize("address", ["127.0.0.1:1/db", "[::1]:5432/db", "host/db?sslmode=require", "host:port/db"])
@pytest.mark.parametrize("user", ["me", "me@server", "us er", ""])
def test_no_part_of_a_password_is_left_in_a_url(user: str, address: str, password: str) -> None:
    """Whatever characters it has, and whether or not the URL is a sound one; user and host stay."""
    assert mask_url(f"postgresql://{user}:{password}@{address}") == f"postgresql://{user}:***@{address}"


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
def test_what_sqlalchemy_takes_for_the_password_is_masked(password: str) -> None:
    """The store is opened by its reading of the URL."""
    url = f"postgresql://me:{password}@host/db"
    taken = sa.make_url(url).password
    assert taken
    assert taken not in mask_url(url)


@pytest.mark.parametrize("name", ["password", "sslpassword", "PASSWORD"])
def test_passwords_among_the_options_are_masked(name: str) -> None:
    """They may hold spaces and quotes; what follows stays."""
    assert mask_url(f"postgresql://me@host/db?{name}=Rose bud'8&a=b") == f"postgresql://me@host/db?{name}=***&a=b"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@host:5432/db?sslmode=require",
        "postgresql:///db",
        ".retest/retest.db",
        "/home/me@work/retest.db",
        r"C:\Users\me@work\retest.db",
        "ray://head:10001",
        "",
    ],
)
def test_what_holds_no_password_stays(url: str) -> None:
    """Paths may hold an @, and users need no password."""
    assert mask_url(url) == url


@pytest.mark.parametrize("url", ["postgresql:/me:Rosebud8@host/db", "/work/me:Rosebud8@host/db"])
def test_a_url_that_was_mistyped_is_masked(url: str) -> None:
    """It is taken for a path, and the path is shown."""
    assert "Rosebud8" not in mask_url(url)


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS)
def test_a_driver_may_say_the_password_in_any_spelling(password: str) -> None:
    """As it is, encoded, within a URL, and as a part of what it took for the host."""
    url = f"postgresql://me:{password}@host/db"
    decoded = unquote(password)
    said = f"no host '{password.rpartition('@')[2]}@host' in {url}: {decoded}, {quote(decoded, safe='')} refused"
    masked = mask_words(said, url)
    assert not [part for part in PARTS if part in masked]
    assert masked.startswith("no host '")
    assert masked.endswith(" refused")


def test_words_that_merely_contain_a_short_password_stay() -> None:
    """Else the message could not be read."""
    said = 'connection to "a" as user "postgres" failed'
    assert mask_words(said, "postgresql://me:a@host/db") == 'connection to "***" as user "postgres" failed'


def test_a_password_that_the_url_shows_anyway_stays() -> None:
    """Which user was refused is worth more than hiding his name."""
    said = 'password authentication failed for user "postgres"'
    assert mask_words(said, "postgresql://postgres:postgres@host/db") == said


def test_the_command_that_is_kept_with_a_run_holds_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown as the way to go on, and in reports."""
    (tmp_path / "retest.toml").touch()
    monkeypatch.chdir(tmp_path)
    stores = ["--store", "postgresql://me:Rose/bud8@host/db", "--store=postgresql://me:Rosebud8@host/db"]
    monkeypatch.setattr(sys, "argv", ["retest", "run", *stores])
    expected = "'postgresql://me:***@host/db'"
    assert open_workspace().command == f"retest run --store {expected} '--store=postgresql://me:***@host/db'"
