"""Headers of runs: what was run, how it ended, who is writing it."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest

from retest.domain.run import RunCounts, RunMetric
from retest.domain.suite import CasePasses, PassIf
from retest.errors import UsageError
from retest.store.database import Store, open_store
from support.store_data import START, make_metric, make_record, make_run, store_run


def test_a_header_comes_back_whole(store: Store) -> None:
    """Everything that describes a run is there again."""
    metric = RunMetric(
        name="rouge_l",
        metric="rouge",
        signature="rouge|variant:rougeL",
        options={"variant": "rougeL"},
        low=None,
        high=None,
        direction="lower",
        scale="log",
        pass_if=PassIf(min=0.4),
        aggregate="pass@3",
        case_passes=CasePasses(rule="at_least", at_least=2),
    )
    run = make_run(metrics=(make_metric("exact_match"), metric), tags=("a", "b"), metadata={"n": 1, "s": "値"})
    store.start_run(run)
    assert store.get_run(run.run_id) == run


def test_times_come_back_in_utc(store: Store) -> None:
    """A run that began in Tokyo began at the same moment in UTC."""
    store.start_run(make_run(started_at=START.astimezone(timezone(timedelta(hours=9)))))
    assert store.get_run("latest").started_at.isoformat() == "2026-03-01T09:30:15.123456+00:00"


def test_the_end_of_a_run_is_kept(store: Store) -> None:
    """Status, counts, summary, exit code and end are updated; the rest stays."""
    store.start_run(make_run())
    end = START + timedelta(seconds=1)
    counts = RunCounts(cases=2, samples=4, cost_usd=None)
    summary = {"arms": {"intent/small": {"metrics": {"exact_match": {"mean": 0.5}}}}}
    store.update_run(make_run().run_id, status="complete", counts=counts, summary=summary, exit_code=0, finished_at=end)
    expected = make_run(status="complete", counts=counts, summary=summary, exit_code=0, finished_at=end)
    assert store.get_run("latest") == expected


def test_what_is_not_given_stays(store: Store) -> None:
    """An update of one field leaves the others alone."""
    store.start_run(make_run())
    store.update_run(make_run().run_id, counts=RunCounts(samples=3))
    assert (store.get_run("latest").counts.samples, store.get_run("latest").status) == (3, "running")


def test_updating_a_run_that_is_not_there_is_an_error(store: Store) -> None:
    """Nothing is updated silently."""
    with pytest.raises(UsageError, match="run-unknown"):
        store.update_run("nothing", status="complete")


@pytest.mark.parametrize("status", ["interrupted", "incomplete"])
def test_a_run_that_did_not_finish_is_found(store: Store, status: str) -> None:
    """The same configuration finds the run to resume."""
    store_run(store, make_run(), [], status=status)
    found = store.find_unfinished("config")
    assert found is not None
    assert (found.run_id, found.status) == (make_run().run_id, status)


def test_a_complete_run_is_not_resumed(store: Store) -> None:
    """What is finished is left alone."""
    store_run(store, make_run(), [])
    assert store.find_unfinished("config") is None


def test_another_configuration_is_not_resumed(store: Store) -> None:
    """Only equal configurations take up each other's runs."""
    store_run(store, make_run(), [], status="interrupted")
    assert store.find_unfinished("other") is None


def test_the_newest_unfinished_run_is_resumed(store: Store) -> None:
    """Of several, the latest is taken up."""
    for number in (1, 2, 0):
        store_run(store, make_run(f"run-{number}", minutes=number), [], status="interrupted")
    found = store.find_unfinished("config")
    assert found is not None
    assert found.run_id == "run-2"


def test_a_run_that_a_live_process_writes_is_not_resumed(store_url: str) -> None:
    """A second process with the same command starts a run of its own."""
    with open_store(store_url) as one, open_store(store_url) as other:
        one.start_run(make_run())
        assert other.find_unfinished("config") is None
        assert other.is_being_written(make_run().run_id)


def test_a_run_whose_writer_ended_is_resumed(store_url: str) -> None:
    """A program that went away without a word leaves a run that can be taken up."""
    with open_store(store_url) as one:
        one.start_run(make_run())
    with open_store(store_url) as other:
        found = other.find_unfinished("config")
        assert found is not None
        assert not other.is_being_written(found.run_id)


def test_two_processes_cannot_write_one_run(store_url: str) -> None:
    """Taking up a run that is being written is refused, even under the same owner's name."""
    with open_store(store_url) as one, open_store(store_url) as other:
        one.start_run(make_run(), owner="me")
        with pytest.raises(UsageError, match="being written by another process"):
            other.start_run(make_run(), owner="me")


def test_a_resumed_run_keeps_what_it_has(store: Store) -> None:
    """Samples, tags and start of a run that is taken up stay; it is running again."""
    store_run(store, make_run(tags=("a",)), [make_record((0, 0, 0))], status="interrupted")
    store.start_run(make_run(tags=("b",), planned=9))
    run = store.get_run("latest")
    assert (run.status, run.tags, run.started_at, run.planned) == ("running", ("a", "b"), START, 9)
    assert len(list(store.iter_samples("latest"))) == 1


def test_a_resumed_run_may_pass_its_stored_header(store: Store) -> None:
    """The header that `find_unfinished` gave can be handed back as it is."""
    store_run(store, make_run(), [], status="interrupted")
    found = store.find_unfinished("config")
    assert found is not None
    store.start_run(found)
    assert store.is_being_written(found.run_id)


def test_draws_are_numbered_per_suite(store: Store) -> None:
    """Each fresh draw of a suite has the next number, from 1."""
    assert [store.allocate_draw(suite) for suite in ("a", "a", "b", "a")] == [1, 2, 1, 3]


def test_tags_and_metadata_change_after_the_fact(store: Store) -> None:
    """Tags are added and removed, metadata set, at any time."""
    store_run(store, make_run(tags=("old", "kept"), metadata={"n": 1, "m": 2}), [])
    store.tag_run("latest", add=["new", "kept"], remove=["old", "absent"], metadata={"n": [1, None], "o": "値"})
    run = store.get_run("latest")
    assert run.tags == ("kept", "new")
    assert run.metadata == {"n": [1, None], "m": 2, "o": "値"}


def test_runs_without_arms_and_metrics_are_runs(store: Store) -> None:
    """The store judges nothing: an empty header is kept."""
    run = make_run(arms=(), metrics=())
    store.start_run(run)
    assert store.get_run("latest") == run
