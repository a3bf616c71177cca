from __future__ import annotations

from pathlib import Path

import pytest

from retest.suites.discover import discover, project_root, suite_name


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("", "utf-8")


def found(root: Path, *selectors: str) -> list[str]:
    return [file.display for file in discover(selectors, root).files]


@pytest.mark.parametrize("marker", ["retest.toml", "pyproject.toml", ".git/HEAD"])
def test_the_project_is_the_nearest_folder_with_a_marker(tmp_path: Path, marker: str) -> None:
    """retest.toml, pyproject.toml and .git each mark the project's root."""
    touch(tmp_path, marker, "a/b/x.txt")
    assert project_root(tmp_path / "a" / "b") == tmp_path


def test_without_a_selector_the_projects_suites_folder_is_meant(tmp_path: Path) -> None:
    """From a subfolder too, the suites are those of the project."""
    touch(tmp_path, "retest.toml", "evals/a.yaml", "evals/sub/b.yml", "c.yaml", "src/x.py")
    assert [file.display for file in discover([], tmp_path / "src").files] == ["../evals/a.yaml", "../evals/sub/b.yml"]


def test_no_suites_folder_is_an_error(tmp_path: Path) -> None:
    """A project without suites is not an empty success."""
    touch(tmp_path, "retest.toml")
    assert [p.slug for p in discover([], tmp_path).problems] == ["suite-none-found"]


def test_another_suites_folder_may_be_set(tmp_path: Path) -> None:
    """The setting `suites` moves the folder."""
    touch(tmp_path, "retest.toml", "checks/a.yaml", "evals/b.yaml")
    assert [file.display for file in discover([], tmp_path, folder="checks").files] == ["checks/a.yaml"]


def test_a_folder_means_the_suites_below_it(tmp_path: Path) -> None:
    """Hidden files, and those starting with an underscore, are passed over."""
    touch(tmp_path, "evals/ja/a.yaml", "evals/ja/_draft.yaml", "evals/ja/.x.yaml", "evals/_old/b.yaml", "evals/c.yaml")
    assert found(tmp_path, "evals/ja") == ["evals/ja/a.yaml"]
    assert found(tmp_path, "evals") == ["evals/c.yaml", "evals/ja/a.yaml"]


def test_the_projects_root_means_its_suites_folder(tmp_path: Path) -> None:
    """`retest check .` does not take every YAML file of a repository for a suite."""
    touch(tmp_path, "evals/a.yaml", ".github/workflows/ci.yaml", "mkdocs.yml")
    assert found(tmp_path, ".") == ["evals/a.yaml"]


@pytest.mark.parametrize("selector", ["evals/missing.yaml", "./nope", "evals/*.yaml", "empty"])
def test_a_selector_without_a_file_is_an_error(tmp_path: Path, selector: str) -> None:
    """Each kind of path that finds nothing is one problem."""
    touch(tmp_path, "retest.toml", "empty/x.txt")
    result = discover([selector], tmp_path)
    assert len(result.problems) == 1
    assert result.files == ()


def test_a_missing_file_suggests_its_sibling(tmp_path: Path) -> None:
    """A mistyped file name is answered with the one that is there."""
    touch(tmp_path, "evals/support.yaml")
    (problem,) = discover(["evals/suport.yaml"], tmp_path).problems
    assert problem.fix == "did you mean 'support.yaml'?"


def test_a_pattern_means_the_files_it_matches(tmp_path: Path) -> None:
    """A shell that expands no patterns leaves that to us."""
    touch(tmp_path, "evals/a.yaml", "evals/b.yaml", "evals/c.txt")
    assert found(tmp_path, "evals/*") == ["evals/a.yaml", "evals/b.yaml"]


def test_the_suffix_may_be_left_out(tmp_path: Path) -> None:
    """`evals/a` means evals/a.yaml where there is no folder of that name."""
    touch(tmp_path, "evals/a.yaml", "evals/b.yml", "evals/c/d.yaml")
    assert found(tmp_path, "evals/a", "evals/b", "evals/c") == ["evals/a.yaml", "evals/b.yml", "evals/c/d.yaml"]


@pytest.mark.parametrize("selector", ["a" * 5000, "a\0b", "[", "~"])
def test_a_selector_that_no_file_can_have_finds_nothing(tmp_path: Path, selector: str) -> None:
    """An impossible path is an unknown name, not a crash."""
    touch(tmp_path, "retest.toml", "evals/a.yaml")
    result = discover([selector], tmp_path)
    assert result.problems or result.prefixes


def test_one_file_selected_twice_is_taken_once(tmp_path: Path) -> None:
    """A file and its folder select it once, as a file that was named."""
    touch(tmp_path, "evals/a.yaml", "evals/b.yaml")
    files = discover(["evals", "evals/b.yaml"], tmp_path).files
    assert [(file.display, file.explicit) for file in files] == [("evals/b.yaml", True), ("evals/a.yaml", False)]


def test_what_is_no_path_is_the_start_of_a_name(tmp_path: Path) -> None:
    """A selector such as support/ja leaves the choice to the suites' names."""
    touch(tmp_path, "retest.toml", "evals/support/ja/a.yaml")
    result = discover(["support/ja/"], tmp_path)
    assert result.prefixes == ("support/ja",)
    assert result.files[0].prefixes == ("support/ja",)
    assert result.files[0].folder == "support/ja"


@pytest.mark.parametrize(
    ("folder", "own", "name"),
    [
        ("", "intent", "intent"),
        ("support/ja", "intent", "support/ja/intent"),
        ("support/ja", "support/ja/intent", "support/ja/intent"),  # spelled out already
        ("support", "supportive/intent", "support/supportive/intent"),  # begins alike, but is another name
    ],
)
def test_a_suites_name_is_its_folder_and_its_own(folder: str, own: str, name: str) -> None:
    """A name that spells its folder out is not doubled."""
    assert suite_name(folder, own) == name
