from __future__ import annotations

import pytest

from retest.errors import UsageError
from retest.targets.json_path import parse_path

DATA = {
    "choices": [{"text": "a", "n": 1}, {"text": "b"}],
    "odd name": {"x.y": "dotted"},
    "日本": {"都市": ["東京", "京都"]},
    "none": None,
    "zero": 0,
    "": "empty",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.choices[0].text", "a"),
        ("choices[0].text", "a"),
        ("$.choices[-1].text", "b"),
        ("$.choices[*].text", "ab"),
        ("$.choices[*].n", [1]),
        ("$['odd name']['x.y']", "dotted"),
        ('$["odd name"]["x.y"]', "dotted"),
        ("$.日本.都市[1]", "京都"),
        ("$.日本.都市[*]", "東京京都"),
        ("$.choices[ 1 ].text", "b"),
        ("$.zero", 0),
        ("$['']", "empty"),
        ("$", DATA),
        ("", DATA),
        (" $.zero ", 0),
    ],
)
def test_a_path_finds_its_value(path: str, value: object) -> None:
    """Names, quoted names, indexes from either end, and all items of a list."""
    assert parse_path(path, None).find(DATA) == value


@pytest.mark.parametrize(
    "path",
    [
        "$.nope",
        "$.choices[2]",
        "$.choices[-3]",
        "$.choices.text",
        "$.zero.x",
        "$.none.x",
        "$.zero[*]",
        "$.choices[*].z",
    ],
)
def test_a_path_to_nothing_finds_none(path: str) -> None:
    """Absent names, indexes out of range, and steps into what is no container."""
    assert parse_path(path, None).find(DATA) is None


@pytest.mark.parametrize(
    "path",
    ["$..text", "$.choices[0", "$.choices[?(@.n)]", "$.choices[0:2]", "$.a b", "$.", "$.choices[x]", "$]", "$.a['b"],
)
def test_an_unsupported_path_is_refused(path: str) -> None:
    """It is found when the target is opened, with the place where reading stopped."""
    with pytest.raises(UsageError, match="target-pick"):
        parse_path(path, None)
