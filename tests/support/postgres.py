"""A private PostgreSQL server for tests: its own folder, its own socket and loopback port, gone at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PASSWORD = "s3cret-of-the-test"

_STARTUP_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A running server; `folder` holds its socket."""

    folder: Path
    port: int
    bin_folder: Path

    def url(self, schema: str = "public") -> str:
        """Return the URL of a schema through the socket, where nobody is asked for a password."""
        return f"postgresql://retest@/postgres?host={self.folder}&port={self.port}&options=-csearch_path%3D{schema}"

    def tcp_url(self, database: str = "postgres", password: str = PASSWORD) -> str:
        """Return the URL of a database through the loopback port, with a password."""
        return f"postgresql://retest:{password}@127.0.0.1:{self.port}/{database}"

    def create_schema(self) -> str:
        """Create an empty schema, which serves as a database and costs less, and return its name."""
        name = f"t{secrets.token_hex(6)}"
        self.run_sql(f"CREATE SCHEMA {name}")
        return name

    def run_sql(self, sql: str) -> None:
        """Run one statement."""
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(sql.encode())


def find_programs() -> Path | None:
    """Return the folder of the server's programs, None where they are not installed."""
    candidates = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    on_path = shutil.which("initdb")
    if on_path is not None:
        candidates.append(Path(on_path).resolve().parent)
    for folder in candidates:
        if all((folder / program).exists() for program in ("initdb", "postgres")):
            return folder
    return None


@contextmanager
def running_server(bin_folder: Path) -> Iterator[PostgresServer]:
    """Start a server and stop it at the end."""
    # Not pytest's folder: a socket's path must be short, and the server's user must be able to enter it.
    in_memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
    folder = Path(tempfile.mkdtemp(prefix="rtpg-", dir=in_memory if in_memory.is_dir() else None))
    user = _server_user()
    try:
        if user is not None:
            shutil.chown(folder, user)
        _initialise(bin_folder, folder, user)
        server = PostgresServer(folder=folder, port=_free_port(), bin_folder=bin_folder)
        process = _start(server, user)
        try:
            _wait_until_ready(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is wanted any more
            process.wait(timeout=_STARTUP_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _server_user() -> str | None:
    """Return whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _initialise(bin_folder: Path, folder: Path, user: str | None) -> None:
    password_file = folder / "password"
    password_file.write_text(PASSWORD, encoding="ascii")
    if user is not None:
        shutil.chown(password_file, user)
    options = ["-U", "retest", "-A", "trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}"]
    encoding = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    command = [str(bin_folder / "initdb"), "-D", str(folder / "data"), *options, *encoding]
    subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder)


def _start(server: PostgresServer, user: str | None) -> subprocess.Popen[bytes]:
    # The server's own durability is not what is tested here; without it the tests are fast.
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(server.port),
        "unix_socket_directories": str(server.folder),
        "fsync": "off",
        "max_connections": "60",
        "shared_buffers": "32MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [str(server.bin_folder / "postgres"), "-D", str(server.folder / "data"), *options]
    with (server.folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, user=user, cwd=server.folder)


def _wait_until_ready(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    deadline = time.monotonic() + _STARTUP_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            server.run_sql("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    log = (server.folder / "log").read_text(encoding="utf-8", errors="replace")
    raise RuntimeError(f"PostgreSQL did not start:\n{log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
