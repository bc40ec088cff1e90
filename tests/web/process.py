"""The page as its owner starts it: a real process on a free port, over a folder that a service left."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

TRIES = 1200


@contextmanager
def page_process(environ: Mapping[str, str]) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run the dashboard and yield its port, once it answers, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "rebalancer", "dashboard", "--port", str(port)]
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(command, env=dict(environ), stdout=log, stderr=log) as process,
    ):
        try:
            for _ in range(TRIES):
                with socket.socket() as door:
                    if door.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if process.poll() is not None:
                    log.seek(0)
                    raise AssertionError(log.read().decode())
                select.select([], [], [], 0.05)
            yield port, process
        finally:
            process.terminate()
