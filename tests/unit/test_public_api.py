"""The decision procedure as `import retest` offers it, and the page that documents it."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from pathlib import Path

import pytest

import retest

PAGE = Path(__file__).parents[2] / "docs" / "comparing.md"


def test_the_example_of_the_page_prints_what_it_says() -> None:
    """The Python block of docs/comparing.md runs, and each printed line is the comment beside it."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    promised = [line.split("#")[1].strip() for line in code.split("\n") if line.startswith("print(")]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, {})  # noqa: S102 - the page's own example
    assert out.getvalue().splitlines() == promised


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("compare", ["baseline", "candidate", "margin", "alpha", "width", "clusters", "seed", "case_share"]),
        (
            "mde",
            [
                "n_cases",
                "k_baseline",
                "k_candidate",
                "variance_baseline",
                "variance_candidate",
                "alpha",
                "power",
                "spread",
            ],
        ),
        ("boundaries", ["information_times", "alpha"]),
        ("holm", ["p_values", "alpha"]),
        ("label_cases", ["passes_a", "samples_a", "passes_b", "samples_b"]),
        ("SequentialGate", ["n_cases", "k_baseline", "k", "metrics", "margin", "alpha", "looks", "seed"]),
    ],
)
def test_the_documented_parameters_are_taken_in_order(name: str, parameters: list[str]) -> None:
    """Each public name begins with the documented parameters."""
    found = list(inspect.signature(getattr(retest, name)).parameters)
    assert found[: len(parameters)] == parameters


def test_every_public_name_loads() -> None:
    """The lazy table names nothing that is not there."""
    assert all(callable(getattr(retest, name)) for name in dir(retest))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="no attribute 'comparison'"):
        _ = retest.comparison
