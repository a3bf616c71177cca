"""Whatever is in a file or comes from an endpoint or a judge: a result, or an error of ours; no crash and no hang."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retest.errors import RetestError
from support.parser_examples import BASELINE, TOKENS
from support.parsers import PARSERS


@st.composite
def damaged(draw: st.DrawFn, valid: str) -> bytes:
    """Return a file that was sound before something was cut out, put in or repeated; or bytes of any kind."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=300))
    data = valid.encode()
    for _ in range(draw(st.integers(1, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[:at] + draw(st.sampled_from(TOKENS)) + data[at:]
            case 1:
                data = data[:at] + draw(st.sampled_from(TOKENS)) + data[end:]
            case 2:
                data = data[:at] + data[end:]
            case _:
                data = data[:end] + data[at:]
    return data


def fuzz(name: str, examples: int) -> None:
    valid, parse = PARSERS[name]

    @settings(
        max_examples=examples,
        derandomize=True,  # the same examples in every run: a failure is one for everybody
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged(valid))
    def check(data: bytes) -> None:
        try:
            parse(data)
        except RetestError as error:
            said = error.problems
        else:
            return
        assert said
        assert all(problem.slug and problem.message for problem in said)

    check()


@pytest.mark.parametrize("name", PARSERS)
def test_garbage_is_refused_in_words(name: str) -> None:
    """A file broken in any way is read or refused with a problem that has a slug; nothing else is raised."""
    fuzz(name, 60)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("prompt.md", b"{{ " + b"[" * 3000),
        ("prompt.md", b"{{ " + b"(" * 500 + b"1" + b")" * 500 + b" }}"),
        ("prompt.md", b"{% for a in [1] %}" * 60 + b"x" + b"{% endfor %}" * 60),
        ("prompt.md", b"{% if a %}" * 300 + b"x" + b"{% endif %}" * 300),
        ("prompt.md", b"{% include '\\ud800' %}"),
        ("prompt.md", b"{% include 'a\x00b' %}"),
        ("prompt.md", b"{% include '" + b"x" * 5000 + b"' %}"),
        ("prompt.json", b"9" * 5000),
        ("prompt.json", b"[" * 100_000),
        ("dataset.json", b"[" * 100_000),
        ("suite", b"name: " + b"9" * 5000),
        ("settings", b"attempts = " + b"9" * 5000),
        ("settings", b"attempts = " + b"[" * 5000),
        ("prices", b"a = " + b"9" * 5000),
        ("prices", b"a = " + b"[" * 5000),
        ("calibrations", b"[" * 100_000),
        ("reviews.jsonl", b'{"run": ' + b"[" * 100_000),
        ("cases to add to", b"[" * 100_000),
        ("baseline", BASELINE.replace('"draw": 0', '"draw": 1e999').encode()),
    ],
    ids=[
        "lists",
        "parentheses",
        "loops",
        "ifs",
        "half a character",
        "NUL",
        "long name",
        "long number",
        "deep JSON",
        "deep rows",
        "long YAML number",
        "settings number",
        "deep settings",
        "price number",
        "deep prices",
        "deep calibrations",
        "deep reviews",
        "deep cases",
        "infinite draw",
    ],
)
def test_what_once_crashed_is_refused(name: str, data: bytes) -> None:
    """Nesting and numbers past what Python takes are a problem of the file, with its name."""
    _, parse = PARSERS[name]
    with pytest.raises(RetestError):
        parse(data)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", PARSERS)
def test_much_garbage_is_refused_in_words(name: str) -> None:
    """The same with many more examples."""
    fuzz(name, 3000)


@pytest.mark.parametrize("name", PARSERS)
def test_what_the_garbage_is_made_of_is_sound(name: str) -> None:
    """The file before the damage is read: else the fuzzing would only test its first line."""
    valid, parse = PARSERS[name]
    if name == "dataset.gz":
        import gzip

        parse(gzip.compress(valid.encode(), mtime=0))
    else:
        parse(valid.encode())
