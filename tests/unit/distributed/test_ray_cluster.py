"""Addresses of clusters, and clusters that are not there; no Ray is needed."""

from __future__ import annotations

import socket
import sys

import pytest

from retest.cli.options import on_ray
from retest.distributed.ray_cluster import check_address, import_ray
from retest.errors import ExitCode, MissingExtraError, UsageError


@pytest.mark.parametrize(
    "address", ["ray://head:10001", "head", "head:", ":6379", "head:99999", "日本:語", "a b:1", ""]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """The message names the three forms."""
    with pytest.raises(UsageError, match=r"local .*, auto .*, or host:port"):
        check_address(address)


def test_nobody_at_an_address_is_said_at_once() -> None:
    """A port where nobody listens is exit code 2, before anything is paid for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError, match=f"no Ray cluster answers at 127.0.0.1:{port}") as error:
        check_address(f"127.0.0.1:{port}")
    assert error.value.exit_code is ExitCode.USAGE


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Ray the message has the exact line."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'retest\[ray\]'"):
        import_ray()


def test_naming_a_cluster_asks_for_it() -> None:
    """`--address` alone means Ray; beside `--executor local` it is a mistake."""
    assert on_ray(None, "auto", None) == {"executor": "ray", "ray_address": "auto", "ray_workers": None}
    assert on_ray(None, None, None)["executor"] is None
    with pytest.raises(UsageError, match="--workers is about a Ray cluster"):
        on_ray("local", None, 3)
