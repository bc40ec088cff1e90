"""Whole-process start times as ratios to `python -c "import httpx"`, alternated within one run.

python -m tests.benchmarks.startup [--runs N] [--json]
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.figures import Figure, median, parser, say

IMPORT_HTTPX = [sys.executable, "-c", "import httpx"]
REBALANCER = [sys.executable, "-m", "rebalancer"]


def whole_process_s(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def until_first_request_s(command: list[str], state: Path) -> float:
    """Seconds from the start of `command` until its first byte reaches a listening socket of ours."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("REBALANCER_")} | {
            "REBALANCER_HTX_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "REBALANCER_HTX_ACCESS_KEY": "bench-access-key",
            "REBALANCER_HTX_SECRET_KEY": "bench-secret-key",
            "REBALANCER_STATE_DIR": str(state),
            "REBALANCER_TARGETS": str(Path(__file__).parents[2] / "targets.toml"),
        }
        server.settimeout(30)
        start = time.perf_counter()
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                seconds = time.perf_counter() - start
            process.kill()
        return seconds


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, Callable[[], float]] = {
            "httpx": lambda: whole_process_s(IMPORT_HTTPX),
            "version": lambda: whole_process_s([*REBALANCER, "--version"]),
            "plan": lambda: until_first_request_s([*REBALANCER, "plan"], Path(folder)),
        }
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        for run in range(options.runs + 1):
            for name, measure in sides.items():
                taken = measure()
                if run:  # the first round warms the disk cache
                    seconds[name].append(taken)
    base = median(seconds["httpx"])
    say(
        [
            Figure("rebalancer --version / import httpx", median(seconds["version"]) / base, 1.0, "x"),
            Figure("plan to its first request / import httpx", median(seconds["plan"]) / base, 3.0, "x"),
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
