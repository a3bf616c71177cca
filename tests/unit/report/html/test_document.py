"""The report file: whole, harmless, small."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import re

import pytest

from retest.domain.sample import CallError, MetricFailure, Score
from support.report_pages import detail, page, rendered, sample

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\x1b[31m\u202e逆\u2028</script><!--"
    "\ud800\x00<svg/onload=alert(3)>{{ 7*7 }}&#60;"
)


def unpacked(text: str) -> list[str]:
    """Return the pages of the cases."""
    chunks = re.findall(r'class="chunk">([^<]*)<', text)
    return [part for chunk in chunks for part in json.loads(gzip.decompress(base64.b64decode(chunk)))]


def shown(text: str) -> str:
    """Return the document without its own script and style."""
    return re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)


def test_the_policy_names_the_hashes_of_the_style_and_the_script() -> None:
    """A browser runs what is in the file, and nothing else."""
    text = rendered(page([detail(0, [sample(0, "返品", exact_match=1.0)])]))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for block in (r"<script>(.*?)</script>", r"<style>(.*?)</style>"):
        found = re.search(block, text, flags=re.DOTALL)
        assert found is not None
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1].replace("&#39;", "'")
    assert policy[1].startswith("default-src 'none'") or policy[1].startswith("default-src &#39;none&#39;")


def test_the_file_names_no_other() -> None:
    """Nothing is loaded: no address, no source, no link but to itself."""
    text = rendered(page([detail(0, [sample(0, "a")], [sample(0, "b")])], compared=True))
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!#)[a-z/]""", shown(text), flags=re.IGNORECASE)
    assert "http://" not in text
    assert "https://" not in text


@pytest.mark.parametrize("place", ["output", "error", "reason", "id", "tag", "metric", "variable", "warning"])
def test_hostile_text_is_only_text(place: str) -> None:
    """Whatever a model, a dataset or a suite says, it makes no element, and its control characters are written out."""
    outcome = CallError(kind="server_error", message=HOSTILE) if place == "error" else HOSTILE
    scores = {HOSTILE if place == "metric" else "exact_match": Score(value=0.0, reason=HOSTILE, details={"a": HOSTILE})}
    one = sample(0, outcome, **scores, other=MetricFailure(kind=HOSTILE, message=HOSTILE))
    found = detail(0, [one], case_id=HOSTILE if place == "id" else "c0", tags=(HOSTILE,), preview=HOSTILE)
    text = rendered(page([found], suite=HOSTILE, label=HOSTILE, notes=(HOSTILE,)))
    everything = [shown(text), *unpacked(text)]
    for part in everything:
        assert not re.search(r"<(script|img|svg/|!--)", part)
        assert not re.search(r"[\x00-\x08\x1b\u2028\u202a-\u202e\ud800-\udfff]", part)
    assert "\\u202e" in everything[1]
    assert text.count("<script>") == 1  # the one of the package
    text.encode("utf-8")


def test_answers_stand_side_by_side_with_changed_words_marked() -> None:
    """Japanese is cut into words: only the word that changed is marked."""
    before = [sample(0, "ご注文の商品は明日お届けします。")]
    after = [sample(0, "ご注文の商品は昨日お届けします。")]
    (found,) = unpacked(rendered(page([detail(0, after, before)], compared=True)))
    assert "<del>明日</del>" in found
    assert "<ins>昨日</ins>" in found


def test_two_short_answers_without_anything_in_common_are_marked_whole() -> None:
    """Two labels that differ are seen at a glance."""
    (found,) = unpacked(rendered(page([detail(0, [sample(0, "billing")], [sample(0, "返品")])], compared=True)))
    assert "<del>返品</del>" in found
    assert "<ins>billing</ins>" in found


def test_a_sample_that_one_side_lacks_leaves_its_place_empty() -> None:
    """Rows stay aligned where one run has more samples."""
    after = [sample(0, "a"), sample(1, "b")]
    (found,) = unpacked(rendered(page([detail(0, after, [sample(0, "a")])], compared=True)))
    assert found.count('class="sample before"') == 1
    assert found.count('class="sample after"') == 2


def test_a_very_long_answer_is_cut_and_says_so() -> None:
    """A line of a megabyte does not freeze the page."""
    (found,) = unpacked(rendered(page([detail(0, [sample(0, "x" * 1_000_000)])])))
    assert len(found) < 30_000
    assert "980,000 more characters" in found


def test_a_case_without_a_page_has_a_row_without_a_link() -> None:
    """Where the file would be too large, the row still stands."""
    text = rendered(page([detail(0, [], has_page=False), detail(1, [sample(0, "a")])], left_out=1))
    assert "#case-0" not in text
    assert "#case-1" in text
    assert unpacked(text)[0] == ""


def test_pages_are_found_under_their_number_through_all_suites() -> None:
    """Two suites of one gate share one list of cases."""
    first = page([detail(0, [sample(0, "from the first")])], suite="one")
    second = page([detail(0, [sample(0, "from the second")])], suite="two")
    text = rendered(first, second)
    assert "#case-1" in text
    assert "from the second" in unpacked(text)[1]


def test_one_language_leaves_no_dictionary() -> None:
    """With --lang the words are in the page itself."""
    text = rendered(page([detail(0, [sample(0, "a")])]), language="ja")
    assert '<html lang="ja">' in text
    assert "ケースと回答を検索" in text
    assert "data-t=" not in shown(text)


def test_the_browser_decides_where_no_language_is_given() -> None:
    """Every word is marked with its key, and the dictionary has both languages."""
    text = rendered(page([detail(0, [sample(0, "a")])]), language=None)
    found = re.search(r'id="words">(.*?)</script>', text)
    assert found is not None
    words = json.loads(found[1])
    keys = set(re.findall(r'data-t(?:-[a-z-]+)?="([^"]*)"', shown(text)))
    assert keys
    assert keys <= words["ja"].keys()
    assert words["en"].keys() == words["ja"].keys()


def test_an_interval_is_drawn_beside_its_zero() -> None:
    """A drop lies left of the middle, in the colour of its verdict."""
    text = rendered(page([detail(0, [sample(0, "a")], [sample(0, "b")])], compared=True))
    found = re.search(r'<line class="line bad" x1="([\d.]+)" x2="([\d.]+)"', text)
    assert found is not None
    assert float(found[1]) < float(found[2]) < 75.0


def test_a_thousand_cases_with_five_samples_stay_below_three_megabytes() -> None:
    """With answers of the usual size on both sides."""
    rng = random.Random(4)  # noqa: S311 - texts, no secrets
    words = [
        "返品",
        "配送",
        "注文",
        "please",
        "order",
        "number",
        "請求",
        "thank",
        "patience",
        "確認",
        "いたします",
        "refund",
    ]

    def text() -> str:
        return " ".join(rng.choices(words, k=30))

    details = [
        detail(
            n,
            [sample(i, text(), exact_match=1.0) for i in range(5)],
            [sample(i, text(), exact_match=0.0) for i in range(5)],
        )
        for n in range(1_000)
    ]
    assert len(rendered(page(details, compared=True), language=None).encode()) < 3_000_000
