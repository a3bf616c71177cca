"""All rounding and spelling of numbers. "0" and "100%" are printed only where they are exactly so."""

from __future__ import annotations

import math

MISSING = "–"


def format_share(share: float | None) -> str:
    """Return a share as per cent with one decimal; never ``0%`` or ``100%`` unless exact."""
    if share is None:
        return MISSING
    if share in {0.0, 1.0}:
        return f"{share:.0%}"
    clipped = min(max(share, 0.001), 0.999)
    return f"{clipped:.1%}"


def format_value(value: float | None, *, low: float | None = 0.0, high: float | None = 1.0) -> str:
    """Return a metric's value with as many decimals as its scale deserves.

    On a scale from 0 to 1 three decimals, and ``1`` or ``0`` only where exact; elsewhere four significant digits.
    """
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return str(value)
    if low == 0.0 and high == 1.0:
        return _format_unit(value)
    if value == 0 or 1e-3 <= abs(value) < 1e5:  # noqa: PLR2004 - beyond, an exponent reads better
        return _trim(f"{value:,.{_decimals(value)}f}")
    return f"{value:.3g}"


def _format_unit(value: float) -> str:
    if value in {-1.0, 0.0, 1.0}:
        return f"{value:.0f}"
    return f"{min(max(value, 0.001), 0.999):.3f}" if 0 < value < 1 else f"{value:.3f}"


def _decimals(value: float) -> int:
    if value == 0:
        return 0
    return max(0, 3 - math.floor(math.log10(abs(value))))


def _trim(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_interval(low: float | None, high: float | None, *, scale: tuple[float | None, float | None]) -> str:
    """Return ``[low, high]`` on the scale's precision."""
    if low is None and high is None:
        return MISSING
    return f"[{format_value(low, low=scale[0], high=scale[1])}, {format_value(high, low=scale[0], high=scale[1])}]"


def format_signed(value: float | None, *, low: float | None = 0.0, high: float | None = 1.0) -> str:
    """Return a difference with its sign, ``+0`` where it is exactly nothing."""
    if value is None:
        return MISSING
    sign = "-" if value < 0 else "+"
    return sign + format_value(abs(value), low=low, high=high)


def format_relative(change: float | None) -> str:
    """Return a relative change as per cent with its sign and one decimal, ``+0%`` where it is exactly nothing."""
    if change is None:
        return MISSING
    if change == 0:
        return "+0%"
    return f"{'-' if change < 0 else '+'}{max(abs(change), 0.001):.1%}"


def format_relative_interval(low: float | None, high: float | None) -> str:
    """Return ``[low, high]`` of a relative change."""
    return MISSING if low is None or high is None else f"[{format_relative(low)}, {format_relative(high)}]"


def format_points(difference: float, *, signed: bool = False) -> str:
    """Return a difference of shares in percentage points with one decimal, ``0.0`` only where exact."""
    points = abs(difference) * 100
    text = f"{points if points == 0 else max(points, 0.1):.1f}"
    return f"{'-' if difference < 0 else '+'}{text}" if signed else text


def format_p(p: float | None) -> str:
    """Return a p-value; never 0, for no number of draws shows that."""
    if p is None:
        return MISSING
    return "<.001" if p < 0.001 else "1" if p == 1 else f"{min(p, 0.999):.3f}".lstrip("0")  # noqa: PLR2004 - three decimals


def format_cost(usd: float | None) -> str:
    """Return a cost; an unknown one is said to be unknown."""
    if usd is None:
        return "unknown"
    if usd == 0:
        return "$0"
    if usd >= 0.01:  # noqa: PLR2004 - a cent
        return f"${usd:,.2f}" if usd >= 1 else f"${usd:.3f}"
    return f"${_trim(f'{usd:.{1 - math.floor(math.log10(usd))}f}')}"  # two digits that count, and no exponent


def format_duration(seconds: float) -> str:
    """Return a duration as ``0.4 s``, ``12 s``, ``3:07`` or ``1:02:03``."""
    if seconds < 10:  # noqa: PLR2004 - below, a tenth matters
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def format_latency(milliseconds: float | None) -> str:
    """Return a latency in the unit a person would use."""
    if milliseconds is None:
        return MISSING
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"  # noqa: PLR2004


def format_count(count: int | None) -> str:
    """Return a whole number with separators."""
    return MISSING if count is None else f"{count:,}"


def format_bytes(count: int) -> str:
    """Return a size in the unit a person would use, 1 kB being 1,000 bytes."""
    for unit, size in (("MB", 1_000_000), ("kB", 1_000)):
        if count >= size:
            return f"{_trim(f'{count / size:.1f}')} {unit}"
    return plural(count, "byte")


def plural(count: int, one: str, many: str | None = None) -> str:
    """Return ``1 case`` or ``2 cases``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
