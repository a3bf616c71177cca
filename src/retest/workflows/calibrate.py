"""Measures how far a judge agrees with people on labelled cases; numbers in, a `Calibration` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from retest.domain.calibration import Calibration, Coefficient, Figure
from retest.domain.json_value import content_hash
from retest.domain.judge import Form, JudgeDefinition
from retest.workflows.labelled_cases import LabelledCase, LabelledSet

if TYPE_CHECKING:
    from retest.stats.agreement import Agreement, Estimate
    from retest.stats.judge_bias import Winner

_HEADLINE: Mapping[Form, Coefficient] = {
    "grade": "kappa_quadratic",
    "choice": "kappa",
    "rubric": "alpha_interval",
    "claims": "alpha_interval",
}
_FEW = 50
_FIGURES: tuple[Coefficient, ...] = (
    "exact",
    "kappa",
    "kappa_linear",
    "kappa_quadratic",
    "alpha_nominal",
    "alpha_ordinal",
    "alpha_interval",
    "spearman",
)
_RARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgment:
    """What a judge said of one labelled case; None where it failed.

    Attributes:
        value: on the definition's scale; of a pair, the first answer's share, a flip being a tie.
        as_given, swapped: of a pair, the first answer's share in each order.
        failure: why there is no value.
    """

    value: float | None
    as_given: float | None = None
    swapped: float | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOrigin:
    """Who judged what, for the record."""

    judge: str
    against: str
    data: str
    calibrated_on: date


def recorded_judgments(labelled: LabelledSet) -> list[Judgment]:
    """Return the judgments that the rows themselves hold; without a swapped one, a pair's only order counts."""
    missing = "no recorded judgment that can be read"
    if not labelled.is_pairwise:
        return [_recorded(case.recorded, missing) for case in labelled.cases]
    both_orders = any(case.swapped is not None for case in labelled.cases)
    return [
        _recorded_pair(case, missing) if both_orders else _recorded(case.recorded, missing) for case in labelled.cases
    ]


def _recorded(value: float | None, missing: str) -> Judgment:
    return Judgment(value=value, failure=missing if value is None else None)


def _recorded_pair(case: LabelledCase, missing: str) -> Judgment:
    return pair_judgment(case.recorded, case.swapped, missing)


def pair_judgment(as_given: float | None, swapped: float | None, failure: str | None) -> Judgment:
    """Return the judgment on a pair from the first answer's share in each order: a flip is a tie."""
    if as_given is None or swapped is None:
        return Judgment(value=None, as_given=as_given, swapped=swapped, failure=failure)
    return Judgment(value=as_given if as_given == swapped else 0.5, as_given=as_given, swapped=swapped)


def calibrate(
    definition: JudgeDefinition,
    labelled: LabelledSet,
    judgments: Sequence[Judgment],
    origin: CalibrationOrigin,
    *,
    coefficient: Coefficient | None = None,
) -> Calibration:
    """Return the agreement of a judge with people.

    Args:
        definition: what was asked.
        labelled: cases with people's labels.
        judgments: one for each of them, in their order.
        origin: for the record.
        coefficient: the one that stands for the whole; None takes the scale's own.
    """
    from retest.stats.agreement import agree

    seed = int(content_hash([definition.content_hash, origin.judge])[:8], 16)
    clusters = _clusters(labelled.cases)
    found = agree(
        [judgment.value for judgment in judgments],
        [case.label for case in labelled.cases],
        clusters=clusters,
        seed=seed,
    )
    bias, position_p = _bias(labelled, judgments, clusters, seed)
    figures: dict[str, Figure] = {name: _figure(getattr(found, name)) for name in _FIGURES if _fits(name, labelled)}
    figures |= _pair_figures(labelled, judgments, clusters, seed)
    return Calibration(
        definition=definition.name,
        version=definition.version,
        definition_hash=definition.content_hash,
        judge=origin.judge,
        against=origin.against,
        data=origin.data,
        data_hash=_data_hash(labelled),
        items=found.n_items,
        unlabelled=labelled.unlabelled,
        failed=sum(judgment.value is None for judgment in judgments),
        coefficient=coefficient or _HEADLINE[definition.scale.form],
        figures=figures,
        labels=_label_names(definition, found, labelled),
        confusion=found.confusion.counts,
        bias=bias,
        position_p=position_p,
        failures=tuple(dict.fromkeys(each.failure for each in judgments if each.failure is not None))[:5],
        notes=tuple(_notes(found, labelled)),
        calibrated_on=origin.calibrated_on,
    )


def _fits(name: str, labelled: LabelledSet) -> bool:
    """Return whether a coefficient says something of the labels: of pairs, which answer wins is no rank of anything."""
    return not labelled.is_pairwise or name in {"exact", "kappa", "alpha_nominal"}


def _clusters(cases: Sequence[LabelledCase]) -> list[object] | None:
    if all(each.case.cluster is None for each in cases):
        return None
    return [each.case.cluster or ("case", index) for index, each in enumerate(cases)]


def _figure(estimate: Estimate) -> Figure:
    return Figure(value=estimate.value, low=estimate.low, high=estimate.high)


def _pair_figures(
    labelled: LabelledSet, judgments: Sequence[Judgment], clusters: list[object] | None, seed: int
) -> dict[str, Figure]:
    """Return, for pairs, the agreement in each order alone, and of the two orders with one another."""
    from retest.stats.agreement import agree

    if not labelled.is_pairwise or all(judgment.swapped is None for judgment in judgments):
        return {}
    labels: list[float | None] = [case.label for case in labelled.cases]
    given, swapped = [one.as_given for one in judgments], [one.swapped for one in judgments]
    pairs = {"order_given": (given, labels), "order_swapped": (swapped, labels), "orders": (given, swapped)}
    found: dict[str, Figure] = {}
    for name, (one, two) in pairs.items():
        agreement = agree(one, two, clusters=clusters, seed=seed)
        found |= {f"exact_{name}": _figure(agreement.exact), f"kappa_{name}": _figure(agreement.kappa)}
    return found


def _bias(
    labelled: LabelledSet, judgments: Sequence[Judgment], clusters: list[object] | None, seed: int
) -> tuple[dict[str, Figure], float | None]:
    both = [i for i, judgment in enumerate(judgments) if judgment.value is not None and labelled.cases[i].answers]
    own = None if clusters is None else [clusters[i] for i in both]
    lengths = [tuple(float(len(text)) for text in labelled.cases[i].answers) for i in both]
    judged = [judgments[i].value or 0.0 for i in both]
    people = [labelled.cases[i].label for i in both]
    if labelled.is_pairwise:
        return _pair_bias(lengths, judged, people, judgments, own)
    return _length_bias([length[0] for length in lengths], judged, people, own, seed), None


def _length_bias(
    lengths: Sequence[float], judged: Sequence[float], people: Sequence[float], clusters: list[object] | None, seed: int
) -> dict[str, Figure]:
    from retest.stats.judge_bias import length_bias

    found = length_bias(lengths, judged, people, clusters=clusters, seed=seed)
    figures = {"difference": _difference(judged, people, clusters)}
    figures |= {
        "length_judge": _figure(found.judge),
        "length_people": _figure(found.people),
        "length_difference": _figure(found.difference),
    }
    return {name: figure for name, figure in figures.items() if figure.value is not None}


def _difference(judged: Sequence[float], people: Sequence[float], clusters: list[object] | None) -> Figure:
    from retest.stats.intervals import mean_interval

    apart = [one - two for one, two in zip(judged, people, strict=True)]
    found = mean_interval(apart, clusters=clusters, low=None, high=None)
    return Figure(value=found.mean, low=found.low, high=found.high)


def _pair_bias(
    lengths: Sequence[tuple[float, ...]],
    judged: Sequence[float],
    people: Sequence[float],
    judgments: Sequence[Judgment],
    clusters: list[object] | None,
) -> tuple[dict[str, Figure], float | None]:
    from retest.stats.judge_bias import longer_wins, position_bias

    longer = longer_wins([(one, two) for one, two in lengths], judged, people, clusters=clusters)
    figures = {
        "longer_judge": _figure(longer.judge),
        "longer_people": _figure(longer.people),
        "longer_difference": _figure(longer.difference),
    }
    p = None
    if any(judgment.swapped is not None for judgment in judgments):
        position = position_bias(
            [_place(one.as_given, first=1.0) for one in judgments],
            [_place(one.swapped, first=0.0) for one in judgments],
        )
        figures |= {"first_share": _figure(position.first_share), "flip_rate": _figure(position.flip_rate)}
        p = position.p
    return {name: figure for name, figure in figures.items() if figure.value is not None}, p


def _place(share: float | None, *, first: float) -> Winner | None:
    """Return which place won; `first` is the first answer's share when whatever stands first wins."""
    if share is None:
        return None
    if share == 0.5:  # noqa: PLR2004 - half for each is a tie
        return "tie"
    return "first" if share == first else "second"


def _data_hash(labelled: LabelledSet) -> str:
    return content_hash([[each.case.case_id, each.case.content_hash, each.label] for each in labelled.cases])


def _label_names(definition: JudgeDefinition, found: Agreement, labelled: LabelledSet) -> tuple[str, ...]:
    names: dict[float, str] = {1.0: "first", 0.0: "second", 0.5: "tie"} if labelled.is_pairwise else {}
    if not labelled.is_pairwise:
        for name, value in definition.scale.choices.items():
            names[value] = f"{names[value]}/{name}" if value in names else name
    return tuple(names.get(float(label), f"{float(label):g}") for label in found.confusion.labels)


def _notes(found: Agreement, labelled: LabelledSet) -> list[str]:
    notes = []
    if found.n_items < _FEW:
        notes.append(f"{found.n_items} labelled cases are few: label {_FEW} and more for an interval worth the name")
    counts = [sum(column) for column in zip(*found.confusion.counts, strict=True)]
    most = max(counts, default=0)
    if found.n_items and most / found.n_items > 1 - _RARE:
        notes.append(f"people gave one label to {most} of {found.n_items} cases: kappa and alpha say little then")
    if labelled.is_pairwise and all(case.swapped is None for case in labelled.cases) and labelled.cases[0].recorded:
        notes.append("recorded in one order only: the judge's position bias cannot be told")
    return notes
