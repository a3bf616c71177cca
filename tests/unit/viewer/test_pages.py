"""The viewer's pages over a store with two runs."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from support.asgi import Answer, Browser
from support.viewing import make_project, viewing


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Return a project's folder and its two runs."""
    project, first, second = make_project(tmp_path_factory.mktemp("viewed"))
    return project.root, first, second


@pytest.fixture
def browser(place: tuple[Path, str, str]) -> Iterator[Browser]:
    """Give a browser on the viewer."""
    with viewing(place[0]) as found:
        yield found


def cases(answer: Answer) -> list[str]:
    """Return the cases of a list, in its order."""
    return re.findall(r'<td class="id lead"><a [^>]*>(c\d\d)</a>', answer.text)


def compare(browser: Browser, address: str) -> Answer:
    """Ask for a page of a comparison until it is there."""
    for _ in range(200):
        answer = browser.get(address)
        if "data-wait" not in answer.text:
            return answer
        time.sleep(0.05)
    raise AssertionError("the comparison did not end")


def test_runs_are_listed_with_their_means(browser: Browser, place: tuple[Path, str, str]) -> None:
    """The newest first."""
    answer = browser.get("/")
    assert answer.status == 200
    assert answer.text.index(place[2]) < answer.text.index(place[1])
    assert "exact_match" in answer.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("q=teams", 2),
        ("q=nothing-like-it", 0),
        ("where=exact_match%3E0.9", 1),
        ("where=exact_match%3C0.9,length%3E1", 1),
        ("suite=te", 2),
        ("status=running", 0),
        ("meta=ticket%3D1", 0),
        ("q=ASK/MODEL", 2),
    ],
)
def test_runs_are_found_by_text_notes_and_metrics(
    browser: Browser, place: tuple[Path, str, str], query: str, shown: int
) -> None:
    """Every condition must hold."""
    text = browser.get(f"/?{query}").text
    assert sum(f'href="/runs/{run}"' in text for run in place[1:]) == shown


@pytest.mark.parametrize("query", ["where=exact_match", "meta=ticket"])
def test_a_condition_that_cannot_be_read_is_said(browser: Browser, query: str) -> None:
    """It is not ignored, which would show runs that do not fit."""
    text = browser.get(f"/?{query}").text
    assert "banner bad" in text
    assert "/runs/r" not in text


def test_one_run_is_shown_from_its_stored_summary(browser: Browser, place: tuple[Path, str, str]) -> None:
    """Means, histograms, slices."""
    text = browser.get(f"/runs/{place[2]}").text
    assert "exact_match" in text
    assert '<svg class="hist"' in text
    assert "tag" in text


def test_a_run_that_is_not_there(browser: Browser) -> None:
    """It is said in a page, with the problem's own words."""
    answer = browser.get("/runs/r19990101")
    assert (answer.status, "no run has the id" in answer.text) == (404, True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=failing", ["c01", "c02", "c03", "c04"]),
        ("state=mixed", ["c00"]),
        ("state=passing&tag=en", ["c05", "c07", "c09", "c11", "c13"]),
        ("tag=ja&state=failing", ["c02", "c04"]),
        ("q=shipping", ["c01", "c02", "c04"]),
        ("q=返品は明日", ["c03"]),
        ("q=質問 10", ["c10"]),
        ("q=100%25", []),
        ("sort=length&state=failing", ["c03", "c01", "c02", "c04"]),
        ("sort=length&dir=desc&state=failing&metric=exact_match", ["c01", "c02", "c04", "c03"]),
        ("sort=exact_match&state=mixed", ["c00"]),
    ],
)
def test_cases_are_filtered_and_sorted(
    browser: Browser, place: tuple[Path, str, str], query: str, expected: list[str]
) -> None:
    """By state, tag, text and metric, all in the database."""
    address = f"/runs/{place[2]}/cases?{quote(query, safe='=&%')}"
    assert cases(browser.get(address)) == expected


@pytest.mark.parametrize("query", ["arm=7", "arm=-1&page=0", "page=99999999999999", "sort=no-such-metric", "state=odd"])
def test_an_odd_address_does_no_harm(browser: Browser, place: tuple[Path, str, str], query: str) -> None:
    """What cannot be read is left out, or said; nothing breaks."""
    assert browser.get(f"/runs/{place[2]}/cases?{query}").status in {200, 404}


def test_one_case_shows_its_samples_and_its_neighbours(browser: Browser, place: tuple[Path, str, str]) -> None:
    """In the order of the list that it was opened from."""
    text = browser.get(f"/runs/{place[2]}/cases/2?state=failing").text
    assert text.count('<article class="sample') == 5
    assert f"/runs/{place[2]}/cases/1?state=failing" in text
    assert f"/runs/{place[2]}/cases/3?state=failing" in text
    assert "どのチームですか？" in text


def test_hostile_answers_are_only_text(browser: Browser, place: tuple[Path, str, str]) -> None:
    """No element, no attribute, no control character comes out of an answer, on any page."""
    pages = [f"/runs/{place[2]}/cases", f"/runs/{place[2]}/cases/0", "/search?q=script", f"/runs/{place[2]}"]
    pages.append(f"/compare/cases/0?a={place[1]}&b={place[2]}")
    for address in pages:
        text = compare(browser, address).text
        assert not re.search(r"<(img|svg onload|!--)", text)
        assert "<script>" not in text
        assert not re.search(r"[\x1b\u2028\u202e]", text)


def test_a_megabyte_in_one_line_is_cut(browser: Browser, place: tuple[Path, str, str]) -> None:
    """The page stays small; the whole answer is plain text."""
    answer = browser.get(f"/runs/{place[2]}/cases/0")
    assert len(answer.body) < 150_000
    links = re.findall(r'href="(/runs/[^"]*/raw[^"]*)"', answer.text)
    assert len(links) == 1
    whole = browser.get(html.unescape(links[0]))
    assert len(whole.body) == 1_000_000
    assert whole.headers["content-type"].startswith("text/plain")
    assert whole.headers["x-content-type-options"] == "nosniff"


def test_two_runs_are_compared(browser: Browser, place: tuple[Path, str, str]) -> None:
    """Verdicts, the prompt's change beside them, and the cases that got worse."""
    text = compare(browser, f"/compare?a={place[1]}&b={place[2]}").text
    assert "regressed" in text
    assert '<div class="add">+どのチームですか？</div>' in text
    worse = compare(browser, f"/compare/cases?a={place[1]}&b={place[2]}&state=newly_failing")
    assert cases(worse) == ["c00", "c01", "c02", "c03", "c04"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("differs=1", ["c00", "c01", "c02", "c03", "c04"]),
        ("differs=1&tag=en", ["c01", "c03"]),
        ("q=shipping&sort=exact_match", ["c01", "c02", "c04"]),
        ("metric=exact_match&state=newly_failing&sort=length&tag=en", ["c03", "c01"]),
    ],
)
def test_compared_cases_are_filtered_and_sorted(
    browser: Browser, place: tuple[Path, str, str], query: str, expected: list[str]
) -> None:
    """Different answers count as different also where every score is the same."""
    assert cases(compare(browser, f"/compare/cases?a={place[1]}&b={place[2]}&{query}")) == expected


def test_a_compared_case_marks_the_words_that_changed(browser: Browser, place: tuple[Path, str, str]) -> None:
    """Both sides beside each other."""
    text = compare(browser, f"/compare/cases/3?a={place[1]}&b={place[2]}").text
    assert '<article class="sample before">' in text
    assert "<del>billing</del>" in text


def test_a_comparison_says_when_it_is_ready(browser: Browser, place: tuple[Path, str, str]) -> None:
    """The page that waits asks for this."""
    compare(browser, f"/compare?a={place[1]}&b={place[2]}")
    answer = browser.get(f"/compare/ready?a={place[1]}&b={place[2]}")
    assert json.loads(answer.body) == {"done": True}


def test_progress_is_told_in_numbers_ready_to_show(browser: Browser, place: tuple[Path, str, str]) -> None:
    """The script only puts them in their place."""
    found = json.loads(browser.get(f"/runs/{place[1]}/progress").body)
    assert (found["samples"], found["planned"], found["done"]) == ("70", "70", True)
    assert found["means"]["0/exact_match"] == "1"


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({"accept_language": "ja,en;q=0.5"}, "ケース"),
        ({"accept_language": "fr,en;q=0.9,ja;q=0.8"}, "Cases"),
        ({"accept_language": "en;q=0.1,ja;q=0.9"}, "ケース"),
        ({"accept_language": "ja", "cookie": "retest-language=en"}, "Cases"),
        ({}, "Cases"),
        ({"accept_language": ";;q=x,,"}, "Cases"),
    ],
)
def test_the_language_is_the_browsers_or_the_chosen_one(
    place: tuple[Path, str, str], headers: dict[str, str], word: str
) -> None:
    """English where neither is asked for."""
    with viewing(place[0], language=None) as found:
        assert f"<h1>{word}</h1>" in found.get(f"/runs/{place[1]}/cases", **headers).text


def test_choosing_a_language_leads_back_and_nowhere_else(browser: Browser) -> None:
    """An address of another site stays a path here."""
    answer = browser.get("/language/ja?back=%2F%2Fevil.example")
    assert answer.headers["location"] == "/evil.example"


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e%2fapp.py", "view.py", "retest.css.bak"])
def test_only_known_assets_are_given(browser: Browser, name: str) -> None:
    """No path leads to another file."""
    assert browser.get(f"/assets/{name}").status == 404
    assert browser.get("/assets/retest.css").headers["content-type"].startswith("text/css")


def test_the_history_of_a_prompt(browser: Browser, place: tuple[Path, str, str]) -> None:
    """The newest version first, with what it changed and the runs that used it."""
    text = browser.get("/prompts/prompts/ask.md/history").text
    assert text.index(f'href="/runs/{place[2]}"') < text.index(f'href="/runs/{place[1]}"')
    assert "+どのチームですか？" in text
