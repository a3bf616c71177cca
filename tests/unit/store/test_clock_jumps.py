"""A clock that is set back or ahead changes neither which run is the newest nor which scores are current."""

from __future__ import annotations

from datetime import timedelta

import pytest

from retest.domain.sample import Score
from retest.store.database import open_store
from retest.store.records import RunFilter
from retest.store.rescored import PlacedScores
from support.store_data import Clock, make_metric, make_record, make_run, store_run

YEAR = timedelta(days=365)


def test_a_run_of_a_clock_that_was_ahead_is_not_the_latest(store_url: str) -> None:
    """Once the clock is right again, `latest` and every list begin with what began since; in a year, it is in order."""
    clock = Clock()
    with open_store(store_url, clock=clock) as store:
        store_run(store, make_run("before", minutes=-2), [])
        store_run(store, make_run("astray", minutes=365 * 24 * 60), [])
        store_run(store, make_run("after", minutes=-1), [])
        assert store.get_run("latest").run_id == "after"
        assert [run.run_id for run in store.list_runs()] == ["after", "before", "astray"]
        clock.now += 2 * YEAR
        assert store.get_run("latest").run_id == "astray"


def test_clocks_that_differ_by_minutes_keep_the_order_of_time(store_url: str) -> None:
    """A colleague's clock that is five minutes ahead makes no run one of the future."""
    with open_store(store_url, clock=Clock()) as store:
        store_run(store, make_run("mine"), [])
        store_run(store, make_run("theirs", minutes=5), [])
        assert store.get_run("latest").run_id == "theirs"
        assert [run.run_id for run in store.list_runs(RunFilter(limit=1))] == ["theirs"]


@pytest.mark.parametrize("jump", [-YEAR, YEAR], ids=["back", "ahead"])
def test_scores_made_after_the_clock_was_set_are_the_current_ones(store_url: str, jump: timedelta) -> None:
    """A metric that was changed and scored again counts by its new definition, else a gate would judge by the old."""
    clock = Clock()
    with open_store(store_url, clock=clock) as store:
        store_run(store, make_run(), [make_record((0, 0, 0))])
        clock.now += jump
        changed = make_metric("exact_match", signature="changed")
        writer = store.rescoring.start(make_run().run_id, [changed])
        writer.add([PlacedScores(place=(0, 0, 0), scores={"exact_match": Score(value=0.25)})])
        writer.finish()
        (sample,) = store.iter_samples(make_run().run_id)
    assert sample.scores["exact_match"] == Score(value=0.25)
