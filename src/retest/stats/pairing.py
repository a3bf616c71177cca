"""Pair two runs by case id; what cannot be paired is named with its reason."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retest.stats.intervals import LARGEST, cluster_index
from retest.stats.pairs import PairedScores, paired_scores
from retest.stats.sample_weights import needed_samples

RunMapping: TypeAlias = Mapping[Any, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The cases both runs have a score for, in an order that depends on their ids alone.

    Attributes:
        case_ids: the paired cases.
        pairs: their scores; None where there is no pair.
        unpaired: for each other case, why it is left out.
        missing_baseline, missing_candidate: how many samples of a case are missing (None), where any is.
    """

    case_ids: tuple[Hashable, ...]
    pairs: PairedScores | None
    unpaired: Mapping[Hashable, str]
    missing_baseline: Mapping[Hashable, int]
    missing_candidate: Mapping[Hashable, int]


def pair_runs(baseline: RunMapping, candidate: RunMapping, aggregate: str = "mean") -> Pairing:
    """Pair two runs by case id; a sample that is None is missing, and a case without enough samples is unpaired.

    Raises:
        ValueError: where a score is NaN, infinite, past 1e100 or no number; for an unknown aggregate.
    """
    needed = needed_samples(aggregate)
    kept_a, missing_a = _present(baseline)
    kept_b, missing_b = _present(candidate)
    every_id = sorted({**baseline, **candidate}, key=_sort_key)
    paired = tuple(
        case for case in every_id if len(kept_a.get(case, ())) >= needed and len(kept_b.get(case, ())) >= needed
    )
    in_both = set(paired)
    return Pairing(
        case_ids=paired,
        pairs=_scores(paired, kept_a, kept_b, aggregate) if paired else None,
        unpaired={case: _reason(case, kept_a, kept_b, needed) for case in every_id if case not in in_both},
        missing_baseline=missing_a,
        missing_candidate=missing_b,
    )


def cluster_numbers(case_ids: Sequence[Hashable], clusters: Mapping[Any, Hashable] | None) -> NDArray[np.intp] | None:
    """Return the cluster's number for each case; a case without a label is a cluster of its own.

    None where no cluster has two cases: the case is the unit then.
    """
    if clusters is None:
        return None
    labels = [("case", case) if clusters.get(case) is None else ("cluster", clusters[case]) for case in case_ids]
    index = cluster_index(labels, len(labels))
    return index if len(index) and np.bincount(index).max() > 1 else None


def _present(run: RunMapping) -> tuple[dict[Hashable, list[float]], dict[Hashable, int]]:
    kept = {case: [score for score in samples if score is not None] for case, samples in run.items()}
    missing = {case: len(run[case]) - len(scores) for case, scores in kept.items() if len(run[case]) > len(scores)}
    return kept, missing


def _scores(
    case_ids: Sequence[Hashable],
    kept_a: Mapping[Hashable, list[float]],
    kept_b: Mapping[Hashable, list[float]],
    aggregate: str,
) -> PairedScores:
    try:
        return paired_scores([kept_a[case] for case in case_ids], [kept_b[case] for case in case_ids], aggregate)
    except ValueError as error:
        _refuse_by_name(kept_a, "baseline")
        _refuse_by_name(kept_b, "candidate")
        raise ValueError(f"a score is no number: {error}") from error


def _refuse_by_name(kept: Mapping[Hashable, list[float]], run: str) -> None:
    """Raise for the first score that cannot be compared, naming its case."""
    for case, scores in kept.items():
        for number, score in enumerate(scores):
            if not _comparable(score):
                raise ValueError(
                    f"{run}: case {case!r}, sample {number} is {score!r}, which is no score; a missing sample is None, "
                    "and magnitudes end at 1e100"
                )


def _comparable(score: object) -> bool:
    return not isinstance(score, str) and abs(float(score)) <= LARGEST  # type: ignore[arg-type] # what float refuses, NumPy did


def _reason(
    case: Hashable, kept_a: Mapping[Hashable, list[float]], kept_b: Mapping[Hashable, list[float]], needed: int
) -> str:
    if case not in kept_a:
        return "not in the baseline"
    if case not in kept_b:
        return "not in the candidate"
    few = [name for name, kept in (("baseline", kept_a), ("candidate", kept_b)) if len(kept[case]) < needed]
    if needed > 1:
        return f"fewer than {needed} samples in the {' and the '.join(few)}"
    return f"no sample in the {' and the '.join(few)}"


def _sort_key(case: Hashable) -> tuple[str, str]:
    return str(case), type(case).__name__
