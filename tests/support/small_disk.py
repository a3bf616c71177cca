"""A disk that is full: a small file system in memory where one may be mounted, else a limit on the size of files."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.project import Project, Result

SIZE = 12 * 2**20
_PAGE = 4096


class SmallDisk:
    """A project on a disk of twelve megabytes."""

    def __init__(self, root: Path, *, mounted: bool) -> None:
        self.project = Project(root)
        self._mounted = mounted
        self._filler = root / "filler"

    def run(self, room: int, *args: str) -> Result:
        """Run a command while so many bytes are free; where nothing may be mounted, for each file."""
        limit = None
        if self._mounted:
            self._fill(room)
        else:
            limit = self._limit_files(room)
        try:
            done = subprocess.run(
                self.project.command(*args),
                cwd=self.project.root,
                env=self.project.env(),
                capture_output=True,
                timeout=120,
                check=False,
                preexec_fn=limit,
            )
        finally:
            self._filler.unlink(missing_ok=True)
        return Result(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())

    def _fill(self, room: int) -> None:
        found = os.statvfs(self.project.root)
        pages = found.f_bavail * found.f_frsize // _PAGE - room // _PAGE
        self._filler.write_bytes(bytes(max(0, pages) * _PAGE))

    def _limit_files(self, room: int) -> Callable[[], None]:
        log = self.project.root / ".retest" / "retest.db-wal"
        shared = 2**15  # bytes: the index of the log, without which SQLite cannot even read
        largest = max(shared, log.stat().st_size if log.exists() else 0) + room
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))


@contextmanager
def small_disk(root: Path) -> Iterator[SmallDisk]:
    """Give a project on a small disk, mounted at an empty folder where that is permitted."""
    root.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(root)]
    mounted = shutil.which("mount") is not None and subprocess.run(command, capture_output=True).returncode == 0  # noqa: PLW1510 - the code is looked at
    try:
        yield SmallDisk(root, mounted=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", root], check=True)
