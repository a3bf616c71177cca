"""Rounding, by table: "0" and "100%" only where exactly so."""

from __future__ import annotations

import pytest

from retest.report.numbers import (
    format_cost,
    format_duration,
    format_latency,
    format_points,
    format_relative,
    format_relative_interval,
    format_share,
    format_signed,
    format_value,
)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (1.0, "100%"), (0.0001, "0.1%"), (0.9999, "99.9%"), (0.5, "50.0%"), (None, "–")],
)
def test_a_share(share: float | None, text: str) -> None:
    """Almost nothing is not nothing, almost all is not all."""
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1.0, "1"), (0.99999, "0.999"), (1e-9, "0.001"), (0.5634, "0.563"), (None, "–")]
)
def test_a_value_on_the_unit_scale(value: float | None, text: str) -> None:
    """Three decimals; the ends only where exact."""
    assert format_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5678, "1,235"), (3.14159, "3.142"), (0.0, "0"), (-12.5, "-12.5"), (1e9, "1e+09"), (1e-7, "1e-07")],
)
def test_a_value_on_another_scale(value: float, text: str) -> None:
    """Four significant digits."""
    assert format_value(value, low=None, high=None) == text


@pytest.mark.parametrize(
    ("usd", "text"), [(None, "unknown"), (0.0, "$0"), (0.00012, "$0.00012"), (0.5, "$0.500"), (12.3, "$12.30")]
)
def test_a_cost(usd: float | None, text: str) -> None:
    """An unknown cost is said to be unknown, never $0."""
    assert format_cost(usd) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (42.0, "42 s"), (187.0, "3:07"), (3723.0, "1:02:03")])
def test_a_duration(seconds: float, text: str) -> None:
    """In the unit a person would use."""
    assert format_duration(seconds) == text


def test_a_latency_and_a_difference() -> None:
    """Milliseconds below a second; a difference always has its sign."""
    assert [format_latency(250), format_latency(7_923_000), format_latency(None)] == ["250 ms", "7923.0 s", "–"]
    assert [format_signed(0.1), format_signed(-0.05), format_signed(0.0)] == ["+0.100", "-0.050", "+0"]


def test_points() -> None:
    """One decimal; a difference that is there never reads as none."""
    assert [format_points(x) for x in (-0.12, 0.00001, 0.0)] == ["12.0", "0.1", "0.0"]
    assert [format_points(x, signed=True) for x in (-0.18, 0.06)] == ["-18.0", "+6.0"]


@pytest.mark.parametrize(
    ("usd", "text"), [(0.000042, "$0.000042"), (0.0031, "$0.0031"), (0.001, "$0.001"), (0.000000499, "$0.0000005")]
)
def test_a_small_cost_is_written_as_people_write_money(usd: float, text: str) -> None:
    """Without an exponent, at two digits that count."""
    assert format_cost(usd) == text


def test_relative_changes_are_nothing_only_where_exact() -> None:
    """A change too small for a decimal keeps its sign; no sign of a zero is kept."""
    assert [format_relative(x) for x in (0.095, -0.25, 0.0, -0.0, -1e-9, None)] == [
        "+9.5%",
        "-25.0%",
        "+0%",
        "+0%",
        "-0.1%",
        "–",
    ]
    assert format_relative_interval(-0.0, 1.5) == "[+0%, +150.0%]"
    assert format_relative_interval(None, 1.0) == "–"
