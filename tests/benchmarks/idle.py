"""Resident memory of `serve`, idle after its first cycle against the embedded exchange.

python -m tests.benchmarks.idle [--json]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.benchmarks.figures import Figure, parser, say

MIB = 1024 * 1024
TARGETS = Path(__file__).parents[2] / "targets.toml"


def resident_mib(state: Path) -> float:
    """Return the memory of a `serve` process once its first cycle is on disk and it waits for the next."""
    targets = state / "targets.toml"
    # Every minute, without jitter: the first slot comes at once.
    text = TARGETS.read_text(encoding="utf-8")
    lines = ['cron = "* * * * *"' if line.strip().startswith("cron ") else line for line in text.splitlines()]
    lines = ["jitter_s = 0" if line.strip().startswith("jitter_s") else line for line in lines]
    targets.write_text("\n".join(lines), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REBALANCER_")} | {
        "REBALANCER_STATE_DIR": str(state),
        "REBALANCER_TARGETS": str(targets),
    }
    command = [sys.executable, "-m", "rebalancer", "serve"]
    with (
        (state / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            deadline = time.perf_counter() + 90
            while b"cycle" not in (state / "log").read_bytes():
                assert process.poll() is None, (state / "log").read_text(encoding="utf-8")
                assert time.perf_counter() < deadline, "serve ran no cycle within 90 s"
                time.sleep(0.5)  # noqa: TID251  # a benchmark waits in real time
            time.sleep(3)  # noqa: TID251
            return psutil.Process(process.pid).memory_info().rss / MIB
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        say(
            [Figure("serve idle after one cycle, resident", resident_mib(Path(folder)), 80.0, "MiB")],
            as_json=options.json,
        )


if __name__ == "__main__":
    main()
