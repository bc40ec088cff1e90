"""An exchange in another process, as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running_exchange(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start `rebalancer exchange`, wait for its line, and yield its address and process."""
    command = [sys.executable, "-m", "rebalancer", "exchange", *options]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REBALANCER_")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line.startswith("listening on http://"), (line, process.stderr and process.stderr.read())
            yield line.removeprefix("listening on "), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(20)
