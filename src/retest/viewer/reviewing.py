"""Reviews on the pages of cases: shown beside the answers, entered in a form that saves at once."""

from __future__ import annotations

from dataclasses import dataclass

from retest.domain.pages import CaseDetail
from retest.store.database import Store
from retest.viewer.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPanel:
    """What the form of a case needs."""

    run_id: str
    reviewer: str


def review_panel(site: Site, run_id: str, *, baseline: str | None = None) -> ReviewPanel | None:
    """Return what the form needs; None where nothing can be reviewed."""
    return None


def with_reviews(store: Store, detail: CaseDetail, *, after: str, before: str | None = None) -> CaseDetail:
    """Return the page of a case with what people said of its samples."""
    return detail
