"""How much longer a live cycle takes while the page is flooded: real processes, one journal, the embedded exchange.

python -m tests.benchmarks.page_flood [--runs N] [--json]
"""

from __future__ import annotations

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from rebalancer.cli.demo import TARGETS
from rebalancer.cli.house import House, open_house
from rebalancer.logs import configure
from rebalancer.service.clock import HurriedClock
from rebalancer.settings import Settings
from rebalancer.targets.file import parse_targets
from tests.benchmarks.figures import Figure, median, parser, say
from tests.cli.test_dashboard import logged_in
from tests.e2e.processes import environment
from tests.web.process import page_process

VISITORS = 4
VIEWS = ("/", "/runs", "/cost", "/coins/BTC", "/health", "/targets")
HOURS_APART = 30.0  # far enough for prices to move, so that there is something to trade
RATIO_MAX = 1.5
HURRY = 1e9


@contextmanager
def flood_of(port: int, token: Path) -> Iterator[None]:
    """Flood the page from another process while the block runs."""
    command = [sys.executable, "-m", "tests.benchmarks.page_flood", "--visit", str(port), str(token)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline().strip() == "flooding"
            yield
        finally:
            assert process.poll() is None, "the flood ended"
            process.terminate()


def visit(port: int, token: Path) -> None:
    """Ask for every view again and again until told to stop; say so once the first was answered."""
    os.nice(19)  # visitors are elsewhere as a rule: what they need here is not the page's doing
    cookie = logged_in(port, token.read_text().strip())

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            for view in VIEWS:
                connection.request("GET", view, headers={"Cookie": cookie})
                answer = connection.getresponse()
                answer.read()
                if answer.status != http.client.OK:
                    os._exit(1)

    visitors = [Thread(target=ask, daemon=True) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    print("flooding", flush=True)
    for visitor in visitors:
        visitor.join()


def cycle_ms(house: House, clock: HurriedClock) -> float:
    """Return how long one live cycle with orders takes."""
    while True:
        clock.sleep(HOURS_APART * 3600)
        began = time.perf_counter()
        result = house.cycle(TARGETS_MADE, schedule_id="flood", slot=clock.now(), settle_s=0, forced=True)
        spent = (time.perf_counter() - began) * 1000
        assert not house.shell.journal.state.unresolved, result.text
        if result.orders:
            return spent / len(result.orders)


TARGETS_MADE = parse_targets(TARGETS, "flood")


def measure(folder: Path, runs: int) -> tuple[float, float]:
    """Return milliseconds an order, with a page that nobody asks and with one that is flooded."""
    targets = folder / "targets.toml"
    targets.write_text(TARGETS, encoding="utf-8")
    environ = environment(
        REBALANCER_STATE_DIR=str(folder), REBALANCER_TARGETS=str(targets), REBALANCER_VENUE="embedded"
    )
    settings = Settings.model_construct(
        mode="live", venue="embedded", state_dir=folder, targets=targets, clock_rate=1.0
    )
    clock = HurriedClock(HURRY)
    quiet: list[float] = []
    flooded: list[float] = []
    with open_house(settings, TARGETS_MADE, mode="live", clock=clock, say=lambda _progress: None) as house:
        cycle_ms(house, clock)
        with page_process(environ) as (port, _):
            for _ in range(3):
                quiet += [cycle_ms(house, clock) for _ in range(runs)]
                with flood_of(port, folder / "web-token"):
                    flooded += [cycle_ms(house, clock) for _ in range(runs)]
    return median(quiet), median(flooded)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--visit", nargs=2, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.visit:
        visit(int(chosen.visit[0]), Path(chosen.visit[1]))
        return
    configure("WARNING")
    with tempfile.TemporaryDirectory() as folder:
        quiet, flooded = measure(Path(folder), chosen.runs)
    say([Figure("an order while the page is flooded / quiet", flooded / quiet, RATIO_MAX, "x")], as_json=chosen.json)


if __name__ == "__main__":
    main()
