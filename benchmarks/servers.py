"""Servers on core 1 for clients on core 0: nginx with a static answer, and one that takes its time."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.completion import COMPLETION
from benchmarks.processes import pinned

_CONFIGURATION = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 3600;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/json; return 200 '{answer}'; }}
    }}
}}
"""
_STARTS_WITHIN_S = 10.0


def fast_server_name() -> str:
    """Return what answers at once here."""
    return "nginx" if shutil.which("nginx") else "a bare asyncio server (nginx is not installed)"


@contextmanager
def fast_server() -> Iterator[str]:
    """Give the base URL of a server that answers at once: nginx where it is installed."""
    nginx = shutil.which("nginx")
    if nginx is None:
        with delayed_server(0.0) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="retest-nginx-") as folder:
        port = _free_port()
        configuration = Path(folder, "nginx.conf")
        answer = COMPLETION.decode()
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, answer=answer), "utf-8")
        argv = [*pinned(1), nginx, "-c", str(configuration)]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield f"http://127.0.0.1:{port}/v1"
            finally:
                process.terminate()
                process.wait()


@contextmanager
def delayed_server(delay_s: float) -> Iterator[str]:
    """Give the base URL of a server that answers each request after so long."""
    argv = [*pinned(1), sys.executable, "-m", "benchmarks.delayed_server", str(delay_s)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + _STARTS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return
