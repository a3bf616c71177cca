"""Runs that are spread over a Ray cluster: what workers are told, and who executes a plan."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from retest.errors import Problem, UsageError
from retest.runner.events import Listener, Notice
from retest.runner.execute import Backends, Execution, ExecutionOptions
from retest.runner.plan import RunPlan
from retest.runner.stopping import Budget, StopSignal
from retest.runner.waves import Executes
from retest.workflows.judges import judging_options
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.distributed.crew import Crew
    from retest.distributed.execution import SpreadExecution
    from retest.distributed.setup import Orders, Setup
    from retest.workflows.run import PreparedRun

RAY: Final = "ray"
_OF_THE_MACHINE: Final = frozenset({"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"})
Executor = Callable[[RunPlan, Backends, ExecutionOptions, Listener, StopSignal], Executes]


class NotedVariables(Mapping[str, str]):
    """An environment that notes which of its variables were asked for by name: these are what a worker needs."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        """Return a variable's value."""
        self._asked.add(name)
        return self._env[name]

    def __iter__(self) -> Iterator[str]:
        """Yield all names, which is no asking: a program that inherits an environment has that of its own node."""
        return iter(self._env)

    def __len__(self) -> int:
        """Return the number of variables."""
        return len(self._env)

    def items(self) -> ItemsView[str, str]:
        """Return all variables, which is no asking either."""
        return self._env.items()

    def asked(self) -> dict[str, str | None]:
        """Return what was asked for, None where it is not set; what belongs to the machine is left out."""
        return {name: self._env.get(name) for name in sorted(self._asked - _OF_THE_MACHINE)}


def watched_workspace(workspace: Workspace) -> Workspace:
    """Return the workspace with an environment that notes what targets ask for, where workers will need it."""
    if workspace.settings["executor"] != RAY or isinstance(workspace.env, NotedVariables):
        return workspace
    return replace(workspace, env=NotedVariables(workspace.env))


async def find_executor(
    prepared: PreparedRun, workspace: Workspace, options: ExecutionOptions, *, offline: bool
) -> Executor:
    """Return who executes the run's plan; a cluster is reached, and its workers are ready, when this returns.

    Raises:
        UsageError: the cluster cannot be reached, or not be used for this run; nothing is stored or paid for yet.
    """
    if workspace.settings["executor"] != RAY:
        return Execution
    if options.fetched is not None:
        raise UsageError(_no_batch())
    from retest.distributed.ray_crew import RayCrew

    env = workspace.env
    variables = env.asked() if isinstance(env, NotedVariables) else {}
    judges = [judge.limits.concurrency for judge in prepared.judges.specs if judge.limits.concurrency]
    beside = max(1, round(int(workspace.settings["concurrency"]) / options.concurrency))  # runs, this one included
    crew = RayCrew(
        str(workspace.settings["ray_address"]),
        crew_setup(prepared, workspace, options.concurrency),
        variables,
        workers=workspace.settings["ray_workers"],
        processors=1 / beside,
    )
    prepared.stack.push_async_callback(crew.close)
    await crew.open(most=min([options.concurrency, max(1, prepared.ready.planned), *judges]))
    return Spread(crew, crew_orders(prepared, workspace, options, offline=offline))


class Spread:
    """Makes executions that a crew carries out; satisfies `Executor`."""

    def __init__(self, crew: Crew, orders: Callable[[int], Orders]) -> None:
        self._crew = crew
        self._orders = orders

    def __call__(
        self, plan: RunPlan, backends: Backends, options: ExecutionOptions, tell: Listener, stop: StopSignal
    ) -> SpreadExecution:
        """Return the execution of a plan."""
        from retest.distributed.execution import SpreadExecution
        from retest.distributed.keeper import Course

        workers = len(self._crew.hands)
        tell(Notice(message=f"spread over {workers} {'worker' if workers == 1 else 'workers'}"))
        course = Course(
            plan=plan,
            backends=backends,
            budget=options.budget or Budget(options.limits),
            stop=stop,
            tell=tell,
            streak_limit=options.streak_limit,
        )
        execution = SpreadExecution(course, self._crew, self._orders(workers))
        self._crew.before_close(execution.close)
        return execution


def crew_setup(prepared: PreparedRun, workspace: Workspace, concurrency: int) -> Setup:
    """Return what the workers of a run are set up with."""
    from retest.distributed.files import pack_files
    from retest.distributed.setup import Setup, stripped

    plan, judges = prepared.plan, prepared.judges
    return Setup(
        suite=stripped(plan.suite),
        judges=judges.specs,
        identities=plan.identities,
        judge_identities={name: target.identity for name, target in (judges.targets or {}).items()},
        signatures={name: metric.signature() for name, metric in prepared.metrics.items()},
        samples=plan.samples,
        draw=plan.draw,
        prices=workspace.prices(),
        connections=concurrency,
        luggage=pack_files(plan.suite, judges.specs),
    )


def crew_orders(
    prepared: PreparedRun, workspace: Workspace, options: ExecutionOptions, *, offline: bool
) -> Callable[[int], Orders]:
    """Return how workers are to go about it, by how many there are."""
    from retest.distributed.setup import Orders

    plan = prepared.plan
    budget = options.budget
    limited = {judge.name for judge in prepared.judges.specs if judge.limits.max_calls or judge.limits.max_cost_usd}

    def orders(workers: int) -> Orders:
        judging = judging_options(workspace, prepared.ready.run_id, draw=plan.draw, offline=offline)
        return Orders(
            concurrency=options.concurrency,
            judging=replace(
                judging, offline=bool(options.offline_arms), concurrency=-(-judging.concurrency // workers)
            ),
            retry=options.retry,
            offline_arms=options.offline_arms,
            grace_s=options.grace_s,
            streak_limit=options.streak_limit,
            limited=isinstance(budget, Budget) and budget.is_limited,
            limited_judges=frozenset(limited),
        )

    return orders


def _no_batch() -> Problem:
    return Problem(
        slug="ray-batch",
        message="--batch hands all calls to the provider at once: there is nothing for a cluster to call",
        fix="leave --batch out, or --executor ray",
    )
