"""The pages of two runs compared; while a comparison is computed, a page says so and loads itself again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as NotYetError
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from retest.domain.pages import STATES
from retest.domain.run import Run
from retest.errors import RetestError
from retest.report.html.render import ANSWER_CHARS
from retest.viewer.reviewing import blinded, review_panel, with_pairs, with_reviews
from retest.viewer.run_pages import case_wish, raw_links, reviewer_of
from retest.viewer.site import Site, number
from retest.workflows.find_runs import find_run
from retest.workflows.view_compare import Compared, compared_neighbours, list_compared, read_compared_case

_WAIT_S = 0.05  # small comparisons are there by then; for others the page says that it waits


class ComparePages:
    """What is shown of comparisons."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def compare(self, request: Request) -> Response:
        """Show two runs compared."""
        return self._with(request, lambda compared: self._overview(request, compared))

    def cases(self, request: Request) -> Response:
        """Show one page of compared cases."""
        return self._with(request, lambda compared: self._cases(request, compared))

    def case(self, request: Request) -> Response:
        """Show one case, both sides beside each other."""
        return self._with(request, lambda compared: self._case(request, compared))

    def ready(self, request: Request) -> Response:
        """Say whether a comparison is there."""
        baseline, candidate = self._runs(request)
        return JSONResponse({"done": self._site.comparisons.ask(baseline, candidate, _arms(request)).done()})

    def _runs(self, request: Request) -> tuple[Run, Run]:
        query, store = request.query_params, self._site.store
        return find_run(store, query.get("a", "")), find_run(store, query.get("b", ""))

    def _with(self, request: Request, show: Callable[[Compared], Response]) -> Response:
        baseline, candidate = self._runs(request)
        try:
            compared = self._site.comparisons.ask(baseline, candidate, _arms(request)).result(timeout=_WAIT_S)
        except NotYetError:
            ready = f"/compare/ready?{urlencode(_own_query(request))}"
            return self._site.page(request, "waiting.html", baseline=baseline, candidate=candidate, ready=ready)
        except RetestError as error:
            problems = [str(problem) for problem in error.problems]
            return self._site.page(request, "wrong.html", 400, problems=problems)
        return show(compared)

    def _overview(self, request: Request, compared: Compared) -> Response:
        counts: dict[str, int] = {}
        for pair in compared.page.pairs:
            for panel in pair.metrics:
                if panel.comparison is not None:
                    counts[panel.comparison.verdict] = counts.get(panel.comparison.verdict, 0) + 1
        return self._site.page(request, "compare.html", compared=compared, page=compared.page, verdicts=counts)

    def _cases(self, request: Request, compared: Compared) -> Response:
        wish, place = case_wish(request.query_params), _pair(request, compared)
        pair = compared.page.pairs[place]
        entries = compared.entries[place]
        used = {entry.state for entry in entries}
        return self._site.page(
            request,
            "cases.html",
            run=compared.candidate,
            wish=wish,
            listing=list_compared(self._site.store, compared, place, wish),
            metric_names=[panel.name for panel in pair.metrics],
            ranges={panel.name: (panel.range_low, panel.range_high) for panel in pair.metrics},
            directions={panel.name: panel.direction for panel in pair.metrics},
            choices=[state for state in STATES if state in used],
            tags=sorted({tag for entry in entries for tag in entry.tags}),
            arms=[pair.name for pair in compared.page.pairs],
            case_link="/compare/cases/",
            compared=compared,
        )

    def _case(self, request: Request, compared: Compared) -> Response:
        wish, place = case_wish(request.query_params), _pair(request, compared)
        index = number(request.path_params["case"], -1)
        detail = read_compared_case(self._site.store, compared, place, index)
        runs = (compared.baseline.run_id, compared.candidate.run_id)
        detail = with_reviews(self._site, detail, before=runs[0], after=runs[1])
        reviewer = reviewer_of(request)
        panel = review_panel(self._site, runs[1], before=runs[0])
        panel = with_pairs(self._site, panel, detail, reviewer)
        is_blind = request.query_params.get("blind") == "1"
        links = raw_links(detail, before=runs[0], after=runs[1])
        if is_blind:
            detail, panel = blinded(detail, panel, reviewer)
        return self._site.page(
            request,
            "case_page.html",
            run=compared.candidate,
            d=detail,
            ranges={panel.name: (panel.range_low, panel.range_high) for panel in compared.page.pairs[place].metrics},
            most_chars=ANSWER_CHARS,
            back="/compare/cases",
            neighbours=compared_neighbours(self._site.store, compared, place, wish, index),
            here="/compare/cases/",
            whole_link=None if is_blind else links,
            reviewing=panel,
            reviewer=reviewer,
            blind=is_blind,
            crumbs=[("/", "runs", None), (f"/compare?{urlencode(_own_query(request))}", None, " → ".join(runs))],
        )


def _arms(request: Request) -> tuple[str, str] | None:
    first, second = request.query_params.get("arm_a"), request.query_params.get("arm_b")
    return (first, second) if first and second else None


def _pair(request: Request, compared: Compared) -> int:
    return min(number(request.query_params.get("arm", "0")), len(compared.page.pairs) - 1)


def _own_query(request: Request) -> dict[str, str]:
    """Return what names the comparison itself, without what a list of cases was filtered by."""
    return {name: value for name, value in request.query_params.items() if name in {"a", "b", "arm_a", "arm_b"}}
