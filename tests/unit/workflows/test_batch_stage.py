"""Runs by batch: the same answers for half the price, each paid for once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from retest.domain.batch import Batch
from retest.domain.sample import CallError, Response
from retest.domain.sequential import UntilDecided
from retest.errors import ExitCode, IncompleteError, UsageError
from retest.runner.events import BatchNews, PlanReady, WaitingForBatch, WaitingForOthers
from retest.runner.plan import CaseSelection
from retest.runner.stopping import StopSignal
from retest.workflows.run import RunOutcome
from support.batch_project import KEY, BatchProject, Told
from support.batch_server import BatchServer, Fate
from support.openai_server import Received, Reply, error, ok, rate_limited, unauthorized

ENDLESS = ("validating", "in_progress")


def echo(request: Received) -> Reply:
    """Answer with the question, which is what the standard suite expects."""
    return ok(request.last_user)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer(echo) as running:
        yield running


def outcomes(project: BatchProject, outcome: RunOutcome) -> dict[str, Any]:
    """Return case -> what its one sample came to."""
    assert outcome.run is not None
    with project.store() as store:
        return {sample.case_id: sample.outcome for sample in store.iter_samples(outcome.run.run_id)}


def paid_once(server: BatchServer, calls: int) -> bool:
    """Return whether so many calls were answered, each once, and none directly."""
    return set(server.paid.values()) == {1} and len(server.paid) == calls and server.count == 0


# -- what comes of it --------------------------------------------------------------------------------------------------


def test_a_run_by_batch_is_a_run_like_any_other(tmp_path: Path, server: BatchServer) -> None:
    """Scored, stored, complete; every call is made once, in one batch, and none directly."""
    project = BatchProject(tmp_path, server)
    outcome = project.run()
    assert outcome.run is not None
    assert (outcome.exit_code, outcome.run.status) == (ExitCode.PASSED, "complete")
    assert {case: answer.output for case, answer in outcomes(project, outcome).items()} == {
        f"c{number}": f"q{number}" for number in range(10)
    }
    assert paid_once(server, 10)
    assert server.count_of("create") == 1


def test_calls_by_batch_cost_half(tmp_path: Path, server: BatchServer) -> None:
    """In the plan, in the totals of the run, in each answer."""
    told, direct = Told(), Told()
    by_batch = BatchProject(tmp_path / "a", server).run(told)
    directly = BatchProject(tmp_path / "b", server).run(direct, batch=False)
    assert by_batch.run is not None
    assert directly.run is not None
    (plan,), (full,) = told.of(PlanReady), direct.of(PlanReady)
    assert plan.by_batch
    assert plan.estimated_cost_usd == pytest.approx(full.estimated_cost_usd / 2)
    assert by_batch.run.counts.calls == directly.run.counts.calls == 10
    assert by_batch.run.counts.cost_usd == pytest.approx((directly.run.counts.cost_usd or 0) / 2)
    assert by_batch.run.counts.ledger_hits == 0


def test_answers_by_batch_and_direct_ones_are_the_same_in_the_ledger(tmp_path: Path, server: BatchServer) -> None:
    """A later run without --batch finds them, and one by batch finds direct ones."""
    project = BatchProject(tmp_path, server)
    project.run()
    again = project.run(batch=False)
    assert again.run is not None
    assert (again.run.counts.calls, again.run.counts.ledger_hits, server.count) == (0, 10, 0)
    project.files.write_cases(12)
    project.run(batch=False)
    assert server.count == 2
    more = project.run()
    assert more.run is not None
    assert (more.run.counts.ledger_hits, server.count_of("create")) == (12, 1)


def test_answers_say_that_they_came_by_batch(tmp_path: Path, server: BatchServer) -> None:
    """With the batch's name, half the price, and no latency, for none was measured."""
    project = BatchProject(tmp_path, server, cases=1)
    (answer,) = outcomes(project, project.run()).values()
    assert isinstance(answer, Response)
    assert answer.meta["batch"] == "batch_1"
    assert answer.cost_usd == pytest.approx(11 * 100 / 1e6 / 2)
    assert answer.latency_ms is None


def test_a_latency_that_nobody_measured_is_no_failure(tmp_path: Path, server: BatchServer) -> None:
    """The metric does not apply to answers from a batch; the others do."""
    project = BatchProject(tmp_path, server, cases=2, metrics=["latency", "exact_match"])
    outcome = project.run()
    assert outcome.summary is not None
    assert outcome.exit_code is ExitCode.PASSED
    found = {metric.name: (metric.n_samples, metric.failures) for metric in outcome.summary.arms[0].metrics}
    assert found == {"latency": (0, 0), "exact_match": (2, 0)}


def test_models_and_repeats_have_their_places(tmp_path: Path, server: BatchServer) -> None:
    """One model a file, as the API wants it; each repeat is a call of its own."""
    project = BatchProject(tmp_path, server, cases=3)
    targets = [project.target(), project.target(name="large", model="other-model")]
    project.files.write_suite(server.base_url, targets=targets)
    outcome = project.run(samples=2)
    assert outcome.run is not None
    assert outcome.run.counts.calls == 12
    models = [{line["body"]["model"] for line in batch.lines} for batch in server.batches]
    assert sorted(map(sorted, models)) == [["other-model"], ["test-model"]]
    assert paid_once(server, 12)


def test_arms_that_are_the_same_call_share_it(tmp_path: Path, server: BatchServer) -> None:
    """A file may hold a name only once, also where one case's calls are looked up in two portions."""
    cases = 334  # 1,002 calls: one case is looked up in two portions
    project = BatchProject(tmp_path, server, cases=cases)
    targets = [project.target(name=name) for name in ("one", "two", "three")]
    project.files.write_suite(server.base_url, targets=targets)
    outcome = project.run()
    assert outcome.exit_code is ExitCode.PASSED
    assert paid_once(server, cases)


def test_what_a_suite_redacts_is_redacted_in_batches(tmp_path: Path) -> None:
    """Rules on a case's fields and patterns apply before anything is stored; what is sent is whole."""
    with BatchServer(lambda request: ok(f"秘密 {request.last_user} 090-1234-5678")) as server:
        redact = [{"field": "question"}, {"pattern": r"\d{3}-\d{4}-\d{4}", "replace_with": "[番号]"}]
        project = BatchProject(tmp_path, server, cases=2, redact=redact)
        answers = outcomes(project, project.run())
        assert {answer.output for answer in answers.values()} == {"秘密 [redacted] [番号]"}
        sent = {line["body"]["messages"][-1]["content"] for line in server.batches[0].lines}
    assert sent == {"q0", "q1"}


def test_the_key_is_sent_and_kept_nowhere(tmp_path: Path) -> None:
    """Not in the file that is uploaded, nor in the store, though the server repeats it in its refusals."""
    with BatchServer(lambda request: error(400, f"your key {KEY} may not {request.last_user}")) as server:
        project = BatchProject(tmp_path, server, cases=2)
        project.run()
        assert all(headers["authorization"] == f"Bearer {KEY}" for headers in server.headers)
        assert not any(KEY.encode() in content for content in server.files.values())
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert kept == []


# -- what fails --------------------------------------------------------------------------------------------------------


def test_calls_that_failed_for_a_while_go_into_a_further_batch(tmp_path: Path) -> None:
    """What was answered is not asked for again."""
    seen: Counter[str] = Counter()

    def script(request: Received) -> Reply:
        seen[request.last_user] += 1
        first = seen[request.last_user] == 1
        if first and request.last_user in {"q1", "q2"}:
            return rate_limited() if request.last_user == "q1" else error(503, "busy")
        return ok(request.last_user)

    with BatchServer(script) as server:
        outcome = BatchProject(tmp_path, server).run()
        assert outcome.run is not None
        assert (outcome.exit_code, outcome.run.counts.errors) == (ExitCode.PASSED, 0)
        assert [len(batch.lines) for batch in server.batches] == [10, 2]
        assert paid_once(server, 10)


def test_what_fails_for_good_is_an_error_and_never_a_score(tmp_path: Path) -> None:
    """Of the kind that a direct call's would be; so is what fails in every batch that it may be in."""

    def script(request: Received) -> Reply:
        replies = {"q0": error(400, "これは無理"), "q1": error(500, "oops")}
        return replies.get(request.last_user, ok(request.last_user))

    with BatchServer(script) as server:
        project = BatchProject(tmp_path, server)
        outcome = project.run()
        found = outcomes(project, outcome)
        assert [len(batch.lines) for batch in server.batches] == [10, 1, 1]
    assert isinstance(found["c0"], CallError)
    assert (found["c0"].kind, found["c0"].attempts) == ("bad_request", 1)
    assert (found["c1"].kind, found["c1"].attempts) == ("server_error", 3)
    assert outcome.exit_code is ExitCode.INCOMPLETE  # two of ten are more than the gate lets pass
    assert outcome.summary is not None
    assert outcome.summary.arms[0].metrics[0].mean == 1


def test_an_expired_batch_gives_what_it_has(tmp_path: Path) -> None:
    """The rest goes into a further batch; nothing is paid for twice."""
    with BatchServer(echo, fates=[Fate(states=(*ENDLESS, "expired"), done=6)]) as server:
        outcome = BatchProject(tmp_path, server).run()
        assert outcome.exit_code is ExitCode.PASSED
        assert [len(batch.lines) for batch in server.batches] == [10, 4]
        assert paid_once(server, 10)


def test_calls_that_no_file_of_results_names_are_asked_for_again(tmp_path: Path) -> None:
    """Three times by default, then they are errors."""
    with BatchServer(echo, fates=[Fate(done=7, left_out=3)] + [Fate(done=0, left_out=9)] * 5) as server:
        project = BatchProject(tmp_path, server)
        found = outcomes(project, project.run())
        assert [len(batch.lines) for batch in server.batches] == [10, 3, 3]
    errors = [outcome for outcome in found.values() if isinstance(outcome, CallError)]
    assert [(each.kind, each.attempts) for each in errors] == [("bad_response", 3)] * 3


def test_a_batch_that_is_refused_ends_the_run(tmp_path: Path) -> None:
    """A spent quota is no reason to try again; nothing was paid for, and the reasons are told."""
    fate = Fate(states=("validating", "failed"), errors=[("insufficient_quota", "You exceeded your current quota")])
    with BatchServer(echo, fates=[fate]) as server:
        project = BatchProject(tmp_path, server)
        outcome = project.run()
        assert (outcome.stop_reason, outcome.exit_code) == ("refused", ExitCode.INCOMPLETE)
        assert "insufficient_quota: You exceeded your current quota" in outcome.stop_message
        assert server.paid.total() == 0
        assert project.run().exit_code is ExitCode.PASSED  # when it is paid for, the same command goes on
        assert paid_once(server, 10)


def test_a_full_queue_is_filled_in_smaller_parts(tmp_path: Path) -> None:
    """A provider lets so many tokens wait: the calls go one part after the other, larger ones when there is room."""

    def fates(size: int) -> Fate:
        full = [("token_limit_exceeded", "Enqueued token limit reached")]
        return Fate(states=("validating", "failed"), errors=full) if size > 3 else Fate()

    with BatchServer(echo) as server:
        server.fate_of = fates
        outcome = BatchProject(tmp_path, server).run()
        assert outcome.exit_code is ExitCode.PASSED
        assert [len(batch.lines) for batch in server.batches] == [10, 5, 2, 4, 2, 4, 2, 4, 2, 2]
        assert paid_once(server, 10)


def test_a_refused_key_ends_the_run(tmp_path: Path) -> None:
    """Whether the upload is refused or the calls are; what was answered stays."""
    with BatchServer(echo, before=lambda _: unauthorized()) as server:
        project = BatchProject(tmp_path / "a", server)
        outcome = project.run()
        assert (outcome.stop_reason, outcome.exit_code) == ("refused", ExitCode.INCOMPLETE)
        with project.store() as store:
            assert store.batches.list() == []
    with BatchServer(lambda request: unauthorized() if request.last_user == "q3" else echo(request)) as server:
        outcome = BatchProject(tmp_path / "b", server).run()
        assert outcome.run is not None
        assert (outcome.stop_reason, outcome.exit_code) == ("refused", ExitCode.INCOMPLETE)
        assert (outcome.run.counts.samples, outcome.run.counts.errors) == (10, 1)


@pytest.mark.parametrize("created", [True, False], ids=["created", "not-created"])
def test_a_creation_of_which_nobody_knows_is_looked_up_before_it_is_tried_again(
    tmp_path: Path,
    created: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """A gateway's error may hide a batch that was created: it is found by our name in its metadata."""
    failed: list[str] = []

    def once(step: str) -> Reply | None:
        if step != "create" or failed:
            return None
        failed.append(step)
        return error(502, "bad gateway")

    with BatchServer(echo) as server:
        setattr(server, "after" if created else "before", once)
        outcome = BatchProject(tmp_path, server).run()
        assert outcome.exit_code is ExitCode.PASSED
        assert len(server.batches) == 1
        assert server.count_of("list") == 1
        assert paid_once(server, 10)


@pytest.mark.parametrize("created", [True, False], ids=["created", "not-created"])
def test_a_batch_that_nobody_noted_the_name_of_is_never_created_a_second_time(
    tmp_path: Path,
    created: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """However long ago the store noted it: the provider's list may lag behind the moment of its creation."""
    with BatchServer(echo) as server:
        project = BatchProject(tmp_path, server)
        trips = {"after" if created else "before": lambda step: error(502, "gone") if step == "create" else None}
        _stop_at_creation(project, server, trips)
        assert len(server.batches) == int(created)
        _note_as_old(project)
        server.hide_batches_from_list(looks=1)
        assert project.run().exit_code is ExitCode.PASSED
        assert paid_once(server, 10)
        assert len(server.batches) == 1


def _stop_at_creation(project: BatchProject, server: BatchServer, trips: dict[str, Any]) -> None:
    """Leave a batch noted of which nobody knows whether it was created."""
    for when, trip in trips.items():
        setattr(server, when, trip)
    project.files.write("retest.toml", "attempts = 1\npatience_s = 0.0\nbatch_poll_s = 0.02\n")
    assert project.run().stop_reason == "failing"
    server.before = server.after = lambda _: None


def _note_as_old(project: BatchProject) -> None:
    with closing(sqlite3.connect(project.store_path)) as connection, connection:
        connection.execute("UPDATE batches SET created_us = created_us - 3600000000")


def test_calls_of_a_batch_that_was_never_sent_are_ordered_within_the_budget(
    tmp_path: Path, server: BatchServer
) -> None:
    """What an earlier run meant to order, without limits, binds nobody."""
    project = BatchProject(tmp_path, server)
    _stop_at_creation(project, server, {"before": lambda step: error(502, "gone") if step == "create" else None})
    outcome = project.run(max_calls=1)
    assert (outcome.stop_reason, outcome.exit_code) == ("budget", ExitCode.INCOMPLETE)
    assert [len(batch.lines) for batch in server.batches] == [1]
    with project.store() as store:
        assert [batch.status for batch in store.batches.list(ended=True)] == ["never sent", "completed"]


def test_a_provider_that_does_not_say_whether_it_has_a_batch_ends_the_run(tmp_path: Path, server: BatchServer) -> None:
    """Nothing is ordered, and the batch stays noted: the same command asks again."""
    project = BatchProject(tmp_path, server)
    _stop_at_creation(project, server, {"before": lambda step: error(502, "gone") if step == "create" else None})
    server.before = lambda step: error(502, "gone") if step == "list" else None
    outcome = project.run(max_calls=1)
    assert (outcome.stop_reason, server.batches) == ("failing", [])
    with project.store() as store:
        assert len(store.batches.list()) == 1


def test_a_provider_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    """While a batch is out, looks that fail cost nothing but time; so do results that break off."""
    away = Counter[str]()

    def trip(step: str) -> Reply | None:
        away[step] += 1
        if step == "state" and away[step] in {2, 3, 4, 5}:
            return error(503, "away")
        return Reply(fault="reset") if step == "content" and away[step] == 1 else None

    with BatchServer(echo, before=trip) as server:
        outcome = BatchProject(tmp_path, server).run()
        assert outcome.exit_code is ExitCode.PASSED
        assert paid_once(server, 10)


def test_half_a_file_of_results_is_read_again(tmp_path: Path) -> None:
    """Though the server said nothing of an error: whole lines or not, what is missing in it was paid for."""
    cuts: dict[str, Any] = {
        "line": lambda body: body[: len(body) // 2],
        "lines": lambda body: body[: body.index(b"\n") + 1],
    }
    for name, cut in cuts.items():
        with BatchServer(echo) as server:
            server.cut_content(cut)
            outcome = BatchProject(tmp_path / name, server).run()
            assert outcome.run is not None
            assert (outcome.exit_code, outcome.run.counts.calls) == (ExitCode.PASSED, 10)
            assert outcome.run.counts.cost_usd == pytest.approx(0.0055)
            assert server.count_of("content") > 1
            assert paid_once(server, 10)


def test_results_that_are_not_there_yet_are_waited_for(tmp_path: Path) -> None:
    """A batch may be completed a moment before its file has a name."""
    with BatchServer(echo) as server:
        server.late_files = 1
        assert BatchProject(tmp_path, server).run().exit_code is ExitCode.PASSED
        assert paid_once(server, 10)
        assert len(server.batches) == 1


def test_results_that_never_come_end_the_run_and_stay_the_batch_s(tmp_path: Path) -> None:
    """Exit 4: what the provider counts as answered is not ordered, and paid for, again."""
    refusals: list[Any] = [
        {"late_files": 1000},
        {"before": lambda step: error(500, "no") if step == "content" else None},
    ]
    for number, refusal in enumerate(refusals):
        with BatchServer(echo) as server:
            for name, value in refusal.items():
                setattr(server, name, value)
            project = BatchProject(tmp_path / str(number), server)
            project.files.write("retest.toml", "attempts = 1\npatience_s = 0.0\nbatch_poll_s = 0.01\n")
            outcome = project.run()
            assert (outcome.stop_reason, outcome.exit_code) == ("failing", ExitCode.INCOMPLETE)
            assert len(server.batches) == 1
            with project.store() as store:
                assert [batch.name for batch in store.batches.list()] == ["batch_1"]


def test_a_batch_that_never_ends_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    """An hour past its time the run ends, whatever a provider calls its state; the batch stays noted."""
    with BatchServer(echo, fates=[Fate(states=("validating", "hibernating"))]) as server:
        server.created_ago_s = 26 * 3600
        project = BatchProject(tmp_path, server)
        project.files.write("retest.toml", "attempts = 1\npatience_s = 0.0\nbatch_poll_s = 0.01\n")
        outcome = project.run()
        assert (outcome.stop_reason, outcome.exit_code) == ("failing", ExitCode.INCOMPLETE)
        assert "the provider says 'hibernating'" in outcome.stop_message
        with project.store() as store:
            assert len(store.batches.list()) == 1


def test_a_batch_that_somebody_cancelled_is_not_ordered_anew(tmp_path: Path) -> None:
    """What it had answered is taken and stored; the same command orders the rest."""
    with BatchServer(echo, fates=[Fate(states=(*ENDLESS, "cancelled"), done=4)]) as server:
        project = BatchProject(tmp_path, server)
        outcome = project.run()
        assert outcome.run is not None
        assert (outcome.stop_reason, outcome.exit_code) == ("batch", ExitCode.INCOMPLETE)
        assert (outcome.run.counts.samples, len(server.batches)) == (4, 1)
        assert project.run().exit_code is ExitCode.PASSED
        assert paid_once(server, 10)


# -- limits ------------------------------------------------------------------------------------------------------------


def test_budgets_hold_before_anything_is_sent(tmp_path: Path, server: BatchServer) -> None:
    """In calls, and in dollars at half the price; what was ordered is scored and stored."""
    for name, limit, calls in (("calls", {"max_calls": 4}, 4), ("cost", {"max_cost_usd": 0.04}, 3)):
        project = BatchProject(tmp_path / name, server)
        outcome = project.run(**limit)
        assert outcome.run is not None
        assert (outcome.stop_reason, outcome.exit_code) == ("budget", ExitCode.INCOMPLETE)
        assert (outcome.run.counts.samples, len(server.batches[-1].lines)) == (calls, calls)


def test_calls_that_are_out_count_against_a_budget(tmp_path: Path, server: BatchServer) -> None:
    """A batch that is gone on with uses up what a limit of calls allows; one that was refused gives it back."""
    server.fate_of = lambda _: Fate(states=ENDLESS)
    project = BatchProject(tmp_path, server)
    project.interrupt()
    server.fate_of = lambda _: Fate()
    server.batches[0].fate = Fate(states=("in_progress", "failed"), errors=[("bad", "表")])
    refused = project.run(max_calls=4)
    assert refused.stop_reason == "refused"
    limited = project.run(max_calls=4)
    assert limited.stop_reason == "budget"
    assert [len(batch.lines) for batch in server.batches] == [10, 4]


def test_a_limit_in_dollars_holds_where_every_call_was_out(tmp_path: Path, server: BatchServer) -> None:
    """A batch that comes to nothing is paid for by nobody: its calls are ordered anew, as far as the limit allows."""
    server.fate_of = lambda _: Fate(states=ENDLESS)
    project = BatchProject(tmp_path, server)
    project.interrupt()
    server.fate_of = lambda _: Fate()
    server.batches[0].fate = Fate(states=("in_progress", "expired"), done=0)
    outcome = project.run(max_cost_usd=0.04)
    assert (outcome.stop_reason, [len(batch.lines) for batch in server.batches]) == ("budget", [10, 3])


def test_a_limit_in_dollars_holds_for_calls_of_an_overdue_batch(tmp_path: Path, server: BatchServer) -> None:
    """A run without --batch makes them: its plan counts them, at their price."""
    project = BatchProject(tmp_path, server)
    project.interrupt()
    _let_time_pass(project)
    told = Told()
    outcome = project.run(told, batch=False, max_cost_usd=0.08)
    (plan,) = told.of(PlanReady)
    assert (plan.in_batches, plan.calls_to_make, outcome.stop_reason, server.count) == (0, 10, "budget", 3)


def test_an_unknown_price_and_a_limit_in_dollars_do_not_go_together(tmp_path: Path, server: BatchServer) -> None:
    """As for direct calls: refused before anything is sent."""
    project = BatchProject(tmp_path, server)
    project.files.write_suite(server.base_url, targets=[project.target(price=None)])
    with pytest.raises(UsageError, match="budget-without-price"):
        project.run(max_cost_usd=1.0)
    assert server.steps == []


def test_targets_that_take_no_batches_are_refused_before_anything_is_sent(tmp_path: Path, server: BatchServer) -> None:
    """All of them by name, with their place in the suite."""
    project = BatchProject(tmp_path, server)
    targets = [project.target(), {"name": "own", "provider": "command", "argv": ["cat"]}]
    project.files.write_suite(server.base_url, targets=targets)
    with pytest.raises(UsageError) as caught:
        project.run()
    (problem,) = caught.value.problems
    assert (problem.slug, "own" in problem.message) == ("batch-unsupported", True)
    assert problem.where is not None
    assert server.steps == []


def test_wishes_that_cannot_go_with_batches_are_refused(tmp_path: Path, server: BatchServer) -> None:
    """Waves that wait a day each, and calls where none may be made."""
    project = BatchProject(tmp_path, server)
    for slug, wish in (
        ("batch-until-decided", {"until_decided": UntilDecided()}),
        ("batch-offline", {"offline": True}),
    ):
        with pytest.raises(UsageError, match=slug):
            project.run(**wish)
    assert server.steps == []


def test_a_dry_run_sends_nothing(tmp_path: Path, server: BatchServer) -> None:
    """It says what would be ordered, and at which price."""
    told = Told()
    BatchProject(tmp_path, server).run(told, dry_run=True)
    (plan,) = told.of(PlanReady)
    assert (plan.calls_to_make, plan.by_batch, server.steps) == (10, True, [])


# -- leaving and coming back -------------------------------------------------------------------------------------------


def test_an_interrupted_run_leaves_its_batch_and_goes_on_with_it(tmp_path: Path, server: BatchServer) -> None:
    """Ctrl-C costs nothing: the same command takes the answers of the same batch, in the same run."""
    project = BatchProject(tmp_path, server)
    first = project.interrupt()
    assert first.run is not None
    assert (first.stop_reason, [batch.name for batch in first.batches]) == ("interrupt", ["batch_1"])
    told = Told()
    second = project.run(told)
    assert second.run is not None
    (plan,) = told.of(PlanReady)
    assert (plan.in_batches, plan.calls_to_make, plan.estimated_cost_usd) == (10, 0, 0.0)
    assert (second.exit_code, second.run.run_id) == (ExitCode.PASSED, first.run.run_id)
    assert (second.run.counts.calls, second.run.counts.ledger_hits) == (10, 0)
    assert second.run.counts.cost_usd == pytest.approx(0.0055)
    assert (server.count_of("upload"), server.count_of("create")) == (1, 1)
    assert paid_once(server, 10)


def test_a_second_interrupt_gives_a_hanging_request_up(tmp_path: Path) -> None:
    """A provider that does not answer holds nobody."""
    with BatchServer(echo, before=lambda step: Reply(fault="hang") if step == "state" else None) as server:
        project = BatchProject(tmp_path, server)

        outcome = asyncio.run(_stopped_at_state(project, server))
        assert outcome.stop_reason == "interrupt"


async def _stopped_at_state(project: BatchProject, server: BatchServer) -> RunOutcome:
    stop = StopSignal()
    running = asyncio.ensure_future(project.go(Told(), stop, settings={"grace_s": 60}))
    while server.count_of("state") == 0:  # noqa: ASYNC110 - what the server has seen
        await asyncio.sleep(0.01)
    stop.stop("interrupt", "interrupted")
    stop.stop("interrupt", "interrupted")
    return await asyncio.wait_for(running, 20)


def test_a_batch_whose_time_is_over_still_gives_its_answers(tmp_path: Path, server: BatchServer) -> None:
    """After a weekend the answers are there; by batch they are taken, not paid for again."""
    project = BatchProject(tmp_path, server)
    project.interrupt()
    _let_time_pass(project)
    assert project.run().exit_code is ExitCode.PASSED
    assert paid_once(server, 10)


def _let_time_pass(project: BatchProject) -> None:
    with project.store() as store:
        (batch,) = store.batches.list()
        long_ago = batch.created_at.replace(year=batch.created_at.year - 1)

        async def work() -> Batch:
            return await store.batches.update(batch, expires_at=long_ago)

        asyncio.run(work())


def test_a_direct_run_never_makes_the_calls_of_a_batch_that_is_out(tmp_path: Path, server: BatchServer) -> None:
    """Where nobody waits for the batch it stops before any call, and says what to do; long after, it makes them."""
    project = BatchProject(tmp_path, server)
    project.interrupt()
    with pytest.raises(IncompleteError) as caught:
        project.run(batch=False)
    (problem,) = caught.value.problems
    assert problem.slug == "batch-outstanding"
    assert "10 calls" in problem.message
    assert "retest batch cancel batch_1" in (problem.fix or "")
    assert server.count == 0
    _let_time_pass(project)
    assert project.run(batch=False).exit_code is ExitCode.PASSED
    assert server.count == 10


def test_a_direct_run_waits_for_a_batch_that_somebody_waits_for(tmp_path: Path) -> None:
    """It says so, and takes the answers when they come; two runs by batch share a batch likewise."""
    hold = [True]

    def trip(step: str) -> Reply | None:
        return error(503, "later") if step == "state" and hold[0] else None

    with BatchServer(echo, before=trip) as server:
        project = BatchProject(tmp_path, server)

        async def main() -> tuple[RunOutcome, RunOutcome, RunOutcome, Told]:
            sent, waiting, told = Told(), Told(), Told()
            first = asyncio.ensure_future(project.go(sent))
            await _until(lambda: bool(sent.of(BatchNews)))
            direct = asyncio.ensure_future(project.go(waiting, batch=False))
            await _until(lambda: bool(waiting.of(WaitingForBatch)))
            second = asyncio.ensure_future(project.go(told))
            await _until(lambda: bool(told.of(WaitingForBatch)))
            hold[0] = False
            return await first, await direct, await second, waiting

        first, direct, second, _ = asyncio.run(main())
        assert {first.exit_code, direct.exit_code, second.exit_code} == {ExitCode.PASSED}
        assert direct.run is not None
        assert direct.run.counts.ledger_hits == 10
        assert paid_once(server, 10)
        assert len(server.batches) == 1


def test_calls_that_another_process_makes_are_left_to_it(tmp_path: Path) -> None:
    """A run by batch orders the others, waits, and has the answer when it is there."""
    hold = [True]
    with BatchServer(lambda request: ok(request.last_user, until=lambda: not hold[0])) as server:
        project = BatchProject(tmp_path, server)

        async def main() -> tuple[RunOutcome, RunOutcome]:
            direct = asyncio.ensure_future(project.go(batch=False, selection=CaseSelection(limit=1)))
            await _until(lambda: server.in_flight == 1)
            told = Told()
            by_batch = asyncio.ensure_future(project.go(told))
            await _until(lambda: bool(told.of(WaitingForOthers)))
            hold[0] = False
            return await direct, await by_batch

        assert {outcome.exit_code for outcome in asyncio.run(main())} == {ExitCode.PASSED}
        assert [len(batch.lines) for batch in server.batches] == [9]
        assert (server.paid.total(), server.count) == (9, 1)


async def _until(holds: Any) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError
