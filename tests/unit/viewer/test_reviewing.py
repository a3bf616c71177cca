"""Reviews on the pages of cases, over a desk that keeps them in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from retest.domain.pages import ReviewNote
from retest.domain.review import ReviewScale
from retest.errors import Problem, UsageError
from retest.viewer.reviewing import GivenReview, PairNote
from support.asgi import Answer, Browser
from support.viewing import FORM_KEY, make_project, viewing


class Desk:
    """Keeps the latest review of each person on each sample."""

    def __init__(self) -> None:
        self.given: dict[tuple[str, str, str, int, str], GivenReview] = {}
        self.known_scales: list[ReviewScale] = []
        self.known_pairs: dict[tuple[int, int], PairNote] = {}

    def read(self, run_id: str, arm: str, case_id: str) -> Mapping[int, Sequence[ReviewNote]]:
        """Return what was given on a case."""
        found: dict[int, list[ReviewNote]] = {}
        for one in self.given.values():
            if (one.run_id, one.arm, one.case_id) == (run_id, arm, case_id):
                scores = {name: value for name, value in one.scores.items() if value is not None}
                note = ReviewNote(
                    reviewer=one.reviewer, label=one.label, scores=scores, tags=one.tags, comment=one.comment
                )
                found.setdefault(one.sample_index, []).append(note)
        return found

    def pairs(
        self, sides: tuple[tuple[str, str], tuple[str, str]], case_id: str, reviewer: str
    ) -> Mapping[tuple[int, int], PairNote]:
        """Return what the test put here."""
        del sides, case_id, reviewer
        return self.known_pairs

    def scales(self) -> Sequence[ReviewScale]:
        """Return what the test put here."""
        return self.known_scales

    def decode(self, code: str) -> tuple[str, str]:
        """Know one code."""
        if code != "KNOWN":
            raise UsageError(Problem(slug="review-unknown-code", message="no such code"))
        return "the-run", "the-arm"

    def write(self, given: GivenReview) -> None:
        """Keep one."""
        self.given[given.run_id, given.arm, given.case_id, given.sample_index, given.reviewer] = given


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return a project's folder and its two runs."""
    project, first, second = make_project(tmp_path_factory.mktemp("reviewed"))
    return project.root, first, second


def send(browser: Browser, run: str, **changes: str) -> Answer:
    fields = {"key": FORM_KEY, "run": run, "arm": "ask/model", "case": "c03", "sample": "0", "reviewer": "佐藤"}
    return browser.post("/reviews", fields | changes)


def test_a_review_is_kept_and_shown(place: tuple[Path, str, str]) -> None:
    """Label, score, tags and comment, beside the answer and again in the form."""
    desk = Desk()
    with viewing(place[0], reviews=desk) as browser:
        answer = send(
            browser,
            place[2],
            label="bad",
            **{"score.quality": "2"},
            tags="敬語, 長い ,敬語",
            comment="<b>丁寧</b>すぎる",
        )
        assert json.loads(answer.body) == {"saved": True, "reviewer": "佐藤"}
        (kept,) = desk.given.values()
        assert (kept.label, kept.scores, kept.tags) == ("bad", {"quality": 2.0}, ("敬語", "長い"))
        text = browser.get(f"/runs/{place[2]}/cases/3", cookie="retest-reviewer=%E4%BD%90%E8%97%A4").text
        assert "&lt;b&gt;丁寧&lt;/b&gt;すぎる" in text
        assert '<button type="button" data-set="label" value="bad" aria-pressed="true">' in text
        assert '<button type="button" data-set="score.quality" value="2" aria-pressed="true">' in text


def test_what_others_said_is_not_in_my_form(place: tuple[Path, str, str]) -> None:
    """Each person has a review of their own."""
    desk = Desk()
    with viewing(place[0], reviews=desk) as browser:
        send(browser, place[2], label="good")
        text = browser.get(f"/runs/{place[2]}/cases/3", cookie="retest-reviewer=other").text
        assert "佐藤" in text
        assert 'aria-pressed="true"' not in text


def test_both_sides_of_a_comparison_are_reviewed_under_their_own_run(place: tuple[Path, str, str]) -> None:
    """The baseline's answer belongs to the baseline's run."""
    with viewing(place[0], reviews=Desk()) as browser:
        address = f"/compare/cases/3?a={place[1]}&b={place[2]}"
        text = browser.get(address).text
        while "data-wait" in text:
            text = browser.get(address).text
        samples = re.findall(r'<form class="review-form noprint".*?name="run" value="([^"]*)"', text, re.DOTALL)
        assert sorted(samples) == sorted([*[place[1]] * 5, *[place[2]] * 5])


@pytest.mark.parametrize(
    "changes",
    [
        {"label": "great"},
        {"score.quality": "x"},
        {"other_run": "r", "label": "good"},
        {"code": "NONE"},
        {"reviewer": " "},
        {"comment": "x" * 30_000},
    ],
)
def test_what_is_no_review_is_refused(place: tuple[Path, str, str], changes: dict[str, str]) -> None:
    """With a sentence for the person; nothing is kept."""
    desk = Desk()
    with viewing(place[0], reviews=desk) as browser:
        answer = send(browser, place[2], **changes)
        assert answer.status == 422
        assert json.loads(answer.body)["problems"]
    assert not desk.given


def test_a_review_without_the_key_of_the_page_is_refused(place: tuple[Path, str, str]) -> None:
    """As every form."""
    desk = Desk()
    with viewing(place[0], reviews=desk) as browser:
        assert send(browser, place[2], label="good", key="wrong").status == 403
    assert not desk.given


def test_without_a_desk_there_is_no_form(place: tuple[Path, str, str]) -> None:
    """A store that keeps no reviews shows none."""
    with viewing(place[0]) as browser:
        assert "data-review" not in browser.get(f"/runs/{place[2]}/cases/3").text
        assert send(browser, place[2], label="good").status == 422


def test_blind_pages_do_not_tell_the_versions_apart(place: tuple[Path, str, str]) -> None:
    """No scores, no run ids but in the hidden fields that send a review where it belongs."""
    seen = set()
    with viewing(place[0], reviews=Desk()) as browser:
        for index in range(14):
            address = f"/compare/cases/{index}?a={place[1]}&b={place[2]}&blind=1"
            text = browser.get(address).text
            while "data-wait" in text:
                text = browser.get(address).text
            main = re.sub(r'<input type="hidden"[^>]*>|href="[^"]*"', "", text)
            assert place[1] not in main
            assert place[2] not in main
            assert "Baseline" not in main
            assert "exact_match" not in main
            runs = re.findall(r'name="run" value="([^"]*)"', text)
            seen.add(runs[0])
            assert sorted(set(runs)) == sorted(place[1:])
    assert seen == set(place[1:])
