"""`retest view` and the report file in a real browser: Debian's Chromium, driven as a person would."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect, sync_playwright

from support.openai_server import OpenAIServer, ok
from support.project import Project
from support.viewing import make_project

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists(), reason="needs Debian's chromium (.ci/debian-packages installs it)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """A project with two runs, and the address of its viewer."""

    project: Project
    first: str
    second: str
    address: str


@pytest.fixture(scope="module")
def viewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewed]:
    """Serve a project's store, as the command does."""
    project, first, second = make_project(tmp_path_factory.mktemp("browsed"))
    serving = project.start("view", "--port", "0")
    try:
        assert serving.stdout is not None
        line = serving.stdout.readline().decode()
        found = re.search(r"http://\S+/", line)
        assert found is not None, line
        yield Viewed(project=project, first=first, second=second, address=found[0].rstrip("/"))
    finally:
        serving.terminate()
        serving.communicate(timeout=30)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Start the browser once."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A page, and what went wrong on it."""

    page: Any
    complaints: list[str]


@pytest.fixture
def tab(chromium: Any) -> Iterator[Tab]:
    """Open a tab that notes each error of a script and each breach of the policy; there must be none."""
    with new_tab(chromium) as found:
        yield found
        assert found.complaints == []


class new_tab:  # noqa: N801 - used like a function
    """A tab for a while, with a size and a language of its own."""

    def __init__(self, chromium: Any, **options: Any) -> None:
        self._context = chromium.new_context(locale="en-US", **options)

    def __enter__(self) -> Tab:
        page = self._context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        return Tab(page=page, complaints=complaints)

    def __exit__(self, *_: object) -> None:
        self._context.close()


def saved(page: Any, said: str) -> Any:
    """Wait, after what is done in the block, until a review that says this has been kept."""
    wanted = quote(said, safe="=&")
    return page.expect_response(
        lambda answer: answer.request.method == "POST" and answer.ok and wanted in (answer.request.post_data or "")
    )


def shown_cases(page: Any) -> list[str]:
    return [text.strip() for text in page.locator("td.id a").all_inner_texts()]


def test_a_comparison_is_opened_sorted_and_filtered(tab: Tab, viewed: Viewed) -> None:
    """From the list of runs to the page of a case, by clicks alone."""
    page = tab.page
    page.goto(viewed.address)
    page.get_by_role("button", name="Compare A → B").click()
    page.get_by_role("link", name="Cases and answers").click(timeout=60_000)
    expect(page.locator("td.id a")).to_have_count(14)
    page.get_by_role("link", name="length").click()
    page.wait_for_url("**sort=length**")
    ordered = shown_cases(page)
    assert ordered != sorted(ordered)
    page.get_by_label("different only").check()
    page.wait_for_url("**differs=1**")
    assert set(shown_cases(page)) == {"c00", "c01", "c02", "c03", "c04"}
    page.get_by_label("tag", exact=True).select_option("en")
    page.wait_for_url("**tag=en**")
    assert set(shown_cases(page)) == {"c01", "c03"}
    page.get_by_placeholder("Search cases and answers").fill("返品は明日")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=%E8%BF%94**")
    assert shown_cases(page) == ["c03"]
    page.get_by_role("link", name="c03").click()
    assert page.locator("article.sample.after .box").first.inner_text() == "ご返品は明日までに承ります。"
    assert page.locator("article.sample").count() == 10


def test_japanese_is_drawn_with_a_font_that_has_it(tab: Tab, viewed: Viewed) -> None:
    """An empty box is as wide as any other; real characters are not all drawn alike."""
    page = tab.page
    page.goto(f"{viewed.address}/runs/{viewed.second}/cases/3")
    drawn = page.evaluate(
        """() => ['返', '明', '\\u{10FFFD}'].map((char) => {
            const canvas = document.createElement('canvas'); canvas.width = canvas.height = 40;
            const context = canvas.getContext('2d');
            context.font = '30px ' + getComputedStyle(document.querySelector('.box')).fontFamily;
            context.fillText(char, 2, 32);
            return Array.from(context.getImageData(0, 0, 40, 40).data).join();
        })"""
    )
    assert len(set(drawn)) == 3


def test_keys_step_through_the_cases(tab: Tab, viewed: Viewed) -> None:
    """With j and k one goes on and back, with u up to the list."""
    page = tab.page
    page.goto(f"{viewed.address}/runs/{viewed.second}/cases/3")
    page.keyboard.press("j")
    page.wait_for_url("**/cases/4**")
    page.keyboard.press("k")
    page.wait_for_url("**/cases/3**")
    page.keyboard.press("u")
    page.wait_for_url("**/cases")


@pytest.mark.parametrize(
    "place", ["/runs/{run}/cases", "/runs/{run}/cases/0", "/search?q=script", "/compare/cases/0?a={base}&b={run}"]
)
def test_a_hostile_answer_does_nothing(tab: Tab, viewed: Viewed, place: str) -> None:
    """Scripts, event handlers, control characters and a line of a megabyte stay text in their box."""
    page = tab.page
    page.goto(viewed.address + place.format(run=viewed.second, base=viewed.first))
    page.wait_for_selector("text=onerror", timeout=60_000)
    assert "owned" not in page.title()
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert "\\u202e" in page.locator("main").inner_text()


def test_a_run_under_way_is_followed(tab: Tab, tmp_path: Path) -> None:
    """Numbers grow on the open page; at the end it shows what the run adds up to, and nobody loads it again."""
    project = Project(tmp_path)
    project.write_cases(12)
    with OpenAIServer(lambda request: ok(request.last_user, delay_s=0.4)) as server:
        project.write_suite(server.base_url, samples=2)
        running = project.start("run", "--concurrency", "2", "-q")
        serving = project.start("view", "--port", "0")
        try:
            assert serving.stdout is not None
            found = re.search(r"http://\S+/", serving.stdout.readline().decode())
            assert found is not None
            page = tab.page
            page.goto(found[0])
            while page.locator("a[href^='/runs/']").count() == 0:
                page.reload()
            page.locator("a[href^='/runs/']").first.click()
            page.wait_for_selector("[data-progress]")
            page.wait_for_selector("svg.hist", timeout=60_000)
            assert page.locator("[data-progress]").count() == 0
        finally:
            running.communicate(timeout=60)
            serving.terminate()
            serving.communicate(timeout=30)


def test_a_review_is_entered_with_keys_and_is_there_after_loading_again(tab: Tab, viewed: Viewed) -> None:
    """Saved at once: nothing is sent off at the end."""
    page = tab.page
    page.goto(f"{viewed.address}/runs/{viewed.second}/cases/3")
    page.get_by_label("Reviewer").fill("佐藤")
    with page.expect_navigation():  # the forms are loaded anew for this person
        page.keyboard.press("Tab")
    expect(page.locator("#reviewer")).to_have_value("佐藤")
    page.locator("h1").click()
    for key in ("n", "b", "2"):
        page.keyboard.press(key)
    page.keyboard.press("c")
    page.keyboard.type("敬語が足りない")
    with saved(page, "敬語が足りない"):
        page.keyboard.press("Enter")
    expect(page.locator(".said").first).to_have_text("✓")
    page.reload()
    expect(page.locator(".review").first).to_contain_text("敬語が足りない")
    expect(page.locator("[data-set=label][value=bad]").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-set='score.quality'][value='2']").first).to_have_attribute("aria-pressed", "true")
    (listed,) = viewed.project.run("review", "list", viewed.second, "--json").json["reviews"]
    assert (listed["reviewer"], listed["label"], listed["scores"]) == ("佐藤", "bad", {"quality": 2.0})
    columns = viewed.project.run("show", viewed.second, "--json").json["arms"]["ask/model"]["metrics"]
    assert (columns["review:quality"]["mean"], columns["review:label"]["mean"]) == (2.0, 0.0)
    done = viewed.project.run("report", viewed.second, "-o", "out/reviewed.html")
    assert done.code == 0, done.err
    page.goto(f"{(viewed.project.root / 'out/reviewed.html').as_uri()}#case-3")
    expect(page.locator(".review").first).to_contain_text("敬語が足りない")
    page.goto(f"{viewed.address}/runs/{viewed.second}/cases/3")
    with saved(page, "label=&"):
        page.locator("[data-set=label][value=bad]").first.click()
    page.reload()
    expect(page.locator("[data-set=label][value=bad]").first).to_have_attribute("aria-pressed", "false")


def test_pairs_are_reviewed_blind_in_the_queue(tab: Tab, viewed: Viewed) -> None:
    """Which version wrote which answer is hidden; the choice reaches the store, and the next pair comes up."""
    page = tab.page
    address = f"{viewed.address}/reviews?run={viewed.second}&baseline={viewed.first}&order=changed&pairs=1&blind=1"
    page.goto(address)
    page.get_by_label("Reviewer").fill("森")
    with page.expect_navigation():  # the forms are loaded anew for this person
        page.keyboard.press("Tab")
    expect(page.locator("#reviewer")).to_have_value("森")
    shown = page.locator("main").inner_text()
    assert viewed.first not in shown
    assert viewed.second not in shown
    card = page.locator("section.panel", has=page.get_by_role("heading", name="c01", exact=True)).first
    place = "1" if "shipping" in card.locator(".box").first.inner_text() else "2"
    with saved(page, "label=tie"):
        card.locator("[data-set=label]").nth(1).click()
    with saved(page, f"label={'first' if place == '1' else 'second'}"):
        page.keyboard.press(place)
    expect(card.locator(f"[data-set=label] >> nth={0 if place == '1' else 2}")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.goto(address)
    (listed,) = viewed.project.run("review", "list", viewed.second, "--reviewer", "森", "--json").json["reviews"]
    won = listed if listed["label"] == "first" else listed["other"]
    assert (won["run"], listed["case_id"], listed["revisions"][-1]["blind"]) == (viewed.second, "c01", True)
    page.goto(f"{viewed.address}/compare/cases/1?a={viewed.first}&b={viewed.second}")
    own = page.locator("[data-pair]").first.locator("[data-set=label][value=second]")
    expect(own).to_have_attribute("aria-pressed", "true", timeout=60_000)


def test_a_phone_shows_every_page_without_scrolling_sideways(chromium: Any, viewed: Viewed) -> None:
    """390 pixels are enough."""
    pages = [
        "/",
        "/runs/{run}",
        "/runs/{run}/cases",
        "/runs/{run}/cases/0",
        "/prompts/prompts/ask.md",
        "/compare?a={base}&b={run}",
        "/compare/cases/3?a={base}&b={run}",
        "/reviews?run={run}&order=worst",
    ]
    with new_tab(chromium, viewport={"width": 390, "height": 800}) as tab:
        for place in pages:
            tab.page.goto(viewed.address + place.format(run=viewed.second, base=viewed.first))
            tab.page.wait_for_load_state("networkidle")
            assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place


def test_a_prompt_is_changed_and_saved(tab: Tab, viewed: Viewed) -> None:
    """By somebody who does not use git; leaving with unsaved changes is noticed."""
    page = tab.page
    before = (viewed.project.root / "prompts/ask.md").read_text("utf-8")
    page.goto(f"{viewed.address}/prompts/prompts/ask.md")
    page.get_by_label("Text", exact=True).fill("どのチームの担当ですか？\n{{ q }}\n")
    expect(page.get_by_text("unsaved changes")).to_be_visible()
    page.get_by_label("What did you change").fill("丁寧に聞く")
    page.get_by_role("button", name="Save").click()
    page.wait_for_selector("text=Saved to the working tree")
    assert (viewed.project.root / "prompts/ask.md").read_text("utf-8") == "どのチームの担当ですか？\n{{ q }}\n"
    viewed.project.write("prompts/ask.md", before)


def test_the_language_is_switched_on_the_page(tab: Tab, viewed: Viewed) -> None:
    """And stays for the pages after it."""
    page = tab.page
    page.goto(f"{viewed.address}/runs/{viewed.first}/cases")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("h1")).to_have_text("ケース")
    page.goto(viewed.address)
    expect(page.locator("h1")).to_have_text("実行")


@pytest.fixture(scope="module")
def report(viewed: Viewed) -> str:
    """Write the report of both runs; return its address."""
    done = viewed.project.run("report", viewed.first, viewed.second, "-o", "out/report.html")
    assert done.code == 0, done.err
    return (viewed.project.root / "out/report.html").as_uri()


def test_the_report_file_is_sorted_filtered_and_opened(tab: Tab, report: str) -> None:
    """Over file://, without a server."""
    page = tab.page
    page.goto(report)
    assert len(shown_cases(page)) == 14
    page.get_by_role("button", name="length").click()
    assert shown_cases(page)[0] == "c00"  # of a metric where less is better, the largest rise first
    page.get_by_label("different only").check()
    assert set(shown_cases(page)) == {"c00", "c01", "c02", "c03", "c04"}
    page.get_by_placeholder("Search cases and answers").fill("返品は明日")
    page.locator("#rows:not(:has(tr:nth-child(2)))").wait_for()
    page.get_by_role("link", name="c03").click()
    page.wait_for_selector("#case-body article")
    assert page.locator("article.sample.after .box").first.inner_text() == "ご返品は明日までに承ります。"
    page.keyboard.press("Escape")
    expect(page.locator("#cases")).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    page.locator("#rows tr:nth-child(14)").wait_for()


def test_the_report_file_runs_nothing_hostile(tab: Tab, report: str) -> None:
    """The answers with scripts in them are opened, and stay text."""
    page = tab.page
    page.goto(f"{report}#case-0")
    page.wait_for_selector("#case-body article")
    assert "owned" not in page.title()
    assert page.locator("#case-body img").count() == 0
    assert "onerror" in page.locator("#case-body").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_report_file_speaks_the_browsers_language(chromium: Any, report: str) -> None:
    """Japanese where the browser asks for it, cases opened later included."""
    context = chromium.new_context(locale="ja-JP")
    page = context.new_page()
    page.goto(f"{report}#case-3")
    page.wait_for_selector("#case-body article")
    expect(page.get_by_text("変わった語を強調")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_text("mark changed words")).to_be_visible()
    context.close()


def test_the_report_can_be_printed(tab: Tab, report: str) -> None:
    """On paper there are no buttons, and every row is there."""
    page = tab.page
    page.goto(report)
    page.emulate_media(media="print")
    expect(page.locator("#filter")).to_be_hidden()
    expect(page.locator("#rows tr").last).to_be_visible()
    assert len(page.pdf()) > 10_000


def test_the_command_ends_with_an_interrupt(viewed: Viewed) -> None:
    """Ctrl+C is how it is meant to end: quietly, with 0."""
    import signal

    serving = viewed.project.start("view", "--port", "0")
    assert serving.stdout is not None
    serving.stdout.readline()
    serving.send_signal(signal.SIGINT)
    _, err = serving.communicate(timeout=30)
    assert (serving.returncode, err) == (0, b"")


def test_a_port_in_use_is_said(viewed: Viewed) -> None:
    """With the way out."""
    port = viewed.address.rsplit(":", 1)[1]
    done = subprocess.run(
        viewed.project.command("view", "--port", port),
        cwd=viewed.project.root,
        env=viewed.project.env(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert b"view-cannot-listen" in done.stderr
