"""Settings with the place each value came from: default < file < environment < flag."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from retest.errors import Location, Problem, SettingsError
from retest.suites.discover import project_root

ENV_PREFIX = "RETEST_"
_MOST_PROCESSES = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: how it is read from text, its default, and what it does."""

    name: str
    default: object
    parse: Callable[[object], object]
    summary: str


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part for part in value.split(",") if part)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise ValueError("a list of texts")


def _positive_int(value: object) -> int:
    number = _int(value)
    if number < 1:
        raise ValueError("a whole number from 1")
    return number


def _int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a whole number")
    try:
        return int(value)
    except ValueError:
        raise ValueError("a whole number") from None


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a number from 0")
    try:
        number = float(value)
    except ValueError:
        raise ValueError("a number from 0") from None
    if not 0 <= number < float("inf"):
        raise ValueError("a number from 0")
    return number


def _workers(value: object) -> int | None:
    return None if value is None else _positive_int(value)


def _executor(value: object) -> str:
    if value not in {"local", "ray"}:
        raise ValueError("local, or ray")
    return str(value)


def _optional_amount(value: object) -> float | None:
    return None if value is None else _amount(value)


def _processes(value: object) -> int | str:
    if value == "auto":
        return "auto"
    try:
        number = _positive_int(value)
    except ValueError:
        number = 0
    if not 1 <= number <= _MOST_PROCESSES:
        raise ValueError(f"auto, or a whole number from 1 to {_MOST_PROCESSES}")
    return number


SETTINGS = (
    Setting(
        name="store", default=".retest/retest.db", parse=_text, summary="SQLite file, or a postgresql:// URL for a team"
    ),
    Setting(name="suites", default="evals", parse=_text, summary="folder in which suites are looked for"),
    Setting(name="concurrency", default=32, parse=_positive_int, summary="calls in flight at once"),
    Setting(name="prices", default=(), parse=_texts, summary="price files that extend the packaged table"),
    Setting(name="attempts", default=5, parse=_positive_int, summary="tries of one call, rate limits not counted"),
    Setting(name="patience_s", default=600.0, parse=_amount, summary="seconds a call may be held up by rate limits"),
    Setting(name="grace_s", default=10.0, parse=_amount, summary="seconds that calls in flight have after Ctrl-C"),
    Setting(name="max_cost_usd", default=None, parse=_optional_amount, summary="budget of one run in US dollars"),
    Setting(name="batch_poll_s", default=30.0, parse=_amount, summary="seconds between looks at a batch, or more"),
    Setting(name="batch_attempts", default=3, parse=_positive_int, summary="batches that one call may be in"),
    Setting(name="score_processes", default="auto", parse=_processes, summary="processes that score; 1: retest alone"),
    Setting(name="executor", default="local", parse=_executor, summary="who makes the calls: local or ray"),
    Setting(name="ray_address", default="local", parse=_text, summary="a Ray cluster: local, auto, or host:port"),
    Setting(name="ray_workers", default=None, parse=_workers, summary="workers on Ray; unset: one a free processor"),
    Setting(name="lease_s", default=60.0, parse=_amount, summary="seconds after which a dead process's claims lapse"),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its source, and the root that relative paths start at.

    `programs` is how many programs like this one share the machine: pytest-xdist says so of its workers.
    """

    root: Path
    values: Mapping[str, object] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    programs: int = 1

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    @property
    def store_url(self) -> str:
        """Return the store as a URL, or as an absolute path."""
        store = str(self["store"])
        return store if "://" in store else str((self.root / store).resolve())

    @property
    def score_processes(self) -> int | None:
        """Return how many processes score; None: as many as pay."""
        found: int | str = self["score_processes"]
        return None if isinstance(found, str) else found

    @property
    def price_files(self) -> tuple[Path, ...]:
        """Return the price files as absolute paths."""
        return tuple(self.root / name for name in self["prices"])


def load_settings(
    cwd: Path,
    env: Mapping[str, str],
    flags: Mapping[str, object | None] | None = None,
    *,
    env_file: Mapping[str, str] | None = None,
) -> Settings:
    """Read all settings: default < retest.toml or pyproject.toml < .env < environment < flag (None is not given).

    Args:
        cwd: the project's root is at it or above it.
        env: the real environment.
        flags: by setting name.
        env_file: what ``.env`` holds.

    Raises:
        SettingsError: an unknown key or a value of the wrong kind, wherever it came from; all of them at once.
    """
    root = project_root(cwd.resolve())
    values: dict[str, object] = {setting.name: setting.default for setting in SETTINGS}
    sources = dict.fromkeys(values, "default")
    problems: list[Problem] = []
    layers = (
        *_file_layers(root),
        (".env", _env_layer(env_file or {})),
        ("environment", _env_layer(env)),
        ("flag", flags or {}),
    )
    for source, layer in layers:
        for name, raw in layer.items():
            if source == "flag" and raw is None:
                continue
            shown = f"{source} {ENV_PREFIX}{name.upper()}" if source in {".env", "environment"} else source
            problem = _set(values, name, raw, shown)
            if problem is None:
                sources[name] = shown
            else:
                problems.append(problem)
    if problems:
        raise SettingsError(*problems)
    return Settings(root=root, values=values, sources=sources, programs=_programs(env))


def _set(values: dict[str, object], name: str, raw: object, source: str) -> Problem | None:
    setting = _BY_NAME.get(name)
    if setting is None:
        close = difflib.get_close_matches(name, _BY_NAME, n=1)
        return Problem(
            slug="setting-unknown",
            message=f"unknown setting '{name}'",
            where=Location(path=source),
            details=(f"known settings: {', '.join(_BY_NAME)}",),
            fix=f"did you mean '{close[0]}'?" if close else None,
        )
    try:
        values[name] = setting.parse(raw)
    except ValueError as error:
        return Problem(
            slug="setting-value",
            message=f"setting '{name}' is {raw!r}",
            where=Location(path=source),
            details=(f"expected: {error}", setting.summary),
        )
    return None


def _env_layer(env: Mapping[str, str]) -> dict[str, object]:
    """Return the settings named by the environment; other variables with the prefix are none of ours."""
    named = {name: env.get(f"{ENV_PREFIX}{name.upper()}") for name in _BY_NAME}
    return {name: value for name, value in named.items() if value}


def _programs(env: Mapping[str, str]) -> int:
    try:
        return max(1, int(env.get("PYTEST_XDIST_WORKER_COUNT", "")))
    except ValueError:
        return 1


def _file_layers(root: Path) -> list[tuple[str, Mapping[str, object]]]:
    """Return the tables of the files that exist; retest.toml wins over pyproject.toml."""
    layers: list[tuple[str, Mapping[str, object]]] = []
    pyproject = _read_toml(root / "pyproject.toml")
    tool = pyproject.get("tool", {})
    if isinstance(tool, dict) and isinstance(tool.get("retest"), dict):
        layers.append(("pyproject.toml [tool.retest]", tool["retest"]))
    own = _read_toml(root / "retest.toml")
    if own:
        layers.append(("retest.toml", own))
    return layers


def _read_toml(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # TOML's and Unicode's errors are ValueErrors
        raise SettingsError(
            Problem(
                slug="settings-file",
                message=f"cannot read the settings file: {error}",
                where=Location(path=str(path)),
                fix="correct the TOML, or take the file away",
            )
        ) from error
