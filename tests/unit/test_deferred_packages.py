"""Packages that are loaded without running their own code, and what is found in them all the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

OPENAI = "from retest.targets.openai_import import load_openai\nload_openai()\nimport sys\n"
SPECIAL = "import retest.stats.special\nimport sys\n"


def said(code: str, start: str = OPENAI) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_most_types_of_openai_are_left_out() -> None:
    """The client is there, and not a quarter of the files of types."""
    count = "import openai\nopenai.AsyncOpenAI\nprint(len([name for name in sys.modules if '.types.' in name]))"
    assert int(said(count)) < int(said(count, start="import sys\n")) / 4


@pytest.mark.parametrize(
    "use",
    [
        "from openai.types import Batch\nprint(Batch.__name__)",
        "from openai.types import *\nprint(Batch.__name__)",
        "from openai.types.responses import Response\nprint(Response.__name__ and 'Batch')",
    ],
)
def test_types_are_there_for_whoever_looks(use: str) -> None:
    """Every way of naming a type finds it."""
    assert said(use) == "Batch"


def test_the_typed_client_works() -> None:
    """The package's own resources find their types."""
    use = "import openai\nclient = openai.OpenAI(api_key='k')\nprint(client.chat.completions, client.responses)"
    assert "Completions" in said(use)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    """As for any module."""
    use = "import openai.types\nprint(hasattr(openai.types, 'Nothing'), hasattr(openai.types, '__nothing__'))"
    assert said(use) == "False False"


def test_nothing_of_ours_stays_among_the_importers() -> None:
    """Other packages are imported as ever."""
    assert said("print([finder for finder in sys.meta_path if 'Deferring' in type(finder).__name__])") == "[]"


def test_threads_that_look_at_once_all_find() -> None:
    """Nobody sees the package half loaded."""
    use = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "import openai.types\n"
        "names = ['Batch', 'Model', 'FileObject', 'Upload'] * 5\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(all(pool.map(lambda name: hasattr(openai.types, name), names)))"
    )
    assert said(use) == "True"


def test_the_statistics_load_no_array_libraries_of_scipy() -> None:
    """The ufuncs are there; what prepares them for other libraries is not loaded."""
    assert said("print('scipy.special._support_alternative_backends' in sys.modules)", SPECIAL) == "False"


def test_the_special_functions_are_scipys() -> None:
    """The same functions, and the whole package for whoever imports it, SciPy's own modules among them."""
    use = (
        "import scipy.stats, scipy.special\n"
        "from retest.stats import special\n"
        "print(all(getattr(special, name) is getattr(scipy.special, name) for name in special.__all__),"
        " scipy.special.comb(5, 2), round(scipy.stats.norm.cdf(0), 3))"
    )
    assert said(use, SPECIAL) == "True 10.0 0.5"
