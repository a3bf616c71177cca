"""The page of answers that are due for review: the same line, in the same order, as `retest review queue` gives."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from retest.domain.review import ReviewContent
from retest.domain.review_queue import QUEUE_ORDERS, QueueOrder, ReviewItem
from retest.domain.run import Run
from retest.errors import RetestError
from retest.viewer.reviewing import form_scales
from retest.viewer.run_pages import reviewer_of
from retest.viewer.site import Site
from retest.workflows.find_runs import find_run
from retest.workflows.review_items import QueueWish
from retest.workflows.review_queue import review_queue

_SHOWN = 10  # answers on a page; those that are reviewed make room for the next ones


class QueuePages:
    """What is due."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def queue(self, request: Request) -> Response:
        """Show the first answers in line, each with a form; what cannot be put in line is said."""
        query = request.query_params
        reviewer = reviewer_of(request)
        run: Run | None = None
        items: list[ReviewItem] = []
        wrong: list[str] = []
        try:
            run = find_run(self._site.store, query.get("run") or "latest")
            items = review_queue(self._site.store, run, queue_wish(query, reviewer))
        except RetestError as error:
            wrong = [problem.message for problem in error.problems]
        desk = self._site.reviews
        return self._site.page(
            request,
            "queue.html",
            run=run,
            items=items,
            wrong=wrong,
            orders=QUEUE_ORDERS,
            reviewer=reviewer,
            scales=() if desk is None else form_scales(desk),
            own_scores=_values,
            kept=desk is not None,
            wish=queue_wish(query, reviewer),
        )


def _values(said: ReviewContent) -> dict[str, float]:
    return {name: score.value for name, score in said.scores.items()}


def queue_wish(query: Mapping[str, str], reviewer: str) -> QueueWish:
    """Return what an address asks for; an order that there is none of is the random one."""
    order: QueueOrder = next((name for name in QUEUE_ORDERS if name == query.get("order")), "random")
    return QueueWish(
        reviewer=reviewer,
        order=order,
        arm=query.get("arm") or None,
        metric=query.get("metric") or None,
        dimension=query.get("dimension") or None,
        baseline=query.get("baseline") or None,
        pairs=query.get("pairs") == "1",
        blind=query.get("blind") == "1",
        again=query.get("again") == "1",
        limit=_SHOWN,
    )
