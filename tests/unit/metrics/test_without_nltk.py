"""The stemmer of nltk without nltk: the same stems, and nothing else is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from nltk.stem.porter import PorterStemmer

from retest.metrics.without_nltk import porter_stem

DATA = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.mark.data
def test_the_stems_are_those_of_nltk() -> None:
    """On every word of real English summaries."""
    if not DATA.exists():
        pytest.skip("needs ../shared/data")
    words = set((DATA / "scitldr" / "cases.jsonl").read_text("utf-8").lower().split())
    ours, theirs = porter_stem(), PorterStemmer().stem
    assert len(words) > 1000
    assert [ours(word) for word in words] == [theirs(word) for word in words]


@pytest.mark.parametrize("word", ["", "a", "agreed", "skies", "dying", "ＧＯ", "返品", "\ud800", "generalizations"])
def test_odd_words_are_stemmed_alike(word: str) -> None:
    """The irregular ones too."""
    assert porter_stem()(word) == PorterStemmer().stem(word)


def test_nothing_of_nltk_is_loaded_or_changed() -> None:
    """Whoever imports it later gets all of it."""
    code = (
        "import sys\n"
        "from retest.metrics.without_nltk import porter_stem\n"
        "assert porter_stem()('running') == 'run'\n"
        "assert not {'nltk', 'sklearn', 'scipy', 'numpy'} & set(sys.modules), 'loaded'\n"
        "import nltk.stem\n"
        "assert nltk.stem.PorterStemmer().stem('running') == 'run'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
