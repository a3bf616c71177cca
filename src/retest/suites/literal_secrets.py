"""Credentials and ``${VAR}``: a suite names an environment variable, it never holds a key.

``${VAR}`` is filled in when a target is opened, and only in endpoints and headers; anywhere else it would be sent to
the model, or read as a file name, as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from retest.errors import Problem
from retest.suites.yaml_nodes import ListNode, MapNode, Node, NodePath, ScalarNode

EXPANDED_OPTIONS = frozenset(
    {"base_url", "endpoint", "url", "azure_endpoint", "headers", "extra_headers", "default_headers"}
)
# Text that the user means as it stands: a shell script in a prompt or a dataset may well hold ${HOME}.
_VERBATIM = frozenset({"description", "metadata", "redact"})
_VERBATIM_IN = {"prompts": "text", "prompt": "text", "dataset": "cases"}

_VARIABLE = re.compile(r"\$\{[^}]*\}")
_SECRET_NAME = re.compile(
    r"(^|[_-])(api[_-]?key|apikey|key|token|secret|passwd|password|credentials?|authorization|cookie)$", re.IGNORECASE
)
_KEY_LIKE = re.compile(r"\b(?:sk|pk|rk)-[A-Za-z0-9_-]{16,}|\bBearer\s+(?!\$\{)[^\s\"',}]{8,}", re.IGNORECASE)
_URL_SECRET = re.compile(
    r"://[^/@\s]*:(?!\$\{)[^/@\s]+@|[?&](?:api[-_]?key|key|token|sig)=(?!\$\{)[^&]+", re.IGNORECASE
)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_secret_name(name: str) -> bool:
    """Return whether a value under this key is likely a credential; ``api_key_env`` and ``max_tokens`` are none."""
    return _SECRET_NAME.search(name) is not None


def secret_problems(tree: Node) -> Iterator[Problem]:
    """Yield literal credentials in targets, and ``${VAR}`` where nothing fills it in."""
    for path, node in _texts(tree, ()):
        problem = _secret(path, node) or _variable(path, node)
        if problem is not None:
            yield problem


def _texts(node: Node, path: NodePath) -> Iterator[tuple[NodePath, ScalarNode]]:
    if isinstance(node, MapNode):
        for key, entry in node.entries.items():
            if not _is_verbatim((*path, key)):
                yield from _texts(entry.node, (*path, key))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from _texts(item, (*path, index))
    elif isinstance(node.value, str):
        yield path, node


def _is_verbatim(path: NodePath) -> bool:
    return path[0] in _VERBATIM or (len(path) > 1 and path[-1] == _VERBATIM_IN.get(str(path[0])))


def _in_target(path: NodePath) -> bool:
    return path[0] in {"target", "targets", "judges"} or path[:2] == ("defaults", "target")


def _keys(path: NodePath) -> tuple[str, ...]:
    return tuple(part for part in path[1:] if isinstance(part, str))


def _secret(path: NodePath, node: ScalarNode) -> Problem | None:
    text, keys = str(node.value), _keys(path)
    last = keys[-1] if keys else ""
    if last.endswith("_env"):
        return None if _ENV_NAME.fullmatch(text) and not _KEY_LIKE.search(text) else _no_variable_name(last, node)
    named = _in_target(path) and is_secret_name(last) and not _VARIABLE.search(text) and text != ""
    in_header = any(key.endswith("headers") for key in keys)
    if named or _KEY_LIKE.search(text) or (_in_target(path) and _URL_SECRET.search(text)):
        fix = (
            "write ${NAME_OF_VARIABLE} in its place"
            if in_header or "://" in text
            else ("put the key into an environment variable and name that: api_key_env: OPENAI_API_KEY")
        )
        return Problem(
            slug="suite-literal-secret",
            message=f"'{last}' holds a credential; suites are committed and shared",
            where=node.where,
            fix=f"{fix}; and revoke the key if it was ever committed",
        )
    return None


def _no_variable_name(key: str, node: ScalarNode) -> Problem:
    return Problem(
        slug="suite-literal-secret",
        message=f"'{key}' must be the name of an environment variable, and what it holds is no such name",
        where=node.where,
        fix=f"write {key}: OPENAI_API_KEY, and put the key itself into that variable",
    )


def _variable(path: NodePath, node: ScalarNode) -> Problem | None:
    found = _VARIABLE.search(str(node.value))
    if found is None or (_in_target(path) and any(key in EXPANDED_OPTIONS for key in _keys(path))):
        return None
    return Problem(
        slug="suite-variable-not-allowed",
        message=f"{found[0]} is not filled in here: environment variables are allowed in endpoints and headers only",
        where=node.where,
        details=(f"allowed in: {', '.join(sorted(EXPANDED_OPTIONS))} of a target",),
        fix="write the value itself, or pass it with --set",
    )
