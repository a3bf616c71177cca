"""What a pairwise judge said, on the pages of comparisons."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from retest.domain.pages import ReportPage
from retest.domain.pairwise import PairwiseRank, PairwiseRanking, PairwiseResult, Share
from retest.report.html.charts import share_bars
from support.report_pages import comparison, page, rendered


def result(**changes: Any) -> PairwiseResult:
    """Return two arms of which the candidate wins half of the cases."""
    values: dict[str, Any] = {
        "metric": "judge_pairwise",
        "baseline": "ask/model",
        "candidate": "ask/<b>model</b>",
        "definition": "pairwise@1",
        "judges": ("openai/judge-1",),
        "n_cases": 30,
        "n_pairs": 60,
        "missing": 2,
        "unpaired": 0,
        "win": Share(value=0.5, low=0.3, high=0.7),
        "tie": Share(value=0.4, low=0.2, high=0.6),
        "loss": Share(value=0.1, low=0.0, high=0.25),
        "flip_rate": Share(value=0.05, low=0.0, high=0.1),
        "first_share": Share(value=0.5, low=0.45, high=0.55),
        "position_p": 1.0,
        "failures": ("prose",),
    }
    return PairwiseResult(**(values | changes))


def rank(place: int, version: str, **changes: Any) -> PairwiseRank:
    values: dict[str, Any] = {
        "rank": place,
        "best_rank": place,
        "worst_rank": place,
        "version": version,
        "win_rate": 0.9 - place / 5,
        "low": 0.1,
        "high": 0.95,
        "strength": 1.0,
        "strength_low": None,
        "strength_high": None,
        "wins": 30,
        "ties": 20,
        "losses": 10,
        "open_ended": False,
    }
    return PairwiseRank(**(values | changes))


def judged(*results: PairwiseResult, rankings: tuple[PairwiseRanking, ...] = ()) -> ReportPage:
    """Return the page of a comparison with these results."""
    found = comparison()
    arm = replace(found.arms[0], pairwise=results)
    whole = page([], compared=True, comparison=replace(found, arms=(arm,)))
    return replace(whole, pairs=(replace(whole.pairs[0], comparison=arm),), rankings=rankings)


def section(text: str) -> str:
    """Return the section, its tags taken out."""
    found = re.search(r'<section class="panel" id="pairwise">(.*?)</section>', text, re.DOTALL)
    return "" if found is None else " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())


def test_wins_ties_and_losses_stand_with_their_intervals() -> None:
    """And how far the order decided, and what is missing; names are only text."""
    text = rendered(judged(result()), language="en")
    said = section(text)
    assert "50.0% 30.0% – 70.0%" in said
    assert "10.0% 0% – 25.0%" in said
    assert "ask/&lt;b&gt;model&lt;/b&gt;" in said
    assert "2 pairs have no verdict in both orders and count for nothing: prose" in said


def test_a_judge_that_follows_the_place_is_marked() -> None:
    """Where the orders often disagree, or one place wins, the figures are in the colour of a warning."""
    assert 'class="r num warn"' not in rendered(judged(result()), language="en")
    assert 'class="r num warn"' in rendered(judged(result(position_p=0.001)), language="en")


def test_a_ranking_says_which_places_are_open() -> None:
    """In Japanese too, with the note that a reader needs."""
    ranking = PairwiseRanking(
        metric="judge_pairwise",
        group="small",
        n_cases=30,
        n_pairs=90,
        connected=True,
        versions=(rank(1, "new/small", worst_rank=2), rank(2, "old/small", open_ended=True)),
    )
    said = section(rendered(judged(result(), rankings=(ranking,)), language="ja"))
    assert "1 (1–2) new/small" in said
    assert "すべての対戦に勝った、または負けた版：old/small。差の大きさは分かりません" in said


def test_without_pairs_there_is_no_section() -> None:
    """Most comparisons have none."""
    assert section(rendered(judged(), language="en")) == ""


def test_the_parts_of_a_bar_fill_it() -> None:
    """A share of nothing has no part."""
    bars = share_bars(0.5, 0.0, 0.5)
    assert [(bar.kind, bar.x, bar.width) for bar in bars] == [("win", "0.0", "75.0"), ("loss", "75.0", "75.0")]
    assert share_bars(None, None, None) == []
