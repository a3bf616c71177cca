"""The page of what is due, and reviews of pairs, over a real store."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from retest.domain.review import Review, ReviewScale
from retest.store.database import Store, open_store
from retest.viewer.review_desk import StoredDesk
from support.asgi import Browser
from support.viewing import FORM_KEY, make_project, viewing

WHO = "retest-reviewer=mori"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project of one's own, its two runs, its store and a browser over it."""

    first: str
    second: str
    store: Store
    browser: Browser

    def queue(self, **wish: str) -> str:
        """Return the page of what is due."""
        query = "&".join(f"{name}={value}" for name, value in {"run": self.second, **wish}.items())
        return self.browser.get(f"/reviews?{query}", cookie=WHO).text

    def send(self, form: str, **changes: str) -> int:
        """Send one of the page's forms."""
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form))
        return self.browser.post("/reviews", {**fields, "key": FORM_KEY, "reviewer": "mori", **changes}).status

    def reviews(self) -> list[Review]:
        """Return what the store has."""
        return self.store.reviews.find()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return a project's folder and its two runs."""
    project, first, second = make_project(tmp_path_factory.mktemp("due"))
    return project.root, first, second


@pytest.fixture
def place(made: tuple[Path, str, str], tmp_path: Path) -> Iterator[Place]:
    """Give a place of one's own."""
    root = tmp_path / "project"
    shutil.copytree(made[0], root)
    with (
        open_store(str(root / ".retest" / "retest.db")) as store,
        viewing(root, reviews=StoredDesk(store)) as browser,
    ):
        yield Place(first=made[1], second=made[2], store=store, browser=browser)


def cards(text: str) -> dict[str, str]:
    """Return the part of each case that is due."""
    parts = re.split(r'<section class="panel"><header><h2>', text)[1:]
    return {part.partition("<")[0]: part for part in parts}


def test_the_worst_are_shown_first(place: Place) -> None:
    """With why; what the reviewer has reviewed makes room."""
    found = cards(place.queue(order="worst"))
    assert list(found)[:4] == ["c00", "c01", "c02", "c03"]
    assert "exact_match 0" in found["c00"]
    assert place.send(found["c01"], label="bad", tags="長い,curt") == 200
    assert place.reviews()[0].content.tags == ("長い", "curt")
    assert "c01" not in list(cards(place.queue(order="worst")))[:4]


def test_a_blind_page_names_no_version(place: Place) -> None:
    """Not even in hidden fields; the review lands on the right run all the same, marked as blind."""
    text = place.queue(order="changed", pairs="1", blind="1", baseline=place.first)
    hidden = re.sub(r'<form class="controls".*?</form>', "", text.partition("<main>")[2], flags=re.DOTALL)
    assert place.first not in hidden
    assert place.second not in hidden
    assert "ask/model" not in hidden
    form = cards(text)["c01"]
    is_first = form.index("shipping") < form.index(">billing</div>")
    assert place.send(form, label="first" if is_first else "second") == 200
    (review,) = place.reviews()
    assert review.subject.other is not None
    preferred = review.subject.sample if review.content.label == "first" else review.subject.other
    assert (preferred.run_id, review.current.blind) == (place.second, True)


def test_a_pair_has_one_review_of_each_person_whatever_its_order(place: Place) -> None:
    """Seen the other way round, the label is turned, and the review is edited."""
    fields = {"key": FORM_KEY, "reviewer": "mori", "case": "c01", "arm": "ask/model", "other_arm": "ask/model"}
    for run, other, label in (("first", "second", "second"), ("second", "first", "second")):
        sides = {"run": getattr(place, run), "other_run": getattr(place, other)}
        sent = {**fields, **sides, "sample": "0", "other_sample": "0", "label": label}
        assert place.browser.post("/reviews", sent).status == 200
    (review,) = place.reviews()
    assert [revision.content.label for revision in review.revisions] == ["second", "first"]
    notes = StoredDesk(place.store).pairs(((place.second, "ask/model"), (place.first, "ask/model")), "c01", "mori")
    assert notes[0, 0].label == "second"


def test_a_form_has_the_dimensions_of_the_store(place: Place) -> None:
    """Whole numbers as buttons, others as a field; a score off its scale is refused with a sentence."""
    place.store.reviews.set_scale(ReviewScale(dimension="親切さ", low=0, high=3))
    place.store.reviews.set_scale(ReviewScale(dimension="share", low=0, high=0.5))
    form = cards(place.queue(order="worst"))["c01"]
    assert re.findall(r'data-set="score.親切さ" value="(\d)"', form) == ["0", "1", "2", "3"]
    assert 'type="number" step="any" name="score.share"' in form
    assert place.send(form, **{"score.親切さ": "2", "score.share": "0.25"}) == 200
    assert {name: score.value for name, score in place.reviews()[0].content.scores.items()} == {
        "親切さ": 2,
        "share": 0.25,
    }
    fields = {
        "key": FORM_KEY,
        "reviewer": "mori",
        "run": place.second,
        "arm": "ask/model",
        "case": "c01",
        "sample": "0",
    }
    refused = place.browser.post("/reviews", {**fields, "score.親切さ": "7"})
    assert refused.status == 422
    assert "outside its scale 0-3" in json.loads(refused.body)["problems"][0]


def test_a_correction_is_kept_when_the_form_is_saved(place: Place) -> None:
    """The form does not show it, so it neither changes nor doubles it."""
    from retest.domain.review import NewReview, ReviewContent, ReviewSubject, SampleRef

    sample = SampleRef(run_id=place.second, arm="ask/model", case_id="c01", sample_index=0)
    said = ReviewContent(text="no", correction="billing")
    place.store.reviews.save(NewReview(subject=ReviewSubject(sample=sample), reviewer="mori", content=said))
    text = place.browser.get(f"/runs/{place.second}/cases/1", cookie=WHO).text
    assert "→ billing" in text
    assert place.send(text.partition("data-review>")[2].partition("</form>")[0], comment="no", label="bad") == 200
    content = place.reviews()[0].content
    assert (content.text, content.correction, content.label) == ("no", "billing", "bad")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"run": "r-none"}, "no run"),
        ({"order": "changed"}, "no other run as its baseline"),
        ({"order": "disagreements"}, "no judge"),
        ({"metric": "nope", "order": "worst"}, "no metric"),
    ],
    ids=["run", "baseline", "judge", "metric"],
)
def test_what_cannot_be_put_in_line_is_said(place: Place, wish: dict[str, str], said: str) -> None:
    """On the page, which stays usable."""
    text = place.queue(**wish)
    assert said in text
    assert '<form class="controls"' in text
