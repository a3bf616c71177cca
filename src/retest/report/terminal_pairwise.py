"""Pairwise judging on the terminal: what is behind the verdict, and rankings of more than two versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from retest.domain.pairwise import PairwiseRank, PairwiseRanking, PairwiseResult
from retest.report.escape import one_line
from retest.report.numbers import format_interval, format_value, plural
from retest.report.pairwise_text import pairwise_lines, rank_note
from retest.report.terminal_table import FittedTable


def pairwise_notes(results: Sequence[PairwiseResult]) -> Iterator[Text]:
    """Yield what stands behind each pairwise verdict."""
    for result in results:
        for line in pairwise_lines(result):
            style = "yellow" if line.doubtful else "dim"
            yield Text(f"{one_line(result.metric)}: {one_line(line.text)}", style)


def pairwise_ranking(ranking: PairwiseRanking) -> RenderableType:
    """Return one row a version, the strongest first; `rank` in brackets is where 95% of the resamples put it."""
    head = Text.assemble((one_line(ranking.metric), "bold"), f"  {one_line(ranking.group)}  Bradley-Terry".rstrip())
    head.append(f", {plural(ranking.n_cases, 'case')}, {plural(ranking.n_pairs, 'pair')}", "dim")
    table = FittedTable(gap=1)
    table.add("name", "rank", "version")
    table.add("number", "wins of all", "95% interval", "win", "tie", "loss")
    ranks = [version.rank for version in ranking.versions]
    for version in ranking.versions:
        table.add_row(_rank(version, tied=ranks.count(version.rank) > 1), *_cells(version))
    note = rank_note(ranking)
    return Group(head, table, *([] if note is None else [Text(one_line(note), "yellow")]))


def _rank(version: PairwiseRank, *, tied: bool) -> str:
    place = f"{version.rank}{'=' if tied else ''}"
    if version.best_rank == version.worst_rank:
        return place
    return f"{place} ({version.best_rank}-{version.worst_rank})"


def _cells(version: PairwiseRank) -> list[Text]:
    return [
        Text(one_line(version.version)),
        Text(format_value(version.win_rate)),
        Text(format_interval(version.low, version.high, scale=(0.0, 1.0)), "dim"),
        Text(f"{version.wins:,}"),
        Text(f"{version.ties:,}"),
        Text(f"{version.losses:,}"),
    ]
