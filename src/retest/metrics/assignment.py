"""The pairing of two lists with the largest total weight."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def best_pairs(weights: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return (row, column) pairs, each row and column at most once, whose weights add up to the most.

    Every row is paired where there are no more rows than columns, and the other way round. O(n^2 m); the
    Hungarian method with potentials and shortest augmenting paths.
    """
    if not weights or not weights[0]:
        return []
    if len(weights) > len(weights[0]):
        return sorted((row, column) for column, row in best_pairs(list(zip(*weights, strict=True))))
    columns = len(weights[0])
    row_of = _rows_by_column([[-weight for weight in row] for row in weights], columns)
    return sorted((row, column) for column, row in enumerate(row_of) if row is not None)


def _rows_by_column(costs: list[list[float]], columns: int) -> list[int | None]:
    row_potential = [0.0] * len(costs)
    column_potential = [0.0] * columns
    row_of: list[int | None] = [None] * columns
    for new_row in range(len(costs)):
        _augment(costs, new_row, row_of, row_potential, column_potential)
    return row_of


def _augment(
    costs: list[list[float]],
    new_row: int,
    row_of: list[int | None],
    row_potential: list[float],
    column_potential: list[float],
) -> None:
    """Pair one more row: walk the cheapest alternating path from it to a free column, and flip the path."""
    columns = len(column_potential)
    slack, reached_from = [inf] * columns, [-1] * columns
    done = [False] * columns
    row, column = new_row, -1
    while True:
        for other in range(columns):
            reduced = costs[row][other] - row_potential[row] - column_potential[other]
            if not done[other] and reduced < slack[other]:
                slack[other], reached_from[other] = reduced, column
        nearest = min((other for other in range(columns) if not done[other]), key=slack.__getitem__)
        step = slack[nearest]
        row_potential[new_row] += step
        for other in range(columns):
            if done[other]:
                row_potential[row_of[other]] += step  # type: ignore[index]  # a column that is done has a row
                column_potential[other] -= step
            else:
                slack[other] -= step
        done[nearest], column = True, nearest
        next_row = row_of[nearest]
        if next_row is None:
            break
        row = next_row
    while column != -1:
        previous = reached_from[column]
        row_of[column] = new_row if previous == -1 else row_of[previous]
        column = previous
