"""Whether a judge is good enough to gate: the agreement that was measured against the one that is demanded."""

from __future__ import annotations

from retest.domain.calibration import Calibration, Figure, JudgeDemand


def unmet_demand(calibration: Calibration, demand: JudgeDemand) -> str | None:
    """Return why a calibrated judge may not gate, None where it may.

    The lower end of the interval must reach the minimum: what a few labels leave open is not shown.
    """
    name = demand.coefficient or calibration.coefficient
    figure = calibration.figures.get(name)
    if figure is None or figure.value is None:
        return f"its calibration against {calibration.against} has no {name}"
    if calibration.items < demand.min_items:
        return f"it is calibrated on {calibration.items} cases, and {demand.min_items} are demanded"
    if figure.low is not None and figure.low >= demand.min_agreement:
        return None
    shown = f"its {name} with {calibration.against} is {_with_interval(figure)} on {calibration.items} cases"
    if figure.value >= demand.min_agreement:
        return f"{shown}: not shown to reach {_number(demand.min_agreement)}; label more cases"
    return f"{shown}, below the {_number(demand.min_agreement)} that is demanded"


def _with_interval(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{_number(figure.value)} (no interval)"
    return f"{_number(figure.value)} [{_number(figure.low)}, {_number(figure.high)}]"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:g}"
