"""The pages of runs: the list, one run, its cases, one case, one answer whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from retest.domain.pages import STATES, CaseDetail, CaseEntry, ShownSample
from retest.domain.pairwise import PairwiseRanking
from retest.domain.run import Run
from retest.domain.sample import CallError
from retest.errors import Problem, RetestError, UsageError
from retest.report.html.render import ANSWER_CHARS
from retest.report.numbers import format_count, format_value
from retest.store.records import RunFilter, SampleFilter, SearchFilter, parse_metric_condition
from retest.viewer.reviewing import default_reviewer, review_panel, with_reviews
from retest.viewer.site import Site, link, number
from retest.workflows.run_pairwise import rank_run, stored_pairs
from retest.workflows.view_run import (
    CaseWish,
    find_neighbours,
    list_entries,
    read_case_page,
    read_progress,
    run_overview,
)

REVIEWER_COOKIE = "retest-reviewer"
_RUNS = 50  # on a page
_HITS = 100
_PLAIN_STATES = ("error", "failing", "mixed", "passing")


class RunPages:
    """What is shown of runs."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._rankings: dict[tuple[str, datetime | None], tuple[PairwiseRanking, ...]] = {}

    def runs(self, request: Request) -> Response:
        """Show the list of runs, searched and filtered; what cannot be read as a condition is said, not ignored."""
        query = dict(request.query_params)
        page = max(1, number(query.get("page", "1"), 1))
        wrong: list[str] = []
        try:
            found = self._site.store.list_runs(run_filter(query, page * _RUNS + 1))
        except RetestError as error:
            found, wrong = [], [problem.message for problem in error.problems]
        shown = found[(page - 1) * _RUNS : page * _RUNS]
        baselines = {named.run.suite: named.run.run_id for named in self._site.store.baselines()}
        return self._site.page(
            request,
            "runs.html",
            runs=shown,
            wrong=wrong,
            page_number=page,
            more=len(found) > page * _RUNS,
            means=run_means,
            baselines=baselines,
        )

    def search(self, request: Request) -> Response:
        """Show the answers and errors that contain a text, over all runs."""
        text = request.query_params.get("q", "")
        wrong: list[str] = []
        hits = []
        try:
            if text:
                hits = list(self._site.store.search(text, SearchFilter(limit=_HITS)))
        except RetestError as error:
            wrong = [problem.message for problem in error.problems]
        return self._site.page(request, "search.html", text=text, hits=hits, wrong=wrong, most=_HITS)

    def run(self, request: Request) -> Response:
        """Show what a run adds up to; while it runs, how far it is."""
        run = self._run(request)
        progress = read_progress(self._site.store, run) if not run.summary else None
        page = replace(run_overview(run, self._site.workspace.clock()), rankings=self._ranked(run))
        return self._site.page(
            request, "run.html", run=run, page=page, progress=progress, value=format_value, pair_links=_pair_links(run)
        )

    def _ranked(self, run: Run) -> tuple[PairwiseRanking, ...]:
        """Return a run's rankings, which take a moment the first time."""
        key = (run.run_id, run.finished_at)
        if key not in self._rankings:
            if len(self._rankings) >= _RUNS:
                self._rankings.clear()
            self._rankings[key] = rank_run(run, stored_pairs(run))
        return self._rankings[key]

    def progress(self, request: Request) -> Response:
        """Say how far a run is, for the page that shows it."""
        run = self._run(request)
        found = read_progress(self._site.store, run)
        return JSONResponse(
            {
                "status": run.status,
                "done": bool(run.summary),
                "samples": format_count(found.samples),
                "planned": format_count(run.planned),
                "errors": format_count(found.errors),
                "share": min(100.0, 100 * found.samples / max(1, run.planned)),
                "means": {
                    f"{own.arm}/{own.metric}": format_value(own.mean, low=low, high=high)
                    for own in found.metrics
                    for low, high in [_range(run, own.metric)]
                },
            }
        )

    def cases(self, request: Request) -> Response:
        """Show one page of a run's cases."""
        run = self._run(request)
        wish = case_wish(request.query_params)
        page = list_entries(self._site.store, run, wish)
        return self._site.page(
            request,
            "cases.html",
            run=run,
            wish=wish,
            listing=page,
            metric_names=[metric.name for metric in run.metrics],
            ranges={metric.name: (metric.low, metric.high) for metric in run.metrics},
            directions={metric.name: metric.direction for metric in run.metrics},
            choices=_PLAIN_STATES,
            tags=known_tags(run, page.entries),
            arms=[arm.name for arm in run.arms],
            case_link=f"/runs/{quote(run.run_id)}/cases/",
            compared=False,
        )

    def case(self, request: Request) -> Response:
        """Show one case with its samples."""
        run = self._run(request)
        wish = case_wish(request.query_params)
        index = number(request.path_params["case"], -1)
        detail = read_case_page(self._site.store, run, wish.arm, index)
        before, after = find_neighbours(self._site.store, run, wish, index)
        base = f"/runs/{quote(run.run_id)}/cases"
        return self._site.page(
            request,
            "case_page.html",
            run=run,
            d=with_reviews(self._site, detail, after=run.run_id),
            ranges={metric.name: (metric.low, metric.high) for metric in run.metrics},
            most_chars=ANSWER_CHARS,
            back=base,
            neighbours=(before, after),
            here=f"{base}/",
            whole_link=raw_links(detail, after=run.run_id),
            reviewing=review_panel(self._site, run.run_id),
            reviewer=reviewer_of(request),
            crumbs=[("/", "runs", None), (f"/runs/{quote(run.run_id)}", None, run.run_id)],
        )

    def raw(self, request: Request) -> Response:
        """Give one answer whole, as plain text that no browser takes for anything else."""
        run, query = self._run(request), request.query_params
        wanted = SampleFilter(arm=query.get("arm"), case_id=query.get("case"))
        for sample in self._site.store.iter_samples(run.run_id, wanted):
            if sample.sample_index == number(query.get("sample", ""), -1):
                outcome = sample.outcome
                text = outcome.message if isinstance(outcome, CallError) else outcome.output
                body = text.encode("utf-8", "backslashreplace")
                return PlainTextResponse(body, headers={"content-disposition": "inline; filename=answer.txt"})
        raise UsageError(Problem(slug="case-not-in-run", message="there is no such sample"))

    def _run(self, request: Request) -> Run:
        return self._site.store.get_run(request.path_params["run"])


def raw_links(detail: CaseDetail, *, after: str, before: str = "") -> Callable[[ShownSample, str], str]:
    """Return what gives the address of a whole answer: of a sample on the side ``before`` or ``after``."""

    def address(sample: ShownSample, side: str) -> str:
        shown = detail.before if side == "before" and detail.before is not None else detail.after
        run = before if side == "before" else after
        return link(f"/runs/{quote(run)}/raw", arm=shown.arm, case=detail.entry.case_id, sample=sample.sample_index)

    return address


def reviewer_of(request: Request) -> str:
    """Return who reviews: the name given last in this browser, else the one of the machine's user."""
    return unquote(request.cookies.get(REVIEWER_COOKIE, "")) or default_reviewer()


def run_filter(query: Mapping[str, str], limit: int) -> RunFilter:
    """Return the filter that a person typed.

    Raises:
        UsageError: a condition cannot be read.
    """
    metadata = [part.partition("=") for part in query.get("meta", "").split() if part]
    wrong = [name for name, equals, _ in metadata if not equals]
    if wrong:
        raise UsageError(Problem(slug="pair-format", message=f"'{wrong[0]}' has no '=': write name=value"))
    conditions = [part for part in query.get("where", "").split(",") if part.strip()]
    return RunFilter(
        suite=query.get("suite") or None,
        prompt=query.get("prompt") or None,
        commit=query.get("commit") or None,
        tags=tuple(query.get("tag", "").split()),
        metadata={name: value for name, _, value in metadata},
        metrics=tuple(parse_metric_condition(text) for text in conditions),
        statuses=(query["status"],) if query.get("status") else (),
        text=query.get("q") or None,
        limit=limit,
    )


def run_means(run: Run) -> list[tuple[str, list[str]]]:
    """Return each metric's stored means, one an arm; nothing before the end of the run."""
    from retest.workflows.view_run import read_arms

    arms = read_arms(run)
    found = []
    for metric in run.metrics:
        means = [own.mean for arm in arms for own in arm.metrics if own.name == metric.name]
        if means:
            found.append((metric.name, [format_value(mean, low=metric.low, high=metric.high) for mean in means]))
    return found


def case_wish(query: Mapping[str, str]) -> CaseWish:
    """Return which cases an address asks for."""
    return CaseWish(
        arm=number(query.get("arm", "0")),
        metric=query.get("metric", ""),
        state=query.get("state", "") if query.get("state", "") in STATES else "",
        tag=query.get("tag", ""),
        text=query.get("q", ""),
        sort=query.get("sort", ""),
        descending=query.get("dir") == "desc",
        differs=query.get("differs") == "1",
        page=max(1, number(query.get("page", "1"), 1)),
    )


def known_tags(run: Run, entries: object) -> list[str]:
    """Return the tags to choose from: those of the stored slices, and those on the page."""
    from retest.workflows.view_run import read_arms

    found = {part.name for arm in read_arms(run) for part in arm.slices if part.kind == "tag"}
    if isinstance(entries, list | tuple):
        found |= {tag for entry in entries if isinstance(entry, CaseEntry) for tag in entry.tags}
    return sorted(found)


def _range(run: Run, metric: str) -> tuple[float | None, float | None]:
    return next(((own.low, own.high) for own in run.metrics if own.name == metric), (None, None))


def _pair_links(run: Run) -> list[tuple[str, str]]:
    """Return which arms of a run can be compared with its first."""
    names = [arm.name for arm in run.arms]
    return [(names[0], other) for other in names[1:]]
