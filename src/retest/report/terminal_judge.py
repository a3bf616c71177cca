"""Judges on the terminal: definitions, and how far a judge agrees with people; within 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.calibration import Calibration, Figure
from retest.report.escape import one_line
from retest.report.numbers import MISSING, format_p, plural
from retest.report.terminal_table import FittedTable

if TYPE_CHECKING:
    from retest.domain.judge import JudgeDefinition

_NAMES = {
    "exact": "exact agreement",
    "kappa": "Cohen's kappa",
    "kappa_linear": "  weighted, linear",
    "kappa_quadratic": "  weighted, quadratic",
    "alpha_nominal": "Krippendorff's alpha, nominal",
    "alpha_ordinal": "  ordinal",
    "alpha_interval": "  interval",
    "spearman": "Spearman's rank correlation",
    "exact_order_given": "exact, in the given order alone",
    "exact_order_swapped": "exact, in the swapped order alone",
    "exact_orders": "exact, one order with the other",
    "kappa_order_given": "kappa, in the given order alone",
    "kappa_order_swapped": "kappa, in the swapped order alone",
    "kappa_orders": "kappa, one order with the other",
}
_BIAS = {
    "difference": "judge - people, on average",
    "length_judge": "length with the judge's ratings",
    "length_people": "length with people's ratings",
    "length_difference": "length with judge - people",
    "longer_judge": "the longer answer wins with the judge",
    "longer_people": "the longer answer wins with people",
    "longer_difference": "  difference",
    "first_share": "the answer shown first wins",
    "flip_rate": "the two orders disagree",
}
_WIDEST_LABEL = 12
_MOST_LABELS = 9


def calibration_report(calibration: Calibration) -> RenderableType:
    """Return everything that `retest judge calibrate` shows."""
    parts: list[RenderableType] = [*_head(calibration), Text(), _figures(calibration)]
    if calibration.bias:
        parts += [Text(), _bias(calibration)]
    if calibration.confusion and len(calibration.labels) <= _MOST_LABELS:
        parts += [Text(), _confusion(calibration)]
    parts += [Text(f"note: {one_line(note)}", "yellow") for note in calibration.notes]
    return Group(*parts)


def _head(calibration: Calibration) -> Iterator[Text]:
    yield Text.assemble(
        (f"{one_line(calibration.definition)} version {one_line(calibration.version)}", "bold"),
        f" ({calibration.definition_hash[:12]})",
    )
    yield Text(f"judge {one_line(calibration.judge)} against {one_line(calibration.against)}")
    left = [
        f"{calibration.unlabelled:,} without a label" if calibration.unlabelled else "",
        f"{calibration.failed:,} that the judge failed on" if calibration.failed else "",
    ]
    left_out = ", ".join(text for text in left if text)
    yield Text(
        f"{_counted(calibration)} of {one_line(calibration.data)}" + (f"; left out: {left_out}" if left_out else "")
    )
    for failure in calibration.failures[:2]:
        yield Text(f"  {one_line(failure)}", "red")


def _counted(calibration: Calibration) -> str:
    """Return how many labels there are: of reviews each is one person's rating, and an answer may have several."""
    return plural(calibration.items, "rating" if calibration.against == "reviews" else "case")


def _table(*heads: str) -> FittedTable:
    table = FittedTable()
    table.add("name", heads[0])
    table.add("number", *heads[1:])
    return table


def _figures(calibration: Calibration) -> FittedTable:
    table = _table("agreement", "value", "95% interval")
    for name, figure in calibration.figures.items():
        style = "bold" if name == calibration.coefficient else ""
        table.add_row(Text(_NAMES.get(name, name), style), Text(_value(figure), style), Text(_interval(figure), "dim"))
    return table


def _bias(calibration: Calibration) -> FittedTable:
    table = _table("bias", "value", "95% interval")
    for name, figure in calibration.bias.items():
        label = _BIAS.get(name, name)
        if name == "first_share" and calibration.position_p is not None:
            label += f" (.5 is fair, p {format_p(calibration.position_p)})"
        table.add_row(Text(label), Text(_value(figure)), Text(_interval(figure), "dim"))
    return table


def _confusion(calibration: Calibration) -> FittedTable:
    names = [_short(label) for label in calibration.labels]
    table = FittedTable(gap=1)
    table.add("name", "judge \\ people")
    table.add("number", *names)
    for name, row in zip(names, calibration.confusion, strict=True):
        place = names.index(name)
        table.add_row(name, *(Text(str(n), _cell_style(n, on=i == place)) for i, n in enumerate(row)))
    return table


def _cell_style(count: int, *, on: bool) -> str:
    if count == 0:
        return "dim"
    return "green" if on else ""


def _short(label: str) -> str:
    text = one_line(label)
    return text if len(text) <= _WIDEST_LABEL else f"{text[: _WIDEST_LABEL - 1]}…"


def _value(figure: Figure) -> str:
    return MISSING if figure.value is None else f"{figure.value:.3f}"


def _interval(figure: Figure) -> str:
    return MISSING if figure.low is None or figure.high is None else f"[{figure.low:.3f}, {figure.high:.3f}]"


def definition_table(rows: Sequence[tuple[JudgeDefinition, Calibration | None]]) -> RenderableType:
    """Return one row for each definition, with the newest calibration that fits it."""
    table = FittedTable()
    table.add("name", "definition")
    table.add("word", "version", "", "scale", "agreement with people")
    for definition, calibration in rows:
        own = "" if definition.path is None else "own"
        table.add_row(
            Text(one_line(definition.name)),
            Text(one_line(definition.version)),
            Text(f"{definition.language} {own}".strip(), "dim"),
            Text(_scale(definition)),
            Text("not calibrated", "dim") if calibration is None else Text(_short_agreement(calibration)),
        )
    return table


def _scale(definition: JudgeDefinition) -> str:
    scale = definition.scale
    if scale.form == "grade":
        return f"{scale.low:g} to {scale.high:g}"
    return {"choice": f"{len(scale.choices)} choices", "rubric": "criteria", "claims": "claims"}[scale.form]


def _agreement(calibration: Calibration) -> str:
    figure = calibration.headline
    return f"{calibration.coefficient} {_value(figure)} {_interval(figure)}, {_counted(calibration)}"


def _short_agreement(calibration: Calibration) -> str:
    """Return the figure and its interval alone, for the column has 28 places; its name is on the definition's page."""
    return f"{_value(calibration.headline)} {_interval(calibration.headline)}"


def _told(system_message: str) -> Iterator[Text]:
    if not system_message:
        yield Text("what the judge is told: nothing; the endpoint is sent the answer alone", "bold")
        return
    yield Text("what the judge is told:", "bold")
    yield from (Text(f"  {one_line(line)}") for line in system_message.split("\n"))


def definition_page(
    definition: JudgeDefinition, system_message: str, calibrations: Sequence[Calibration]
) -> RenderableType:
    """Return a definition: where it stands, what the judge is told, and how far it agrees with people.

    The message is empty where the endpoint takes no instructions.
    """
    parts: list[RenderableType] = [
        Text.assemble((one_line(definition.name), "bold"), f" version {one_line(definition.version)}"),
        Text(one_line(definition.description)),
        Text(f"file:   {one_line(definition.path or 'comes with retest')}"),
        Text(f"hash:   {definition.content_hash[:12]}"),
        Text(f"shown:  {', '.join(one_line(name) for name in definition.inputs)}"),
        Text(),
        *_told(system_message),
        Text(),
    ]
    fitting = [each for each in calibrations if each.definition_hash == definition.content_hash]
    stale = len(calibrations) - len(fitting)
    if not calibrations:
        parts.append(Text("not calibrated: retest judge calibrate", "dim"))
    parts += [Text(f"{one_line(each.judge)} against {one_line(each.against)}: {_agreement(each)}") for each in fitting]
    if stale:
        parts.append(Text(f"{plural(stale, 'calibration')} of earlier versions of this definition", "yellow"))
    return Group(*parts)
