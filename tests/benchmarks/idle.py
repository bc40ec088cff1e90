"""Resident memory of `serve`, idle after its first cycle against the embedded exchange.

python -m tests.benchmarks.idle [--runs N] [--json]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import psutil

from rebalancer.cli.serve import SCHEDULE_ID
from rebalancer.core.ids import run_id
from rebalancer.journal import records
from rebalancer.journal.store import Journal
from rebalancer.service.clock import SystemClock
from tests.benchmarks.figures import Figure, median, parser, say

MIB = 1024 * 1024
TARGETS = Path(__file__).parents[2] / "targets.toml"
REBALANCER = [sys.executable, "-m", "rebalancer"]


def leave_a_missed_slot(state: Path, environment: dict[str, str]) -> None:
    """Leave a journal whose last scheduled run is two hours old, so that `serve` makes a cycle up at once."""
    subprocess.run([*REBALANCER, "run"], env=environment, check=True, capture_output=True)
    clock = SystemClock()
    slot = clock.now() - timedelta(hours=2)
    with Journal.open(state / "embedded" / "journal.db", clock) as journal:
        run = run_id(SCHEDULE_ID, slot, 1)
        journal.append(
            records.run_started(run, schedule_id=SCHEDULE_ID, slot=slot, mode="dry-run"),
            records.run_closed(run, status="done", text=""),
        )


def resident_mib(state: Path) -> float:
    """Return the memory of a `serve` process once its first cycle is on disk and it waits for the next."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REBALANCER_")} | {
        "REBALANCER_STATE_DIR": str(state),
        "REBALANCER_TARGETS": str(TARGETS),
    }
    leave_a_missed_slot(state, environment)
    with (
        (state / "log").open("wb") as log,
        subprocess.Popen([*REBALANCER, "serve"], env=environment, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        try:
            deadline = time.perf_counter() + 60
            while b"event='cycle'" not in (state / "log").read_bytes():
                assert process.poll() is None, (state / "log").read_text(encoding="utf-8")
                assert time.perf_counter() < deadline, "serve ran no cycle within 60 s"
                time.sleep(0.2)  # noqa: TID251  # a benchmark waits in real time
            time.sleep(3)  # noqa: TID251
            return psutil.Process(process.pid).memory_info().rss / MIB
        finally:
            process.terminate()
            process.wait(30)


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    taken = []
    for _ in range(min(options.runs, 3)):  # memory repeats well; each run takes seconds
        with tempfile.TemporaryDirectory() as folder:
            taken.append(resident_mib(Path(folder)))
    say([Figure("serve idle after one cycle, resident", median(taken), 80.0, "MiB")], as_json=options.json)


if __name__ == "__main__":
    main()
