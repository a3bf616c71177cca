"""What a pairwise judge said of two arms, in lines of plain text, for the terminal and for Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from retest.domain.pairwise import JudgeUse, PairwiseRanking, PairwiseResult, Share
from retest.report.numbers import format_cost, format_p, format_share, plural

_UNSURE = 0.05
_MANY_FLIPS = 0.3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PairwiseLine:
    """One line; `doubtful` where a reader should stop at it."""

    text: str
    doubtful: bool = False


def pairwise_lines(result: PairwiseResult) -> Iterator[PairwiseLine]:
    """Yield wins, ties and losses, how far the order decided, what is missing, and what the judging took."""
    if result.n_pairs:
        of = f"of {plural(result.n_cases, 'case')}, {plural(result.n_pairs, 'pair')}"
        shares = f"win {_share(result.win)}, tie {_share(result.tie)}, loss {_share(result.loss)}"
        yield PairwiseLine(text=f"{shares} {of}")
        yield from _order(result)
    yield from pairwise_remarks(result)


def pairwise_remarks(result: PairwiseResult) -> Iterator[PairwiseLine]:
    """Yield what is missing, and what the judging took: all that the figures themselves do not say."""
    if result.missing:
        why = f": {result.failures[0]}" if result.failures else ""
        count = plural(result.missing, "pair has", "pairs have")
        yield PairwiseLine(text=f"{count} no verdict in both orders and {_counts(result.missing)}{why}", doubtful=True)
    if result.same:
        count = plural(result.same, "pair is", "pairs are")
        yield PairwiseLine(text=f"{count} one and the same answer on both sides: a tie, and not asked")
    if result.unpaired:
        count = plural(result.unpaired, "answer has", "answers have")
        yield PairwiseLine(text=f"{count} no counterpart of the same sample index")
    yield PairwiseLine(text=f"judged by {', '.join(result.judges)} ({result.definition}): {_use(result.use)}")


def _counts(count: int) -> str:
    return "counts for nothing" if count == 1 else "count for nothing"


def _order(result: PairwiseResult) -> Iterator[PairwiseLine]:
    if result.flip_rate.value is None:
        return
    flips = f"the two orders disagree in {_share(result.flip_rate)} (each flip is a tie)"
    first = f"the answer shown first wins {_share(result.first_share)}, p {format_p(result.position_p)}"
    yield PairwiseLine(text=f"{flips}; {first}", doubtful=is_doubtful(result))


def is_doubtful(result: PairwiseResult) -> bool:
    """Return whether the order decided more than it should."""
    flips = result.flip_rate.value
    return flips is not None and (flips > _MANY_FLIPS or result.position_p < _UNSURE)


def _share(share: Share) -> str:
    if share.low is None or share.high is None:
        return format_share(share.value)
    return f"{format_share(share.value)} [{format_share(share.low)}, {format_share(share.high)}]"


def _use(use: JudgeUse) -> str:
    tokens = f", {use.input_tokens + use.output_tokens:,} tokens, cost {format_cost(use.cost_usd)}" if use.calls else ""
    return f"{plural(use.calls, 'call')}{tokens}, {use.ledger_hits:,} from the ledger"


def rank_note(ranking: PairwiseRanking) -> str | None:
    """Return what a reader must know of a ranking, None where there is nothing."""
    if not ranking.connected:
        return "no chain of comparisons joins all versions: the order between groups says nothing"
    open_ended = [rank.version for rank in ranking.versions if rank.open_ended]
    if open_ended:
        return f"won, or lost, all of every duel: {', '.join(open_ended)}; there is no telling by how far"
    return None


def pairwise_documents(results: Sequence[PairwiseResult]) -> dict[str, object]:
    """Return results as JSON, by metric."""
    return {result.metric: dataclasses.asdict(result) for result in results}
