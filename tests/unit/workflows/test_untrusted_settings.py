"""What the settings files of an untrusted revision may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from retest.errors import SettingsError, UsageError
from retest.workflows.settings import Settings, load_settings
from retest.workflows.untrusted_settings import guarded_settings, refuse_linked_files
from support.repository import commit_all, git
from support.stranger import Stranger, make_stranger


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    """Return a checkout with a trusted commit."""
    return make_stranger(tmp_path / "checkout")


def guarded(stranger: Stranger, base: str | None = "", **env: str) -> Settings:
    """Return the settings as a command has them."""
    guard = stranger.workspace(base).untrusted
    assert guard is not None
    return guarded_settings(load_settings(stranger.root, env), guard)


def refused(stranger: Stranger, base: str | None = "", **env: str) -> list[str]:
    """Return the slugs of what is refused."""
    with pytest.raises(SettingsError) as raised:
        guarded(stranger, base, **env)
    return [problem.slug for problem in raised.value.problems]


@pytest.mark.parametrize(
    "line",
    [
        "store = '../elsewhere.db'",
        "store = '/tmp/elsewhere.db'",
        "store = 'postgresql://evil.example/x'",
        "suites = '../..'",
        "prices = ['../prices.toml']",
        "prices = ['.//..//..//etc/passwd']",
        "executor = 'ray'",
        "ray_address = 'evil.example:6379'",
    ],
)
def test_nothing_leads_out_of_the_checkout(stranger: Stranger, line: str) -> None:
    """A store, suites or prices elsewhere are refused, in both files."""
    stranger.project.write("retest.toml", f"{line}\n")
    assert refused(stranger) == ["untrusted-setting"]
    (stranger.root / "retest.toml").unlink()
    stranger.project.write("pyproject.toml", f"[tool.retest]\n{line}\n")
    assert refused(stranger) == ["untrusted-setting"]


def test_the_environment_and_flags_are_trusted(stranger: Stranger, tmp_path: Path) -> None:
    """Whoever starts the command may name a store anywhere."""
    stranger.project.write("retest.toml", "store = '../elsewhere.db'\n")
    store = str(tmp_path / "team.db")
    assert guarded(stranger, RETEST_STORE=store).store_url == store


def test_a_database_that_the_base_names_stays(stranger: Stranger) -> None:
    """What the trusted revision says may still be said; a word more may not."""
    stranger.project.write("retest.toml", "store = 'postgresql://db/team'\n")
    trusted = stranger.commit()
    assert guarded(stranger, trusted)["store"] == "postgresql://db/team"
    stranger.project.write("retest.toml", "store = 'postgresql://db/team2'\n")
    assert refused(stranger, trusted) == ["untrusted-setting"]


def test_a_store_folder_that_leads_out_is_refused(stranger: Stranger, tmp_path: Path) -> None:
    """Also the usual one: a link in its place would have retest write elsewhere."""
    (tmp_path / "outside").mkdir()
    (stranger.root / ".retest").symlink_to(tmp_path / "outside")
    assert refused(stranger) == ["untrusted-setting"]


@pytest.mark.parametrize("name", ["retest.db", "retest.db-wal"])
def test_a_store_that_came_with_the_revision_is_refused(stranger: Stranger, name: str) -> None:
    """Answers in it could be anybody's."""
    stranger.project.write(f".retest/{name}", "answers")
    assert guarded(stranger)["store"] == ".retest/retest.db"  # git ignores it: it came from a cache
    git(stranger.root, "add", "-f", f".retest/{name}")
    commit_all(stranger.root)
    assert refused(stranger) == ["untrusted-store"]


@pytest.mark.parametrize("name", ["retest.toml", "pyproject.toml"])
def test_a_settings_file_is_no_link(stranger: Stranger, tmp_path: Path, name: str) -> None:
    """It is refused before it is read."""
    (tmp_path / "outside.toml").write_text("secret = 1\n", "utf-8")
    guard = stranger.workspace().untrusted
    assert guard is not None
    (stranger.root / name).unlink(missing_ok=True)
    (stranger.root / name).symlink_to(tmp_path / "outside.toml")
    with pytest.raises(UsageError, match="untrusted-path"):
        refuse_linked_files(stranger.root, guard)


LIMITS = [
    ("max_cost_usd = 2.0", "max_cost_usd = 500.0", "max_cost_usd", 2.0),
    ("max_cost_usd = 2.0", "", "max_cost_usd", 2.0),
    ("max_cost_usd = 2.0", "max_cost_usd = 1.0", "max_cost_usd", 1.0),
    ("", "max_cost_usd = 1.0", "max_cost_usd", 1.0),
    ("", "", "max_cost_usd", None),
    ("", "concurrency = 5000", "concurrency", 32),
    ("concurrency = 64", "concurrency = 48", "concurrency", 48),
    ("", "batch_attempts = 1000", "batch_attempts", 3),
    ("", "attempts = 100", "attempts", 5),
]


@pytest.mark.parametrize(("before", "after", "name", "expected"), LIMITS)
def test_the_limits_of_the_base_hold(
    stranger: Stranger, before: str, after: str, name: str, expected: float | None
) -> None:
    """The smaller of both: a limit may be lowered, and neither raised nor taken away."""
    stranger.project.write("retest.toml", f"{before}\n")
    trusted = stranger.commit()
    stranger.project.write("retest.toml", f"{after}\n")
    assert guarded(stranger, trusted)[name] == expected


def test_a_limit_of_the_command_wins(stranger: Stranger) -> None:
    """What the environment says is nobody's but the maintainer's."""
    assert guarded(stranger, RETEST_MAX_COST_USD="9", RETEST_CONCURRENCY="100")["max_cost_usd"] == 9
