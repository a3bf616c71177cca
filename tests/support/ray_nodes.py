"""A Ray cluster of several nodes on this machine, small, for tests; all of it ends with the test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retest.distributed.ray_cluster import import_ray
from support.waiting import wait_until

_STORE_BYTES = 80_000_000


class RayNodes:
    """The nodes of a cluster; the first is the head, which stays."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    @property
    def address(self) -> str:
        """Return what `--address` takes."""
        return str(self._cluster.address)

    @property
    def session(self) -> Path:
        """Return the folder of all logs."""
        return Path(self._cluster.head_node.get_session_dir_path())

    def add(self, cpus: int = 1) -> Any:
        """Start one more node."""
        return self._cluster.add_node(num_cpus=cpus, object_store_memory=_STORE_BYTES)

    def kill(self, node: Any) -> None:
        """Kill all processes of a node at once, as a machine that loses its power does."""
        workers = self.worker_pids(node)
        self._cluster.remove_node(node, allow_graceful=False)
        for pid in workers:
            _kill(pid)

    def worker_pids(self, *nodes: Any) -> list[int]:
        """Return the processes of retest's workers on some nodes, or on all."""
        wanted = nodes or tuple(self._cluster.list_all_nodes())
        raylets = {info.process.pid for node in wanted for info in node.all_processes.get("raylet", ())}
        return [pid for pid in _children(raylets) if b"Worker" in _title(pid)]

    def kill_worker(self) -> int:
        """Kill the process of some worker, once there is one; return its id."""
        wait_until(lambda: bool(self.worker_pids()), 60)
        pid = self.worker_pids()[0]
        _kill(pid)
        return pid


@contextmanager
def ray_nodes(cpus: Sequence[int]) -> Iterator[RayNodes]:
    """Start a cluster with so many processors on each node, and end it."""
    import_ray()  # sets what must be set before
    from ray.cluster_utils import Cluster

    head = {"num_cpus": cpus[0], "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, connect=False, head_node_args=head)
    nodes = RayNodes(cluster)
    try:
        for number in cpus[1:]:
            nodes.add(number)
        yield nodes
    finally:
        cluster.shutdown()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _children(parents: set[int]) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if int(fields[1]) in parents:
                found.append(int(folder.name))
    return found


def _title(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
