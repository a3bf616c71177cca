"""The page about metrics says what the metrics say of themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.metrics.documentation import describe, updated_page
from retest.metrics.registry import metric_classes, metric_infos

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_up_to_date() -> None:
    """docs/metrics.md is what `updated_page` makes of it."""
    page = PAGE.read_text("utf-8")
    assert updated_page(page, metric_infos().values()) == page


@pytest.mark.parametrize("name", metric_classes())
def test_every_option_is_explained(name: str) -> None:
    """No option without a description and a type in words."""
    for option in describe(metric_infos()[name]).options:
        assert option.description, option.name
        assert option.type not in {"", "anything"}, option.name


def test_needs_are_in_words() -> None:
    """An option that can stand in for the expected answer is named."""
    assert describe(metric_infos()["contains"]).needs == ("`expected` or `values`",)
    assert describe(metric_infos()["python"]).needs == ("your code",)


def test_a_page_without_marks_is_refused() -> None:
    """Nothing is overwritten by accident."""
    with pytest.raises(ValueError, match="needs a part between"):
        updated_page("# Metrics\n", metric_infos().values())
