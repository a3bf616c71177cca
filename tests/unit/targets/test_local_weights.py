from __future__ import annotations

from pathlib import Path

import pytest

from retest.errors import UsageError
from retest.targets.local_weights import PACKAGED, cache_folder, find_weights


def gguf(folder: Path, content: bytes = b"", name: str = "m.gguf") -> Path:
    path = folder / name
    path.write_bytes(b"GGUF" + content)
    return path


def test_a_files_fingerprint_is_its_content(tmp_path: Path) -> None:
    """Name and place do not matter; a change at either end does."""
    first = find_weights(gguf(tmp_path, b"a" * 100), None, tmp_path, None)
    same = find_weights(gguf(tmp_path, b"a" * 100, "other.gguf"), None, tmp_path, None)
    changed = find_weights(gguf(tmp_path, b"a" * 99 + b"b", "third.gguf"), None, tmp_path, None)
    assert first.fingerprint == same.fingerprint != changed.fingerprint
    assert first.name == "m"


@pytest.mark.parametrize(("content", "has"), [(b"..tokenizer.chat_template..", True), (b"..tokenizer.model..", False)])
def test_a_chat_template_in_the_file_is_noticed(tmp_path: Path, content: bytes, *, has: bool) -> None:
    """It decides whether the file's own template is used."""
    assert find_weights(gguf(tmp_path, content), None, tmp_path, None).has_template is has


@pytest.mark.parametrize("content", [b"", b"not a model"])
def test_what_is_no_gguf_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """It is found before any call, and before llama.cpp sees it."""
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="target-local-model"):
        find_weights(path, None, tmp_path, None)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is in the message."""
    with pytest.raises(UsageError, match=r"none\.gguf"):
        find_weights(tmp_path / "none.gguf", None, tmp_path, None)


@pytest.mark.parametrize(("model", "says"), [("gpt-4o", "unknown local model 'gpt-4o'"), (None, "needs a model")])
def test_an_unknown_model_is_refused_with_those_there_are(tmp_path: Path, model: str | None, says: str) -> None:
    """The packaged names are listed."""
    with pytest.raises(UsageError) as caught:
        find_weights(None, model, tmp_path, None)
    assert says in str(caught.value)
    assert all(name in str(caught.value) for name in PACKAGED)


@pytest.mark.parametrize(
    ("option", "env", "folder"),
    [
        ("models", {"XDG_CACHE_HOME": "/x"}, Path("/suite/models")),
        ("/abs", {}, Path("/abs")),
        (None, {"XDG_CACHE_HOME": "/x"}, Path("/x/retest")),
        (None, {"LOCALAPPDATA": "/y"}, Path("/y/retest")),
        (None, {}, Path.home() / ".cache" / "retest"),
    ],
)
def test_the_cache_folder_is_the_options_or_the_users(option: str | None, env: dict[str, str], folder: Path) -> None:
    """The option is relative to the suite's file."""
    assert cache_folder(option, Path("/suite"), env) == folder
