from __future__ import annotations

import pytest

from retest.errors import Problem, SuiteError
from retest.suites.yaml_nodes import plain
from retest.suites.yaml_reader import MAX_DEPTH, read_yaml


def data(text: str | bytes) -> object:
    return plain(read_yaml(text, "f.yaml"))


def problems(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(SuiteError) as caught:
        read_yaml(text, "f.yaml")
    return caught.value.problems


def problem(text: str | bytes) -> tuple[str, str]:
    (only,) = problems(text)
    return only.slug, str(only.where)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # text in YAML 1.2, something else in YAML 1.1
        ("Yes", "Yes"),
        ("no", "no"),
        ("on", "on"),
        ("12:30:45", "12:30:45"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        # numbers
        ("0o17", 15),
        ("0x1F", 31),
        ("012", 12),
        ("+1", 1),
        ("-0", 0),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        # null and booleans
        ("~", None),
        ("null", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        # quotes and tags make text
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        # text in other scripts
        ("請求書", "請求書"),
        ('"\\u8acb"', "請"),
        ("😀", "😀"),
    ],
)
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """Each plain scalar is read by the core schema of YAML 1.2."""
    found = data(f"key: {text}\n")
    assert found == {"key": value}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(value)


def test_line_separators_of_yaml_1_1_are_ordinary_characters() -> None:
    """U+2028, U+2029 and U+0085 inside a text end no line."""
    assert data("a: x\u2028y\u2029z\u0085w\nb: 1\n") == {"a": "x\u2028y\u2029z\u0085w", "b": 1}


def test_places_after_a_line_separator_stay_right() -> None:
    """U+2028 does not shift the line numbers of what follows."""
    node = read_yaml("a: x\u2028y\nb: 1\n", "f.yaml")
    assert str(node.entries["b"].key) == "f.yaml:2:1"  # type: ignore[union-attr]  # a mapping, as the text says


@pytest.mark.parametrize(
    ("text", "slug", "where"),
    [
        ("", "yaml-empty", "f.yaml:1:1"),
        ("# only a comment\n", "yaml-empty", "f.yaml:1:1"),
        ("a: 1\n\tb: 2\n", "yaml-syntax", "f.yaml:2:1"),
        ("a:\n\t- 1\n", "yaml-syntax", "f.yaml:2:1"),
        ("a: @x\n", "yaml-syntax", "f.yaml:1:4"),
        ("a: b: c\n", "yaml-syntax", "f.yaml:1:5"),
        ("日本: [1\n", "yaml-syntax", "f.yaml:2:1"),
        (b"a: 1\nb: \xff\n", "yaml-encoding", "f.yaml:2:4"),
        (b"a: 1\nb: \x00\n", "yaml-encoding", "f.yaml:2:4"),
        ("a: \x1b[31m\n", "yaml-encoding", "f.yaml:1:4"),
        ("a: \ud800\n", "yaml-encoding", "f.yaml:1:4"),
        ("a: 1\n---\nb: 2\n", "yaml-documents", "f.yaml:2:1"),
        ("a: 1\na: 2\n", "yaml-duplicate-key", "f.yaml:2:1"),
        ("a: {x: 1, x: 1}\n", "yaml-duplicate-key", "f.yaml:1:11"),
        ("t: {{ question }}\n", "yaml-key", "f.yaml:1:5"),
        ("? [1]\n: 2\n", "yaml-key", "f.yaml:1:3"),
        ("~: 2\n", "yaml-key", "f.yaml:1:1"),
        ("<<: {a: 1}\n", "yaml-merge-key", "f.yaml:1:1"),
        ("a: !!python/object:os.system x\n", "yaml-tag", "f.yaml:1:4"),
        ("a: !secret x\n", "yaml-tag", "f.yaml:1:4"),
        ("a: !!int x\n", "yaml-tag", "f.yaml:1:4"),
        ("a: *b\n", "yaml-alias", "f.yaml:1:4"),
        ("a: &a [*a]\n", "yaml-alias", "f.yaml:1:8"),
        ("a: " + "9" * 5000, "yaml-number", "f.yaml:1:4"),
        ("a: 1e999\n", "yaml-number", "f.yaml:1:4"),
    ],
)
def test_what_is_no_plain_yaml_is_refused_at_its_place(text: str | bytes, slug: str, where: str) -> None:
    """Each kind of broken or dangerous YAML gives one problem with line and column."""
    assert problem(text) == (slug, where)


def test_every_duplicate_key_is_reported() -> None:
    """Two keys that stand twice are two problems, each naming the first place."""
    found = problems("a: 1\na: 2\nb: 1\nb: 2\n")
    assert [(str(p.where), p.details) for p in found] == [
        ("f.yaml:2:1", ("first at f.yaml:1:1",)),
        ("f.yaml:4:1", ("first at f.yaml:3:1",)),
    ]


@pytest.mark.parametrize("text", ["[" * 1_000_000, "- " * 100_000, "{a: " * 50_000])
def test_deep_nesting_is_refused(text: str) -> None:
    """A file that nests without end is refused at the limit, not followed."""
    (found,) = problems(text)
    assert found.slug == "yaml-too-deep"
    assert str(MAX_DEPTH) in found.message


def test_an_alias_bomb_is_refused() -> None:
    """Aliases of aliases that unfold to billions of nodes are refused."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert problem("\n".join(lines))[0] == "yaml-alias"


def test_a_long_text_repeated_by_aliases_is_refused() -> None:
    """The limit counts characters too: one long text is as dangerous as many nodes."""
    assert problem(f"a: &a {'x' * 100_000}\nb: [{', '.join(['*a'] * 50)}]\n")[0] == "yaml-alias"


def test_ordinary_aliases_work() -> None:
    """An anchored mapping may be used again."""
    assert data("a: &a {x: 1}\nb: *a\n") == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_with_and_without_byte_order_mark_are_read(encoding: str) -> None:
    """UTF-8, UTF-8 with a mark and UTF-16 with a mark give the same data."""
    assert data("名前: 値\n".encode(encoding)) == {"名前": "値"}


def test_windows_line_ends_are_read() -> None:
    """CRLF ends lines, and is no part of block text but its line end."""
    assert data(b"a: 1\r\nb: |\r\n  x\r\n  y\r\n") == {"a": 1, "b": "x\ny\n"}


def test_front_matter_counts_lines_from_where_it_starts() -> None:
    """A reader that starts further down gives the file's own line numbers."""
    with pytest.raises(SuiteError) as caught:
        read_yaml("a: 1\na: 2\n", "f.md", first_line=2)
    assert str(caught.value.problems[0].where) == "f.md:3:1"
