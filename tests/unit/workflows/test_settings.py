"""Settings: default < file < environment < flag, each with its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.errors import SettingsError
from retest.workflows.scoring import process_options
from retest.workflows.settings import load_settings


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    """And says where the value came from."""
    (tmp_path / "pyproject.toml").write_text('[tool.retest]\nconcurrency = 4\nstore = "a.db"\nattempts = 9\n')
    (tmp_path / "retest.toml").write_text('concurrency = 8\nstore = "b.db"\n')
    settings = load_settings(tmp_path, {"RETEST_STORE": "c.db"}, {"store": None, "concurrency": 16})
    assert (settings["attempts"], settings.sources["attempts"]) == (9, "pyproject.toml [tool.retest]")
    assert (settings["store"], settings.sources["store"]) == ("c.db", "environment RETEST_STORE")
    assert (settings["concurrency"], settings.sources["concurrency"]) == (16, "flag")
    assert settings.sources["grace_s"] == "default"


def test_what_stands_in_the_env_file_is_said_to(tmp_path: Path) -> None:
    """`.env` stands between the files and the real environment, and is named as the source."""
    env_file = {"RETEST_CONCURRENCY": "7", "RETEST_ATTEMPTS": "2"}
    settings = load_settings(tmp_path, {"RETEST_ATTEMPTS": "3"}, env_file=env_file)
    assert (settings["concurrency"], settings.sources["concurrency"]) == (7, ".env RETEST_CONCURRENCY")
    assert (settings["attempts"], settings.sources["attempts"]) == (3, "environment RETEST_ATTEMPTS")


def test_the_root_is_the_nearest_folder_with_a_mark(tmp_path: Path) -> None:
    """Relative paths start at the project's root, wherever the command is typed."""
    (tmp_path / "retest.toml").write_text('store = "s.db"\n')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert load_settings(inner, {}).store_url == str(tmp_path / "s.db")


def test_a_url_stays_a_url(tmp_path: Path) -> None:
    """A team's store is no path."""
    url = "postgresql://me@127.0.0.1/retest"
    assert load_settings(tmp_path, {"RETEST_STORE": url}).store_url == url


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    """Unknown names get a suggestion, wrong kinds an expectation."""
    (tmp_path / "retest.toml").write_text('concurency = 8\nattempts = "many"\ngrace_s = -1\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert {problem.slug for problem in caught.value.problems} == {"setting-unknown", "setting-value"}
    assert len(caught.value.problems) == 3
    assert "did you mean 'concurrency'?" in str(caught.value)


@pytest.mark.parametrize("text", ["not toml [", "\x00"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    """The path is in the message, not a traceback."""
    (tmp_path / "retest.toml").write_text(text)
    with pytest.raises(SettingsError, match=r"retest\.toml"):
        load_settings(tmp_path, {})


@pytest.mark.parametrize(("text", "limit"), [("auto", None), ("1", 1), ("12", 12)])
def test_how_many_processes_score(tmp_path: Path, text: str, limit: int | None) -> None:
    """By default as many as pay."""
    assert load_settings(tmp_path, {"RETEST_SCORE_PROCESSES": text}).score_processes == limit
    assert load_settings(tmp_path, {}).score_processes is None


@pytest.mark.parametrize(
    ("text", "programs"), [("8", 8), ("1", 1), ("0", 1), ("", 1), ("²", 1), ("many", 1)], ids=ascii
)
def test_workers_of_pytest_xdist_share_the_machine(tmp_path: Path, text: str, programs: int) -> None:
    """Each of them scores in its share of the cores."""
    settings = load_settings(tmp_path, {"PYTEST_XDIST_WORKER_COUNT": text})
    assert process_options(settings).programs == programs


@pytest.mark.parametrize("text", ["0", "257", "-1", "many", "1.5"])
def test_no_number_of_processes(tmp_path: Path, text: str) -> None:
    """The message says what is expected."""
    with pytest.raises(SettingsError, match="auto, or a whole number from 1 to 256"):
        load_settings(tmp_path, {"RETEST_SCORE_PROCESSES": text})
