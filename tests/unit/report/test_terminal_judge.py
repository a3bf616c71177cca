"""How judges are shown: what is counted, what fits, and what is true."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console, RenderableType

from retest.domain.calibration import Calibration, Figure
from retest.report.terminal_judge import calibration_report, definition_page, definition_table
from retest.report.terminal_rescore import _short, _told_apart
from retest.suites.judge_files import packaged_definition, packaged_names

_JUDGE = "judge:openai/gpt-4o(seed=1,temperature=0)"
_SIGNATURE = f"grade|definition:grade@1:0123456789ab|{_JUDGE}|wording:1"


def shown(what: RenderableType) -> str:
    console = Console(file=StringIO(), width=80)
    console.print(what)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def calibrated(against: str) -> Calibration:
    figure = Figure(value=0.612, low=-0.512, high=0.712)
    return Calibration(
        definition="grade",
        version="1",
        definition_hash="d" * 64,
        judge="gpt-4o",
        against=against,
        data="reviews: quality",
        data_hash="e" * 64,
        items=32,
        unlabelled=0,
        failed=0,
        coefficient="kappa_quadratic",
        figures={"kappa_quadratic": figure},
    )


@pytest.mark.parametrize(("against", "counted"), [("reviews", "32 ratings of"), ("human", "32 cases of")])
def test_reviews_are_counted_as_ratings(against: str, counted: str) -> None:
    """Several people may have rated one answer; labels of a file are cases."""
    assert counted in shown(calibration_report(calibrated(against)))


def test_the_list_keeps_one_line_each_when_one_is_calibrated() -> None:
    """Within 80 columns."""
    rows = [(packaged_definition(name, "en"), calibrated("reviews")) for name in packaged_names("en")]
    lines = shown(definition_table(rows)).strip().splitlines()
    assert len([line for line in lines if "[-0.512, 0.712]" in line]) == len(rows)
    assert all("0.612" in line for line in lines if line.startswith(("grade", "factual_consistency")))


def test_a_judge_without_instructions_is_told_nothing() -> None:
    """The page says what the endpoint is sent."""
    page = shown(definition_page(packaged_definition("moderation", "en"), "", []))
    assert "nothing; the endpoint is sent the answer alone" in page


def test_a_judges_signature_is_shortened() -> None:
    """Definition, version, beginning of the hash, and model; other metrics' signatures stay whole."""
    assert _short(_SIGNATURE) == "grade@1:01234567, openai/gpt-4o"
    assert _short("rouge|type:rougeL") == "rouge|type:rougeL"


def test_signatures_that_shorten_alike_show_what_differs() -> None:
    """Of a changed temperature nothing could be seen."""
    before, now = _told_apart(_SIGNATURE, _SIGNATURE.replace("temperature=0", "temperature=1"))
    assert (before, now) == (_JUDGE, "judge:openai/gpt-4o(seed=1,temperature=1)")
