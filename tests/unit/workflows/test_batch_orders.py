"""Orders keep to what a provider takes in one file, and leave nothing behind."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import pytest

from retest.errors import IncompleteError
from retest.targets.batching import MOST_BYTES, Batcher, open_batcher
from retest.workflows.batch_orders import Order
from support.targets import open_with


def batcher() -> Batcher:
    """Return what would speak about batches; nothing is sent."""
    options = {"base_url": "http://127.0.0.1:9/v1"}
    found = open_batcher(open_with("openai", options, env={"OPENAI_API_KEY": "sk-x"}))
    assert found is not None
    return found


def order(most: int = 2) -> Order:
    return Order(batcher(), "m", {}, most)


def test_a_file_takes_so_many_calls_and_bytes() -> None:
    """One more would be refused by the provider, with all the others."""
    few = order(2)
    for key in ("a", "b"):
        assert few.has_room(b"line\n")
        few.add(key, b"line\n")
    assert not few.has_room(b"line\n")
    large = order(50_000)
    large.add("a", b"x" * 1000)
    assert large.has_room(b"x" * (MOST_BYTES - 1000))
    assert not large.has_room(b"x" * (MOST_BYTES - 999))
    few.close()
    large.close()


def test_a_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves no request on the disk."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = order()
    made.add("a", "秘密\n".encode())
    made.complete()
    assert list(tmp_path.iterdir()) == []
    made.close()


def test_a_full_disk_is_said() -> None:
    """Exit 4, and nothing of the batch was sent."""

    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    made = order()
    made.file.close()
    made.file = Full()
    with pytest.raises(IncompleteError, match="No space left on device"):
        made.add("a", b"line")
