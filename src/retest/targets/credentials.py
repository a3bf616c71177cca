"""Credentials come from the environment and stay out of identities, errors and logs."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from retest.domain.json_value import JsonValue
from retest.errors import Location, Problem, UsageError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names of variables, headers and fields whose values are credentials. `max_tokens` is none.
_SENSITIVE = re.compile(
    r"(^|[_-])(api[_-]?key|key|token|secret|passwd|password|credentials?|auth|authorization|cookie|signature|sig)$",
    re.IGNORECASE,
)
# Providers echo a key shortened (sk-abc***xyz); that form is in no list of secrets.
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_*.\-]{6,}|\bBearer\s+[^\s\"',}]+", re.IGNORECASE)
_SHORTEST_SECRET = 4  # shorter ones are placeholders, and removing them would garble messages
_SHORTEST_IN_ENVIRONMENT = 8  # nobody named these: PASSWORD=test must not hide a word of every message
_HIDDEN = "***"
CUT = "..."  # ends a text that was shortened


def is_sensitive(name: str) -> bool:
    """Return whether the value under this name is likely a credential."""
    return _SENSITIVE.search(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expanded:
    """A text with its ``${VAR}`` filled in; `shown` is fit for identities, with credentials left as ``${VAR}``."""

    value: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)


def expand(text: str, env: Mapping[str, str], *, setting: str, where: Location | None) -> Expanded:
    """Fill in ``${VAR}`` from the environment.

    Raises:
        UsageError: a variable is not set, or its name is none.
    """
    names = _VARIABLE.findall(text)
    for name in names:
        if not _NAME.fullmatch(name) or name not in env:
            raise _unset(name, setting, where)
    return Expanded(
        value=_VARIABLE.sub(lambda match: env[match[1]], text),
        shown=_VARIABLE.sub(lambda match: match[0] if is_sensitive(match[1]) else env[match[1]], text),
        secrets=tuple(env[name] for name in names if is_sensitive(name)),
    )


def expand_headers(headers: Mapping[str, str], env: Mapping[str, str], *, where: Location | None) -> Headers:
    """Fill in ``${VAR}`` in header values; whatever comes from the environment counts as a credential there.

    Raises:
        UsageError: a variable is not set, or a value cannot stand in a header.
    """
    values: dict[str, str] = {}
    shown: dict[str, str] = {}
    secrets: list[str] = []
    for name, text in headers.items():
        value = expand(text, env, setting=f"headers.{name}", where=where).value.strip()
        if not value.isascii() or "\n" in value or "\r" in value:
            raise _bad_header(name, where)
        values[name] = value
        shown[name.lower()] = _HIDDEN if is_sensitive(name) else text
        secrets += [env[variable] for variable in _VARIABLE.findall(text)]
        if is_sensitive(name):
            secrets += [value, value.rpartition(" ")[2]]
    return Headers(values=values, shown=shown, secrets=tuple(secrets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers:
    """Header values as sent, and as shown."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    shown: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)


def environment_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables that are credentials by their names; short ones are placeholders."""
    return tuple(value for name, value in env.items() if is_sensitive(name) and len(value) >= _SHORTEST_IN_ENVIRONMENT)


def public_url(url: str) -> str:
    """Return a URL without user, password and the values of sensitive query fields."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = [(name, _HIDDEN if is_sensitive(name) else value) for name, value in parse_qsl(parts.query)]
    return urlunsplit((parts.scheme, host, parts.path, urlencode(query, safe="*${}"), ""))


def check_url(url: str, setting: str, where: Location | None) -> None:
    """Refuse what is no HTTP address.

    Raises:
        UsageError: no scheme, no host, an impossible port.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(
            Problem(
                slug="target-url",
                message=f"{setting} is no http(s) address: {'(hidden)' if '@' in url else url.partition('?')[0]!r}",
                where=where,
                fix="write it like https://host/v1",
            )
        )


def url_secrets(url: str) -> tuple[str, ...]:
    """Return what a URL says who calls: password, or the name where that is all, and the sensitive query values.

    Also in the form in which they go out, as a header.
    """
    parts = urlsplit(url)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    header = b64encode(f"{name}:{password}".encode()).decode() if name or password else ""
    queried = (value for field, value in parse_qsl(parts.query) if is_sensitive(field))
    return (parts.password or parts.username or "", password or name, header, *queried)


def hide_sensitive(value: Any) -> JsonValue:
    """Return a JSON value with everything under a sensitive name hidden."""
    if isinstance(value, Mapping):
        return {str(name): _HIDDEN if is_sensitive(str(name)) else hide_sensitive(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hide_sensitive(item) for item in value]
    return value  # type: ignore[no-any-return]  # a JSON scalar


class Scrubber:
    """Takes credentials out of any text; holds them where no `repr` shows them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        bare = {secret.strip() for secret in secrets}
        known = {form for secret in bare for form in (secret, quote(secret, safe=""), escape(secret), _in_json(secret))}
        self.__secrets = sorted((s for s in known if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)

    def scrub(self, text: str) -> str:
        """Return the text with every known credential, and everything that looks like a key, replaced by ``***``."""
        for secret in self.__secrets:
            text = text.replace(secret, _HIDDEN)
        return _KEY_LIKE.sub(_HIDDEN, self._without_stump(text))

    def _without_stump(self, text: str) -> str:
        """Return a shortened text without the beginning of a credential that it was cut in."""
        head = text.removesuffix(CUT)
        if head == text:
            return text
        for secret in self.__secrets:
            for length in range(min(len(secret), len(head)), _SHORTEST_SECRET - 1, -1):
                if head.endswith(secret[:length]):
                    return f"{head[:-length]}{_HIDDEN}{CUT}"
        return text


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def read_key(name: str, env: Mapping[str, str], *, where: Location | None) -> str | None:
    """Return a key from the environment without surrounding white space; None where unset or empty.

    Raises:
        UsageError: it has characters that no HTTP header can carry.
    """
    key = env.get(name, "").strip()
    if not key.isascii() or any(character.isspace() for character in key):
        raise UsageError(
            Problem(
                slug="target-key-malformed",
                message=f"the key in {name} holds characters that no HTTP header can carry",
                where=where,
                fix=f"set {name} to the bare key, without quotes, spaces or line breaks inside",
            )
        )
    return key or None


def missing_key(name: str, endpoint: str, *, where: Location | None) -> UsageError:
    """Return the error for a key that the endpoint certainly needs."""
    return UsageError(
        Problem(
            slug="target-key-missing",
            message=f"no key for {endpoint}: the environment variable {name} is not set",
            where=where,
            fix=f"export {name}=..., put it into .env, or name another variable with api_key_env",
        )
    )


def _unset(name: str, setting: str, where: Location | None) -> UsageError:
    problem = Problem(
        slug="target-variable-unset",
        message=f"{setting} uses ${{{name}}}, but no environment variable of that name is set",
        where=where,
        fix=f"export {name}=..., or put it into .env",
    )
    return UsageError(problem)


def _bad_header(name: str, where: Location | None) -> UsageError:
    problem = Problem(
        slug="target-header",
        message=f"the value of header '{name}' holds characters that no HTTP header can carry",
        where=where,
        fix="use printable ASCII without line breaks",
    )
    return UsageError(problem)
