"""The versions of a prompt as git sees them, each with what the suites that ran it came to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from retest.domain.comparison import MetricComparison
from retest.domain.prompt_log import LoggedVersion, LogWish, MetricResult, PromptLog, VersionResult
from retest.domain.run import Run, RunArm
from retest.errors import RetestError, StoreError
from retest.workflows.diff import DiffOptions, Side, diff_runs, stored_side
from retest.workflows.prompt_versions import read_versions
from retest.workflows.view_run import read_arms
from retest.workflows.workspace import Workspace

if TYPE_CHECKING:
    from retest.store.database import Store

_MOST_RUNS = 500  # of one version: the newest count
_BEFORE = 20  # versions read beyond those that are shown: the oldest of these is compared with one of them


def read_log(workspace: Workspace, store: Store | None, path: str, wish: LogWish) -> PromptLog:
    """Return the versions of a prompt with their results.

    Args:
        workspace: the project.
        store: with the runs; None where there is none yet.
        path: of the prompt's file, as the user typed it.
        wish: what to show.

    Raises:
        UsageError: no repository, or neither git nor the working tree knows the file.
    """
    # With a label any version may be wanted; without one, some more than are shown, so that each has one before it.
    most = None if wish.label is not None else wish.limit + _BEFORE
    versions, unread = read_versions(workspace.cwd, path, most=most)
    chosen = [at for at, version in enumerate(versions) if wish.label is None or wish.label in version.labels]
    shown = chosen[: wish.limit]
    log = PromptLog(
        path=path,
        versions=tuple(versions[at] for at in shown),
        left_out=len(chosen) - len(shown) + unread,
    )
    if store is None:
        return log
    uses = _Uses(store, wish.suite)
    compared = _Comparisons(workspace, store, uses, versions)
    with_results = [
        replace(versions[at], runs=uses.count(versions[at].prompt_hash), results=tuple(compared.results(at, wish)))
        for at in shown
    ]
    known = {version.prompt_hash for version in versions}
    elsewhere = 0 if unread else uses.elsewhere(path, known)
    return replace(log, versions=tuple(with_results), elsewhere=elsewhere)


class _Uses:
    """Which finished runs used which version of a prompt, the newest first; read when a version is first asked for."""

    def __init__(self, store: Store, suite: str | None) -> None:
        self._store, self._suite = store, suite
        self._by_hash: dict[str, list[tuple[Run, RunArm]]] = {}

    def of(self, prompt_hash: str | None) -> Sequence[tuple[Run, RunArm]]:
        if prompt_hash is None:
            return ()
        if prompt_hash not in self._by_hash:
            runs = self._runs(prompt_hash)
            self._by_hash[prompt_hash] = [
                (run, arm) for run in runs for arm in run.arms if arm.prompt_hash == prompt_hash
            ]
        return self._by_hash[prompt_hash]

    def count(self, prompt_hash: str | None) -> int:
        return len({run.run_id for run, _ in self.of(prompt_hash)})

    def newest(self, prompt_hash: str | None) -> Mapping[tuple[str, str], tuple[Run, RunArm]]:
        """Return the newest run of each suite and target."""
        found: dict[tuple[str, str], tuple[Run, RunArm]] = {}
        for run, arm in self.of(prompt_hash):
            found.setdefault((run.suite, arm.target_name), (run, arm))
        return found

    def elsewhere(self, path: str, known: set[str | None]) -> int:
        """Return how many runs of the path used a text that is not known."""
        normal = Path(os.path.normpath(path)).as_posix()
        return sum(
            any(arm.prompt_path == normal and arm.prompt_hash not in known for arm in run.arms)
            for run in self._runs(normal)
        )

    def _runs(self, prompt: str) -> Sequence[Run]:
        from retest.store.records import RunFilter

        wanted = RunFilter(prompt=prompt, suite=self._suite, statuses=("complete",), limit=_MOST_RUNS)
        return self._store.list_runs(wanted)


class _Comparisons:
    """Compares the newest run of each version with that of the version before, by the machinery of `retest diff`."""

    def __init__(self, workspace: Workspace, store: Store, uses: _Uses, versions: Sequence[LoggedVersion]) -> None:
        self._workspace, self._store, self._uses, self._versions = workspace, store, uses, versions
        self._sides: dict[str, Side] = {}

    def results(self, index: int, wish: LogWish) -> Iterator[VersionResult]:
        """Yield what each suite and target came to at a version."""
        for place, (run, arm) in sorted(self._uses.newest(self._versions[index].prompt_hash).items()):
            own = next((one for one in read_arms(run) if one.name == arm.name), None)
            if own is None:
                continue
            has_verdict = wish.verdicts and not self._versions[index].same_as
            before = self._before(index, place) if has_verdict else None
            verdicts, note = ({}, None) if before is None else self._verdicts(before, (run, arm), wish.metrics)
            ranges = {metric.name: (metric.low, metric.high) for metric in run.metrics}
            yield VersionResult(
                suite=run.suite,
                run_id=run.run_id,
                arm=arm.name,
                target=arm.target_name,
                started_at=run.started_at,
                metrics=tuple(
                    MetricResult(
                        metric=one.name,
                        mean=one.mean,
                        low=one.low,
                        high=one.high,
                        range_low=ranges.get(one.name, (0.0, 1.0))[0],
                        range_high=ranges.get(one.name, (0.0, 1.0))[1],
                        comparison=verdicts.get(one.name),
                    )
                    for one in own.metrics
                    if not wish.metrics or one.name in wish.metrics
                ),
                against=None if before is None else before[0].run_id,
                note=note,
            )

    def _before(self, index: int, place: tuple[str, str]) -> tuple[Run, RunArm] | None:
        """Return the run of the nearest earlier version that has one; the same text again is no other version."""
        own = self._versions[index].prompt_hash
        for version in self._versions[index + 1 :]:
            if version.prompt_hash == own:
                continue
            found = self._uses.newest(version.prompt_hash).get(place)
            if found is not None:
                return found
        return None

    def _verdicts(
        self, before: tuple[Run, RunArm], after: tuple[Run, RunArm], metrics: tuple[str, ...]
    ) -> tuple[Mapping[str, MetricComparison], str | None]:
        names = {metric.name for metric in after[0].metrics} | {metric.name for metric in before[0].metrics}
        wanted = tuple(name for name in metrics if name in names)
        wish = DiffOptions(
            arms=(before[1].name, after[1].name),
            metrics=wanted,
            limit=0,
            answers=0,
            run_code=self._workspace.untrusted is None,
        )
        try:
            found = diff_runs(
                self._side(before[0]),
                self._side(after[0]),
                wish,
                cwd=self._workspace.cwd,
                now=self._workspace.clock(),
            )
        except RetestError as error:
            return {}, error.problems[0].message
        return {metric.metric: metric for arm in found.arms for metric in arm.metrics}, None

    def _side(self, run: Run) -> Side:
        if run.run_id not in self._sides:
            self._sides = dict(list(self._sides.items())[-1:])  # scores of a large run are large: two are kept
            self._sides[run.run_id] = stored_side(self._store, run)
        return self._sides[run.run_id]


def open_store(workspace: Workspace, stack: ExitStack) -> Store | None:
    """Return the store for reading, None where there is none yet.

    Raises:
        StoreError: it cannot be opened.
    """
    try:
        return stack.enter_context(workspace.open_store(read_only=True))
    except StoreError as error:
        if error.problems[0].slug == "store-not-found":
            return None
        raise
