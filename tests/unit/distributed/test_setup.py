"""What leaves the driver for its workers, and what does not."""

from __future__ import annotations

import asyncio
import os
import pickle
import sys
from pathlib import Path

from retest.distributed.setup import stripped
from retest.distributed.wire import Link, Reply, pack
from retest.distributed.worker import Worker
from retest.errors import Problem, StoreError
from retest.runner.plan import RunPlan
from retest.workflows.distributed import NotedVariables
from support.crew import copied, spread_run
from support.project import Project
from support.suites import make_suite
from support.targets import open_with


def test_a_stripped_suite_can_be_pickled_and_holds_no_text() -> None:
    """Neither the cases nor the texts of files travel with the suite."""
    suite = make_suite(cases=3, arms=2)
    again = copied(stripped(suite))
    assert [arm.name for arm in again.arms] == [arm.name for arm in suite.arms]
    assert list(again.cases) == []
    assert again.source == ""
    assert all(not arm.prompt.source for arm in again.arms)


def test_a_shard_brings_each_case_and_each_message_once() -> None:
    """Repeats of a case share its variables and its rendered prompt."""
    plan = RunPlan(suite=make_suite(cases=2), identities=[{}], samples=3)
    calls = list(plan.calls())
    shard = copied(pack(calls, {}))
    assert (len(shard.calls), len(shard.cases), len(shard.texts)) == (6, 2, 2)
    assert [(call.where, call.key, call.messages) for call in shard.planned()] == [
        (call.where, call.key, call.messages) for call in calls
    ]


def test_only_variables_that_were_asked_for_are_noted() -> None:
    """A program that inherits the environment asks for none; what belongs to the machine stays there."""
    env = NotedVariables({"OPENAI_API_KEY": "sk-1", "AWS_SECRET": "s", "PATH": "/bin"})
    assert dict(env.items())["AWS_SECRET"] == "s"
    assert env.get("OPENAI_BASE_URL") is None
    assert (env["OPENAI_API_KEY"], env["PATH"]) == ("sk-1", "/bin")
    assert env.asked() == {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": None}


def test_a_program_asks_for_nothing(tmp_path: Path) -> None:
    """A `command` target inherits the environment of its node: none of the driver's variables goes there."""
    secrets = {"OPENAI_API_KEY": "sk-1", "AWS_SECRET_ACCESS_KEY": "s", "LD_LIBRARY_PATH": "/x"}
    env = NotedVariables(os.environ | secrets)
    open_with("command", {"argv": [sys.executable, "-c", ""]}, base_dir=tmp_path, env=env)
    assert env.asked() == {}


def test_a_variable_that_the_driver_lacks_is_none_on_a_node() -> None:
    """An endpoint that a node's own environment names would be another one."""
    env = Worker("worker 1")._environment({"HOME": None, "KEY": "value"})
    assert "HOME" not in env
    assert env["KEY"] == "value"
    assert "PATH" in env


def test_a_key_is_in_nothing_that_is_set_up(project: Project, tmp_path: Path) -> None:
    """The key goes by itself, as an argument of a call, and is in no part of the set-up, which Ray may keep."""
    project.write_cases(3)
    project.write_suite()

    async def scenario() -> bytes:
        async with spread_run(project.root, env={"OPENAI_API_KEY": "sk-planted-1234567890"}) as spread:
            return pickle.dumps((spread.crew._setup, spread.execution._orders))

    assert b"planted" not in asyncio.run(scenario())


def test_what_went_wrong_at_the_driver_is_raised_at_the_worker() -> None:
    """An error arrives as the class that it was, with its problems."""

    async def scenario() -> str:
        link = Link()
        asking = asyncio.create_task(link.ask("record", []))
        (ask,) = await link.take()
        problem = Problem(slug="store-full", message="ディスクがいっぱいです")
        link.deliver(copied([Reply(ask.number or 0, problems=(problem,), kind=StoreError)]))
        try:
            await asking
        except StoreError as error:
            return str(error)
        return ""

    assert "ディスクがいっぱいです" in asyncio.run(scenario())
