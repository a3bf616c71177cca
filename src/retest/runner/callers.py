"""Who asks the models of a run: one caller for each judge, of the kind that its endpoint takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retest.domain.embedding import EMBEDDINGS_API
from retest.domain.judge import JudgeSpec
from retest.runner.embedding import EmbeddingCaller
from retest.runner.judging import JudgeCaller, JudgingContext
from retest.targets.base import Target


def judge_callers(
    specs: Sequence[JudgeSpec], targets: Mapping[str, Target], context: JudgingContext
) -> dict[str, JudgeCaller]:
    """Return a caller per judge, by name.

    Args:
        specs: the judges.
        targets: their opened endpoints, by the judges' names.
        context: what they share.
    """
    return {spec.name: _kind(spec)(spec, targets[spec.name], context) for spec in specs}


def _kind(spec: JudgeSpec) -> type[JudgeCaller]:
    return EmbeddingCaller if spec.target.options.get("api") == EMBEDDINGS_API else JudgeCaller
